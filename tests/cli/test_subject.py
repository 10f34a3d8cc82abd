"""`stedi subject`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import stedi
from stedi.cli.hold import FIELDS
from stedi.cli.subject import FIELDS_OF_EXPORT, FIELDS_OF_FIND, FIELDS_OF_FORGET, FIELDS_OF_VERIFY


def test_find_counts_every_place(cli, undocumented, small_lake: Path) -> None:
    facts = cli("subject", "find", " ANA@example.org", "--lakehouse", small_lake, "--json").facts
    assert undocumented(facts, FIELDS_OF_FIND) == set()
    assert (facts["people"], facts["known"], facts["run"], facts["earlier"]) == (1, True, 1, [])
    assert {Path(found["file"]).parts[-3]: found["records"] for found in facts["files"]} == {
        "customer": 1,
        "accelerometer": 6,  # one of them is broken
        "step_trainer": 5,
    }
    assert facts["rows"] == {
        "customer_landing": 1,
        "accelerometer_landing": 5,
        "step_trainer_landing": 5,
        "quarantine": 1,
        "customer_trusted": 1,
        "consent_history": 1,
        "accelerometer_trusted": 5,
        "session_evidence": 1,
        "device_sessions": 1,
        "customers_curated": 1,
        "step_trainer_trusted": 5,
        "machine_learning_curated": 5,
    }


def test_find_prints_nothing_personal(cli, small_lake: Path) -> None:
    said = cli("subject", "find", "bo@example.org", "--lakehouse", small_lake)
    assert said.code == 0
    assert said.out.startswith("1 person: 11 records in the landing files, ")
    for value in ("bo@", "Bo", "device-b", "5550100"):
        assert value not in said.out + said.err


def test_find_shows_personal_values_when_asked(cli, undocumented, small_lake: Path) -> None:
    assert cli("subject", "find", "bo@example.org", "--lakehouse", small_lake, "--json").facts["personal"] == {}
    facts = cli("subject", "find", "bo@example.org", "--show", "--lakehouse", small_lake, "--json").facts
    assert undocumented(facts, FIELDS_OF_FIND) == set()
    assert facts["personal"]["customer_landing"] == {
        "customerName": ["Bo"],
        "email": ["bo@example.org"],
        "phone": ["5550100"],
        "birthDay": ["1990-01-01"],
        "serialNumber": ["reused-number"],
        "_customer": ["bo@example.org"],
    }
    assert facts["personal"]["step_trainer_landing"] == {"serialNumber": ["device-b"]}
    assert facts["personal"]["session_evidence"] == {"serialNumber": ["device-b"], "customer": ["bo@example.org"]}
    assert "machine_learning_curated" not in facts["personal"]  # it holds pseudonyms alone
    said = cli("subject", "find", "dee@example.org", "--show", "--lakehouse", small_lake)
    assert "dee@example.org" in said.out
    assert "eve@" not in said.out  # the rival for the same device


def test_many_people_of_a_file(cli, small_feeds: Path, tmp_path: Path) -> None:
    cli("run", "--landing", small_feeds)
    emails = tmp_path / "emails.txt"
    emails.write_bytes(b"\xef\xbb\xbfana@example.org\r\n\r\n BO@example.org \nnobody@example.org\n")
    before = {path: path.read_bytes() for path in small_feeds.rglob("*.json")}
    would = cli("subject", "forget", "--file", emails, "--dry-run")
    assert would.out.startswith("3 people: 23 records in the landing files, ")
    assert "ana@" not in would.out + would.err
    assert {path: path.read_bytes() for path in small_feeds.rglob("*.json")} == before
    assert len(cli("runs", "--json").facts["runs"]) == 1
    done = cli("subject", "forget", "--file", emails)
    assert done.out.startswith("3 people: 23 records taken out of 3 landing files, ")
    assert "bo@" not in done.out + done.err
    assert not cli("subject", "find", "--file", emails, "--json").facts["known"]
    said = cli("subject", "forget", "--file", tmp_path / "missing.txt", "--json")
    assert (said.code, said.error["code"]) == (2, "CONFIG")
    assert cli("subject", "forget").code == 2


def test_somebody_who_is_but_named_in_the_quarantine(cli, small_lake: Path) -> None:
    facts = cli("subject", "find", "fay@example.org", "--lakehouse", small_lake, "--json").facts
    assert facts["rows"]["quarantine"] == sum(facts["rows"].values()) == 1
    assert [found["records"] for found in facts["files"]] == [1]


def test_nobody_and_many(cli, monkeypatch, small_lake: Path) -> None:
    said = cli("subject", "find", "nobody@example.org", "--lakehouse", small_lake)
    assert (said.code, said.out) == (0, "nothing is held about 1 person, as of run 1\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("ana@example.org\n\nbo@example.org\nANA@example.org\n"))
    facts = cli("subject", "find", "-", "--lakehouse", small_lake, "--json").facts
    assert (facts["people"], facts["rows"]["customer_landing"], facts["rows"]["step_trainer_landing"]) == (2, 2, 10)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert cli("subject", "find", "-", "--lakehouse", small_lake).code == 2


def test_find_looks_into_earlier_runs(cli, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    with (small_feeds / "customer/2023/customer.json").open(
        "w"
    ) as file:  # ana's device is known from the first run alone
        file.write(json.dumps({"email": "ana@example.org", "registrationDate": 1, "lastUpdateDate": 1}) + "\n")
    cli("run", "--landing", small_feeds)
    facts = cli("subject", "find", "ana@example.org", "--json").facts
    assert facts["rows"]["device_sessions"] == facts["rows"]["step_trainer_trusted"] == 0
    assert facts["rows"]["step_trainer_landing"] == 5
    assert facts["earlier"] == [{"run": 1, "rows": 32}]


def test_export_hands_over_everything_and_nobody_else(cli, undocumented, small_lake: Path, tmp_path: Path) -> None:
    said = cli(
        "subject", "export", "dee@example.org", "--output", tmp_path / "dee", "--lakehouse", small_lake, "--json"
    )
    assert undocumented(said.facts, FIELDS_OF_EXPORT) == set()
    rows = said.facts["rows"]
    assert (rows["customer_landing"], rows["accelerometer_landing"], rows["device_sessions"]) == (1, 5, 1)
    assert rows["raw_records"] == 6
    found = {path.name: path for path in (tmp_path / "dee").iterdir()}
    assert found.keys() == {"README.md"} | {f"{name}.json" for name in rows} | {
        f"{name}.parquet" for name in rows if name != "raw_records"
    }
    assert all(path.stat().st_mode & 0o77 == 0 for path in found.values())
    assert not any(b"eve@" in path.read_bytes() for path in found.values())
    session = pq.read_table(found["device_sessions.parquet"]).to_pylist()[0]
    assert (session["status"], session["candidate"], session["rival"]) == ("ambiguous", "dee@example.org", None)
    raw = [json.loads(line) for line in found["raw_records.json"].read_text().splitlines()]
    assert json.loads(raw[0]["record"])["email"] == "dee@example.org"


@pytest.mark.parametrize("email", ["nobody@example.org"])
def test_export_of_nobody_and_into_a_folder_in_use(cli, small_lake: Path, tmp_path: Path, email: str) -> None:
    said = cli("subject", "export", email, "--output", tmp_path / "out", "--lakehouse", small_lake)
    assert said.code == 0
    assert "nothing is held about this person" in said.err
    again = cli("subject", "export", email, "--output", tmp_path / "out", "--lakehouse", small_lake, "--json")
    assert (again.code, again.error["code"]) == (2, "CONFIG")


def test_forget(cli, undocumented, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    would = cli("subject", "forget", "ana@example.org", "--dry-run", "--json").facts
    facts = cli("subject", "forget", "ana@example.org", "--json").facts
    assert undocumented(facts, FIELDS_OF_FORGET) == set()
    assert (facts["people"], facts["known"], facts["run"]) == (1, True, 2)
    assert facts["rows"] == would["rows"]
    assert facts["files"] == would["files"]
    again = cli("subject", "forget", "ana@example.org")
    assert again.out.startswith("nothing is held about 1 person: nothing was changed\n")
    assert "nothing of them is left" in again.out  # proven anew
    said = cli("subject", "forget", "nobody@example.org")
    assert (said.code, said.out) == (0, "nothing is held about 1 person: nothing was changed\n")
    said = cli("subject", "forget", "bo@example.org", "fay@example.org")
    assert said.out.startswith("2 people: 12 records taken out of 3 landing files, ")
    assert "bo@" not in said.out + said.err
    said = cli("show", "customer_landing", "--as-of", 1, "--json")
    assert (said.code, said.error["code"]) == (6, "NOT_FOUND")
    assert "run 1 can no longer be read" in said.error["message"]


def test_pinned_runs_are_found_and_let_go(cli, small_feeds: Path) -> None:
    """Run 1 holds nobody but bo, and stays; runs 2 and 3 hold ana, too, and go, though run 2 is pinned."""
    everything = small_feeds.with_name("everything")
    small_feeds.rename(everything)
    (small_feeds / "customer").mkdir(parents=True)
    lines = (everything / "customer/2023/customer.json").read_text().splitlines(keepends=True)
    (bo,) = (line for line in lines if "bo@example.org" in line)
    (small_feeds / "customer/bo.json").write_text(bo)
    cli("run", "--landing", small_feeds)
    (small_feeds / "customer/all.json").write_text("".join(lines))
    cli("run", "--landing", small_feeds)
    cli("pin", 1, "--reason", "a model of bo")
    cli("pin", 2, "--reason", "a model of everybody")
    (small_feeds / "customer/cay.json").write_text('{"email": "cay@example.org", "lastUpdateDate": 1}\n')
    cli("run", "--landing", small_feeds)
    facts = cli("subject", "find", "ana@example.org", "--json").facts
    assert facts["pinned"] == [{"run": 2, "reason": "a model of everybody"}]
    assert "a model of everybody" in cli("subject", "find", "ana@example.org").out
    facts = cli("subject", "forget", "ana@example.org", "--json").facts
    assert facts["letGo"] == [2, 3]
    assert facts["unpinned"] == [{"run": 2, "reason": "a model of everybody"}]
    runs = cli("runs", "--json").facts["runs"]
    assert [(run["readable"], run["pinned"]) for run in runs] == [
        (True, "a model of bo"),
        (False, None),
        (False, None),
        (True, None),
    ]
    said = cli("query", "SELECT count(*) AS n FROM customer_landing", "--as-of", 1, "--format", "csv")
    assert said.out == '"n"\n1\n'


def test_a_rehearsal_says_that_an_erasure_waits(cli, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    assert "half done" not in cli("run", "--landing", small_feeds, "--dry-run").err

    def stop(step: str, _done: int, _total: int) -> None:
        if step == "publishing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stedi.open_lakehouse().subjects.forget(["ana@example.org"], progress=stop)
    for command in (("run", "--dry-run"), ("consent", "impact")):
        said = cli(*command, "--landing", small_feeds)
        assert "note: an erasure is half done: the next run completes it first" in said.err
        assert "half done" not in said.out
    assert cli("run", "--landing", small_feeds, "--dry-run", "--json").facts["plan"]["erasureWaits"]
    assert cli("consent", "impact", "--landing", small_feeds, "--json").facts["erasureWaits"]
    said = cli("run", "--landing", small_feeds)
    assert "note: an erasure that was half done was completed first" in said.err
    assert not cli("subject", "find", "ana@example.org", "--json").facts["known"]
    assert "half done" not in cli("run", "--landing", small_feeds, "--dry-run").err


def test_verify(cli, undocumented, small_feeds: Path, tmp_path: Path) -> None:
    cli("run", "--landing", small_feeds)
    cli("subject", "forget", "ana@example.org", "--certificate", tmp_path / "c.json")
    facts = cli("subject", "verify", tmp_path / "c.json", "ana@example.org", "--json").facts
    assert undocumented(facts, FIELDS_OF_VERIFY) == set()
    assert (facts["holds"], facts["ours"], facts["searchedAgain"], facts["found"]) == (True, True, True, [])
    late = {"email": "ana@example.org", "registrationDate": 4_000_000_000_000, "lastUpdateDate": 4_000_000_000_000}
    (small_feeds / "customer/late.json").write_text(json.dumps(late))
    cli("run", "--landing", small_feeds)
    said = cli("subject", "verify", tmp_path / "c.json")
    assert said.code == 1
    assert said.out.startswith("the claim does not hold: ")


def test_hold(cli, undocumented, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    facts = cli("hold", "ana@example.org", "--reason", "court order 17", "--json").facts
    assert undocumented(facts, FIELDS) == set()
    assert (facts["held"], facts["changed"]) == (True, True)
    said = cli("subject", "forget", "ana@example.org", "--json")
    assert (said.code, said.error["code"]) == (13, "ERASURE")
    assert "court order 17" in (said.error["message"] or "")
    assert cli("hold", "ana@example.org").code == 2
    assert cli("hold", "ana@example.org", "--release").out == "the hold is lifted\n"
    assert cli("hold", "ana@example.org", "--release").out == "this person is under no hold\n"
    assert cli("subject", "forget", "ana@example.org").code == 0
