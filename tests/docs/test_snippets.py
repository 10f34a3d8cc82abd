"""What the pages tell the reader to type works, and prints what they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs.snippets import REPOSITORY, Step, check_shown, run, steps_of

import stedi
from stedi.simulate import SimulationOptions, simulate


def test_the_tour(tmp_path: Path) -> None:
    steps = list(steps_of(REPOSITORY / "docs" / "tour.md"))
    assert {step.code.split()[1] for step in steps if step.code.startswith("stedi ")} >= {
        "simulate",
        "run",
        "tables",
        "show",
        "query",
        "quarantine",
        "devices",
        "runs",
        "doctor",
    }
    for step in steps:
        check_shown(step, run(step, tmp_path))


def test_the_demo(tmp_path: Path) -> None:
    """`make demo`, but for setting up Python."""
    printed = run(Step("console", f"bash {REPOSITORY / 'tools' / 'demo.sh'}", None), tmp_path)
    assert "up to date" in printed
    assert stedi.open_lakehouse(tmp_path / "demo" / "lakehouse").runs()


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds `feeds`, as the README has it."""
    folder = tmp_path_factory.mktemp("readme")
    simulate(folder / "feeds", SimulationOptions(customers=120, seed=7))
    return folder


def test_the_readme(feeds: Path) -> None:
    steps = list(steps_of(REPOSITORY / "README.md"))
    assert {step.kind for step in steps} == {"console", "python"}
    for step in steps:
        check_shown(step, run(step, feeds))


def test_the_pages_on_other_engines(feeds: Path) -> None:
    """The scripts of the page build on each other."""
    pytest.importorskip("polars")
    lake = stedi.open_lakehouse(feeds / "other" / "lakehouse")
    lake.run(feeds / "feeds")
    steps = list(steps_of(REPOSITORY / "docs" / "guides" / "other-engines.md"))
    code = "\n".join(step.code for step in steps).replace("/data/lakehouse", str(lake.folder))
    rows = lake.table("machine_learning_curated").to_arrow().num_rows
    assert len(steps) == 2
    assert run(Step("python", code, None), feeds).split() == [str(rows), str(rows)]


def test_the_pseudonyms_of_the_page_are_those_of_the_table(feeds: Path) -> None:
    lake = stedi.open_lakehouse(feeds / "pseudonyms" / "lakehouse")
    lake.run(feeds / "feeds")
    (step,) = steps_of(REPOSITORY / "docs" / "concepts" / "pseudonyms.md")
    names: dict[str, object] = {}
    key = (feeds / "pseudonyms" / "lakehouse.key").read_text("ascii").strip()
    exec(step.code.replace("bytes(32)", f"bytes.fromhex({key!r})"), names)
    pseudonym = names["pseudonym"]
    assert callable(pseudonym)
    session = lake.query("SELECT * FROM device_sessions WHERE status = 'assigned' LIMIT 1").to_arrow().to_pylist()[0]
    wanted = {
        "subjectId": pseudonym("subject", session["customer"]),
        "deviceId": pseudonym("device", session["serialNumber"]),
        "sessionId": pseudonym("session", f"{session['serialNumber']}:{session['sessionStart']}"),
    }
    conditions = " AND ".join(f"\"{name}\" = '{value}'" for name, value in wanted.items())
    assert lake.query(f"SELECT 1 FROM machine_learning_curated WHERE {conditions}").to_arrow().num_rows


def test_the_reading_of_wildcards() -> None:
    check_shown(Step("console", "x", "a ... c\n...\nend\n"), "a b  c\n\nanything\nmore\nend\n")
    check_shown(Step("console", "x", "a\n"), "a\n")
    with pytest.raises(AssertionError):
        check_shown(Step("console", "x", "a\n"), "a\nb\n")


def test_blocks_that_are_not_run_say_why() -> None:
    for page in sorted((REPOSITORY / "docs").rglob("*.md")):
        for why in re.findall(r"<!-- not run: (.*?) -->", page.read_text("utf-8")):
            assert len(why) > 10
