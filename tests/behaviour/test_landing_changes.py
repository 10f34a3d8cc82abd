"""Files come again, change, vanish: what was read once is not read twice (SPEC 6)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import stedi


def reading(user: str, timestamp: int, x: float = 0.0) -> str:
    return json.dumps({"user": user, "timestamp": timestamp, "x": x, "y": 0.0, "z": 0.0}) + "\n"


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    for feed in ("customer", "accelerometer", "step_trainer"):
        (tmp_path / "feeds" / feed).mkdir(parents=True)
    (tmp_path / "feeds/customer/c.json").write_text(
        json.dumps(
            {"email": "Ann@test.com", "registrationDate": 1, "lastUpdateDate": 1, "shareWithResearchAsOfDate": 10}
        )
        + "\n"
    )
    (tmp_path / "feeds/accelerometer/a.json").write_text(reading("ann@test.com", 10) + reading("ann@test.com", 11))
    return tmp_path / "feeds"


def rows(lake: stedi.Lakehouse, table: str) -> int:
    return lake.table(table).to_arrow().num_rows


def test_a_second_run_finds_nothing_to_do(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    assert lake.run(feeds).run == 1
    again = lake.run(feeds)
    assert again.run is None
    assert again.plan["mode"] == "nothing"
    assert len(lake.runs()) == 1


def test_a_file_under_another_name_brings_no_second_copy_into_the_trusted_zone(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    shutil.copy(feeds / "accelerometer/a.json", feeds / "accelerometer/b.json")
    result = lake.run(feeds)
    assert result.report["feeds"]["accelerometer"] == {"files": 1, "landed": 2, "quarantined": 0, "arrived": 2}
    assert rows(lake, "accelerometer_landing") == 4
    assert rows(lake, "accelerometer_trusted") == 2
    assert result.report["withheld"]["accelerometer"] == {"duplicate": 2}


def test_a_touched_file_is_not_read_again(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    os.utime(feeds / "accelerometer/a.json", (1, 1))
    lake.run(feeds)
    assert rows(lake, "accelerometer_landing") == 2
    assert lake.run(feeds).run is None  # its new time is known now


def test_a_changed_file_replaces_what_it_brought(feeds: Path, tmp_path: Path) -> None:
    (feeds / "accelerometer/other.json").write_text(reading("ann@test.com", 20) + "broken\n")
    (feeds / "accelerometer/a.json").write_text(
        reading("ann@test.com", 10) + reading("ann@test.com", 11) + "also broken\n"
    )
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    assert (rows(lake, "accelerometer_landing"), rows(lake, "quarantine")) == (3, 2)
    (feeds / "accelerometer/a.json").write_text(reading("ann@test.com", 12))
    lake.run(feeds)
    assert sorted(row["timestamp"] for row in lake.table("accelerometer_landing").to_arrow().to_pylist()) == [12, 20]
    assert rows(lake, "quarantine") == 1
    assert sorted(row["timestamp"] for row in lake.table("accelerometer_trusted").to_arrow().to_pylist()) == [12, 20]


def test_what_a_vanished_file_brought_stays(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    (feeds / "accelerometer/a.json").unlink()
    result = lake.run(feeds, full=True)
    assert result.report["vanishedFiles"] == 1
    assert rows(lake, "accelerometer_trusted") == 2


@pytest.mark.parametrize("content", [reading("ann@test.com", 10), "dirt\n", '[{"user": "ann@test.com"}, 5]'])
def test_a_file_that_vanishes_while_it_is_read_is_told(feeds: Path, tmp_path: Path, content: str) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    gone = feeds / "accelerometer/a.json"
    gone.write_text(content)

    def progress(step: str, done: int, total: int) -> None:
        if step == "reading":
            gone.unlink(missing_ok=True)

    with pytest.raises(stedi.LandingError, match="vanished") as told:
        lake.run(feeds, progress=progress)
    assert told.value.where == str(gone)
    assert lake.runs() == []
    gone.write_text(reading("ann@test.com", 10))
    assert lake.run(feeds).run == 1


def test_a_withdrawal_takes_every_row_out(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    assert rows(lake, "accelerometer_trusted") == 2
    (feeds / "customer/later.json").write_text(json.dumps({"email": " ann@TEST.com", "lastUpdateDate": 2}) + "\n")
    result = lake.run(feeds)
    assert (rows(lake, "customer_trusted"), rows(lake, "accelerometer_trusted")) == (0, 0)
    assert result.report["withheld"]["accelerometer"] == {"no consent": 2}
    (feeds / "customer/again.json").write_text(
        json.dumps({"email": "ann@test.com", "lastUpdateDate": 3, "shareWithResearchAsOfDate": 11}) + "\n"
    )
    lake.run(feeds)
    assert [row["timestamp"] for row in lake.table("accelerometer_trusted").to_arrow().to_pylist()] == [11]


def test_earlier_runs_can_still_be_read(feeds: Path, tmp_path: Path) -> None:
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    (feeds / "accelerometer/b.json").write_text(reading("ann@test.com", 12))
    lake.run(feeds)
    lake.run(feeds, policy="seed")
    assert [rows(lake.as_of(run), "accelerometer_trusted") for run in (1, 2, 3)] == [2, 3, 3]
    assert "subjectId" in lake.as_of(1).table("machine_learning_curated").to_arrow().column_names
    assert "serialNumber" in lake.table("machine_learning_curated").to_arrow().column_names


def test_the_policy_can_change_there_and_back(feeds: Path, tmp_path: Path) -> None:
    (feeds / "accelerometer/early.json").write_text(reading("ann@test.com", 9))
    lake = stedi.open_lakehouse(tmp_path / "lake")
    counted = []
    for policy in ("strict", "seed", "strict"):
        lake.run(feeds, policy=policy)  # type: ignore[arg-type]
        counted.append(rows(lake, "accelerometer_trusted"))
    assert counted == [2, 3, 2]


def test_a_file_name_with_wildcards_is_that_file_alone(feeds: Path, tmp_path: Path) -> None:
    (feeds / "accelerometer/[ab]*.json").write_text(reading("ann@test.com", 30))
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    assert rows(lake, "accelerometer_landing") == 3


def test_links_are_followed_once_and_other_files_are_counted(feeds: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/linked.json").write_text(reading("ann@test.com", 40))
    (feeds / "accelerometer/link").symlink_to(tmp_path / "elsewhere")
    (feeds / "accelerometer/loop").symlink_to(feeds / "accelerometer")
    (feeds / "accelerometer/notes.txt").write_text("no feed")
    lake = stedi.open_lakehouse(tmp_path / "lake")
    result = lake.run(feeds)
    assert result.report["feeds"]["accelerometer"]["landed"] == 3
    assert result.report["otherFiles"] == 1


def test_lines_are_numbered_across_a_large_file(feeds: Path, tmp_path: Path) -> None:
    """Line numbers come from the order of reading; 400,000 lines are read by several threads."""
    with (feeds / "accelerometer/large.json").open("w") as out:
        out.writelines(
            f'{{"user":"ann@test.com","timestamp":{n},"x":0.0,"y":0.0,"z":0.0}}\n' for n in range(1, 400_001)
        )
    lake = stedi.open_lakehouse(tmp_path / "lake")
    lake.run(feeds)
    wrong = lake.query(
        'SELECT count(*) AS n, count(*) FILTER ("_source_line" <> "timestamp") AS wrong FROM accelerometer_landing'
        " WHERE \"_source_file\" LIKE '%large.json'"
    )
    assert wrong.to_arrow().to_pylist() == [{"n": 400_000, "wrong": 0}]


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u000b", "\u3000", " \t"])
def test_white_space_of_any_kind_around_an_email_makes_nobody_else_of_a_customer(tmp_path: Path, space: str) -> None:
    """SPEC 2: emails are compared trimmed. A withdrawal that came with a no-break space withdraws."""
    feeds = tmp_path / "feeds"
    for feed in ("customer", "accelerometer"):
        (feeds / feed).mkdir(parents=True)
    given = {"email": "a@x.y", "lastUpdateDate": 1, "shareWithResearchAsOfDate": 1}
    reading = {"user": f"{space}A@x.y", "timestamp": 5, "x": 0.0, "y": 0.0, "z": 1.0}
    (feeds / "customer" / "1.json").write_text(json.dumps(given))
    (feeds / "accelerometer" / "1.json").write_text(json.dumps(reading, ensure_ascii=False))
    lake = stedi.open_lakehouse(tmp_path / "lake")
    assert lake.run(feeds).report["rows"]["accelerometer_trusted"] == 1
    withdrawn = {"email": f"{space}a@x.y{space}", "lastUpdateDate": 2}
    (feeds / "customer" / "2.json").write_text(json.dumps(withdrawn, ensure_ascii=False))
    rows = lake.run(feeds).report["rows"]
    assert (rows["customer_trusted"], rows["accelerometer_trusted"]) == (0, 0)
