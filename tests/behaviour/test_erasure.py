"""Who is forgotten is gone from every byte; everybody else is untouched; and they stay forgotten (SPEC 6)."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from byte_scan import traces
from forgotten import Forgotten, contents, customers, named
from pyiceberg.catalog.sql import SqlCatalog

import stedi
from stedi.simulate import SimulationOptions, simulate


def test_50_people_of_the_real_feeds(stedi_2023: Path, tmp_path: Path) -> None:
    shutil.copytree(stedi_2023, tmp_path / "feeds")
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(tmp_path / "feeds")
    everybody = customers(lake)
    gone = Forgotten(lake, set(random.Random(4).sample(everybody, 50)), [1])
    before, needles = contents(lake), gone.needles(lake)
    assert {needle for _, needle in traces([tmp_path / "feeds"], needles)} >= gone.people | gone.alone
    done = lake.subjects.forget(gone.people)
    assert sum(done.rows.values()) == sum(gone.owns(name, row) for name, rows in before.items() for row in rows)
    assert traces([tmp_path], needles, everybody) == []
    after = contents(lake)
    assert after == {name: [row for row in rows if not gone.owns(name, row)] for name, rows in before.items()}
    assert lake.run(tmp_path / "feeds").run is None
    lake.run(tmp_path / "feeds", full=True)
    assert contents(lake) == after
    rebuilt = stedi.open_lakehouse(tmp_path / "rebuilt", pseudonym_key=lake.settings.key_file)
    rebuilt.run(tmp_path / "feeds")
    landing = tmp_path / "feeds"
    assert contents(rebuilt, landing, times=False) == contents(lake, landing, times=False)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lakehouse of dirty, packed files that arrived in three deliveries. Copies of it cannot be used: Iceberg keeps absolute paths."""
    folder = tmp_path_factory.mktemp("history")
    options = SimulationOptions(
        customers=150, seed=11, records_per_file=1_500, dirty_share=0.02, compressed_share=0.4, withdrawn_share=0.1
    )
    simulate(folder / "all", options)
    return folder / "all"


def deliver(source: Path, landing: Path, part: int) -> None:
    """Copy every third file into the landing area."""
    for number, path in enumerate(sorted(p for p in source.rglob("*") if p.is_file() and "truth" not in p.parts)):
        if number % 3 == part:
            target = landing / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def test_people_of_a_lakehouse_with_history(history: Path, tmp_path: Path) -> None:
    lake, landing = stedi.open_lakehouse(tmp_path / "lake"), tmp_path / "feeds"
    for part in range(3):
        deliver(history, landing, part)
        lake.run(landing)
    lake.pin(1, reason="a model")
    lake.pin(2, reason="another model")
    vanished = sorted((landing / "accelerometer").rglob("*.json*"))[0]
    vanished.unlink()
    lake.run(landing)
    everybody = customers(lake)
    gone = Forgotten(lake, set(random.Random(5).sample(everybody, 50)), [run.run for run in lake.runs()])
    before, needles = contents(lake), gone.needles(lake)
    found = lake.subjects.find(gone.people)
    assert len(found.earlier) == len(lake.runs()) - 1
    assert found.pinned == {1: "a model", 2: "another model"}
    done = lake.subjects.forget(gone.people)
    assert done.rows == found.rows
    assert done.files == found.files
    assert (done.let_go, done.unpinned) == ((1, 2, 3), found.pinned)
    assert [(run.readable, run.pinned) for run in lake.runs()] == [(False, None)] * 3 + [(True, None)]
    assert traces([tmp_path], needles, everybody) == []
    after = contents(lake)
    for name in ("customer_landing", "accelerometer_landing", "step_trainer_landing"):
        assert after[name] == [row for row in before[name] if not gone.owns(name, row)], name
    for name in ("customer_trusted", "consent_history", "accelerometer_trusted"):
        assert after[name] == [row for row in before[name] if row["customer"] not in gone.people], name
    others = gone.without_rivals(before)
    for name in ("session_evidence", "customers_curated", "step_trainer_trusted"):
        assert [row for row in after[name] if row["customer"] in others], name
        assert [row for row in after[name] if row["customer"] in others] == [
            row for row in before[name] if row["customer"] in others
        ], name
    pseudonyms = {named(lake, "subject", customer) for customer in others}
    left = [row for row in after["machine_learning_curated"] if row["subjectId"] in pseudonyms]
    assert left == [row for row in before["machine_learning_curated"] if row["subjectId"] in pseudonyms]
    taken = [row["raw"].lower() for row in before["quarantine"] if row not in after["quarantine"]]
    assert len(taken) == len(before["quarantine"]) - len(after["quarantine"]) == done.rows["quarantine"] > 0
    assert all(any(word in raw for word in gone.people | gone.devices) for raw in taken)
    assert lake.run(landing).run is None
    lake.run(landing, full=True)
    assert contents(lake) == after
    rebuilt = stedi.open_lakehouse(tmp_path / "rebuilt", pseudonym_key=lake.settings.key_file)
    again = tmp_path / "again"
    for part in range(3):
        deliver(history, again, part)
    rebuilt.run(again)  # as restored from a backup: everybody is in it, and the erased ones are kept out
    assert traces([tmp_path / "rebuilt"], needles, everybody) == []


def test_incremental_runs_go_on(tmp_path: Path) -> None:
    """What arrives after an erasure is worked in as ever; what arrives of those who were erased stays out."""
    options = SimulationOptions(customers=60, seed=7, records_per_file=500, dirty_share=0.02, withdrawn_share=0.1)
    simulate(tmp_path / "all", options)
    shutil.rmtree(tmp_path / "all" / "truth")
    lake, landing = stedi.open_lakehouse(tmp_path / "lake"), tmp_path / "feeds"
    for part in (0, 1):
        deliver(tmp_path / "all", landing, part)
    lake.run(landing)
    everybody = customers(lake)
    gone = set(random.Random(6).sample(everybody, 15))
    lake.subjects.forget(gone)
    deliver(tmp_path / "all", landing, 2)
    result = lake.run(landing)
    assert result.report["mode"] == "incremental"
    assert sum(result.report["suppressed"].values()) > 0
    after = contents(lake)
    assert not any(gone & {row.get("_customer"), row.get("customer")} for rows in after.values() for row in rows)
    lake.run(landing, full=True)
    assert contents(lake) == after
    lake.subjects.forget(gone)  # now for the files that brought them again
    assert traces([tmp_path / "lake", landing], gone, everybody) == []
    assert contents(lake) == after
    assert lake.run(landing).run is None


def write(path: Path, *records: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record) + "\n" for record in records)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_delivered_again_stays_out_and_a_new_registration_comes_back(small_feeds: Path, tmp_path: Path) -> None:
    shutil.copytree(small_feeds, tmp_path / "backup")
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)
    lake.subjects.forget(["ana@example.org"])
    after = contents(lake)
    for path in (tmp_path / "backup").rglob("*.json"):
        shutil.copy(path, path.parent.parent.parent.parent / "feeds" / path.parent.parent.name / "again.json")
    result = lake.run(small_feeds)
    assert result.report["suppressed"] == {"customer": 1, "accelerometer": 6, "step_trainer": 5}
    assert traces([tmp_path / "lake"], ["ana@example.org", "device-a"]) == []
    assert contents(lake)["customers_curated"] == after["customers_curated"]
    now = 4_000_000_000_000
    write(
        small_feeds / "customer/new.json.gz",
        {"email": "Ana@example.org", "registrationDate": now, "lastUpdateDate": now},
    )
    reading = {"user": "ana@example.org", "x": 0.0, "y": 0.0, "z": 0.0}
    write(small_feeds / "accelerometer/new.json", {**reading, "timestamp": now - 1}, {**reading, "timestamp": now})
    result = lake.run(small_feeds)
    assert result.report["suppressed"] == {"accelerometer": 1}
    assert [
        row["timestamp"] for row in contents(lake)["accelerometer_landing"] if row["_customer"] == "ana@example.org"
    ] == [now]


def test_all_other_bytes_of_the_landing_files_stay(small_feeds: Path, tmp_path: Path) -> None:
    shutil.copytree(small_feeds, tmp_path / "backup")
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)
    lake.subjects.forget(["bo@example.org"])
    for path in small_feeds.rglob("*.json"):
        old = (tmp_path / "backup" / path.relative_to(small_feeds)).read_bytes().split(b"\n")
        assert path.read_bytes() == b"\n".join(b"" if b"bo@" in line or b"device-b" in line else line for line in old)


def test_a_file_that_does_not_hold_what_the_tables_have_from_it(small_feeds: Path, tmp_path: Path) -> None:
    """The books say that there were records; finding none in the file must not pass for success."""
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)
    path = small_feeds / "customer/2023/customer.json"
    status = path.stat()
    path.write_bytes(path.read_bytes().replace(b"ana@", b"anu@"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    before = contents(lake)
    with pytest.raises(stedi.ErasureError, match="1 records of theirs from a landing file in which 0 were found"):
        lake.subjects.forget(["ana@example.org"])
    assert contents(lake) == before


def test_a_snapshot_that_another_program_keeps(small_feeds: Path, tmp_path: Path) -> None:
    """Ana left every file and every run, but a tag of another program still leads to her."""
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)
    table = SqlCatalog("stedi", uri=f"sqlite:///{tmp_path}/lake/catalog.db").load_table("stedi.customer_landing")
    table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "audit-of-2023").commit()
    for path in (small_feeds / "customer/2023/customer.json", small_feeds / "accelerometer/2023/accelerometer.json"):
        path.write_text("".join(line for line in path.read_text().splitlines(True) if "ana@" not in line))
    lake.run(small_feeds)
    lake.maintain(keep_runs=1, keep_days=0)
    found = lake.subjects.find(["ana@example.org"])
    assert (found.known, found.elsewhere, sum(found.rows.values()), found.files, found.earlier) == (True, 1, 0, {}, {})
    assert lake.subjects.forget(["ana@example.org"]).known
    assert "audit-of-2023" not in table.refresh().refs()
    assert traces([tmp_path], ["ana@example.org"]) == []
    assert lake.run(small_feeds).run is None


def test_files_that_nothing_needs_to_read_are_not_read(small_feeds: Path, tmp_path: Path) -> None:
    """Only files that rows of theirs came from are read, and those never read or changed; what is found there is found."""
    lake = stedi.open_lakehouse(tmp_path / "lake")
    write(small_feeds / "customer/other.json", {"email": "gus@example.org", "lastUpdateDate": 1})
    lake.run(small_feeds)
    write(small_feeds / "customer/new.json", {"email": "ana@example.org", "lastUpdateDate": 1})
    (small_feeds / "customer/other.json").chmod(0)  # whoever reads it fails, but for root: so look at what is opened
    opened: set[str] = set()
    listening = [True]
    sys.addaudithook(lambda event, found: listening and event == "open" and opened.add(Path(str(found[0])).name))
    found = lake.subjects.find(["ana@example.org"])
    listening.clear()
    assert {Path(path).name: records for path, records in found.files.items()} == {
        "customer.json": 1,
        "new.json": 1,
        "accelerometer.json": 6,
        "step_trainer.json": 5,
    }
    assert {"customer.json", "new.json"} <= opened
    assert "other.json" not in opened
    (small_feeds / "customer/other.json").chmod(0o600)
    lake.subjects.forget(["ana@example.org"])
    assert traces([small_feeds], ["ana@example.org"]) == []


def test_nobody(small_feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)
    done = lake.subjects.forget(["nobody@example.org"])
    assert (done.known, done.run, len(lake.runs())) == (False, None, 1)


def test_the_policy_seed(small_feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake", policy="seed")
    lake.run(small_feeds)
    lake.subjects.forget(["ana@example.org"])
    assert traces([tmp_path / "lake", small_feeds], ["ana@example.org"]) == []


@pytest.mark.parametrize("step", ["rewriting landing files", "committing", "publishing", "letting go of earlier runs"])
def test_stopped_half_way_the_next_run_completes_it(
    small_feeds: Path, tmp_path: Path, step: str, write_small_feeds: Callable[[Path], Path]
) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)
    before = contents(lake)

    def stop(name: str, done: int, total: int) -> None:
        if name == step and (done or total == 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.subjects.forget(["ana@example.org", "fay@example.org"], progress=stop)
    found = {check.name: check for check in stedi.lakehouse.doctor(tmp_path / "lake")}
    assert found["erasure"].status == "problem"
    assert lake.plan(small_feeds).erasure_waits
    assert lake.consent_impact(small_feeds).erasure_waits
    assert lake.run(small_feeds).completed_erasure
    assert not lake.plan(small_feeds).erasure_waits
    assert traces([tmp_path], ["ana@example.org", "fay@example.org", "device-a"]) == []
    after = contents(lake)
    for name in ("customer_landing", "accelerometer_landing"):
        assert after[name] == [row for row in before[name] if row["_customer"] != "ana@example.org"]
    found = {check.name: check for check in stedi.lakehouse.doctor(tmp_path / "lake")}
    assert found["erasure"].status == "ok"
    assert lake.run(small_feeds).run is None


def test_what_a_run_completed_is_proven_when_it_is_asked_for_again(small_feeds: Path, tmp_path: Path) -> None:
    """A run that completes an erasure does not know whom it is about; who asks again gets the certificate, whoever else they name."""
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)

    def stop(name: str, _done: int, _total: int) -> None:
        if name == "committing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.subjects.forget(["ana@example.org"], progress=stop)
    assert lake.run(small_feeds).completed_erasure
    assert list(tmp_path.glob("lake.erased-*.json")) == []
    done = lake.subjects.forget(["ana@example.org", "nobody@example.org"])
    assert (done.known, done.run) == (False, None)
    assert done.certificate is not None
    assert lake.subjects.verify(done.certificate, ["ana@example.org"]).holds


def test_landing_files_that_were_all_deleted_do_not_keep_somebody(small_feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)
    for path in [path for path in small_feeds.rglob("*") if path.is_file()]:
        path.unlink()
    assert lake.subjects.find(["ana@example.org"]).known
    done = lake.subjects.forget(["ana@example.org"])
    assert done.certificate is not None
    assert traces([tmp_path / "lake"], ["ana@example.org", "device-a"]) == []


def test_a_file_that_somebody_wrote_between_two_tries_is_read(
    small_feeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal knows of a rewriting that never came to be; what is delivered then is not taken for it."""
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(small_feeds)
    path = small_feeds / "customer/2023/customer.json"

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("stedi.ingest.raw.put", killed)
        with pytest.raises(KeyboardInterrupt):
            lake.subjects.forget(["ana@example.org"])
    with path.open("a") as out:
        late = {"email": "late@example.org", "serialNumber": "device-l", "registrationDate": 1, "lastUpdateDate": 1}
        out.write("\n" + json.dumps(late) + "\n")
    lake.subjects.forget(["ana@example.org"])
    lake.run(small_feeds)
    assert "late@example.org" in customers(lake)
    assert "ana@example.org" not in customers(lake)
