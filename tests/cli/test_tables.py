"""`stedi tables`."""

from __future__ import annotations

from pathlib import Path

from stedi.cli.tables import FIELDS


def test_lists_every_table_with_zone_rows_and_snapshot(cli, undocumented, small_lake: Path) -> None:
    facts = cli("tables", "--lakehouse", small_lake, "--json").facts
    rows = {table["name"]: (table["zone"], table["rows"]) for table in facts["tables"]}
    assert rows == {
        "customer_landing": ("landing", 5),
        "consent_history": ("landing", 5),
        "accelerometer_landing": ("landing", 24),
        "step_trainer_landing": ("landing", 19),
        "quarantine": ("landing", 2),
        "customer_trusted": ("trusted", 4),
        "accelerometer_trusted": ("trusted", 18),
        "session_evidence": ("trusted", 4),
        "step_trainer_trusted": ("trusted", 8),
        "device_sessions": ("curated", 3),
        "customers_curated": ("curated", 4),
        "machine_learning_curated": ("curated", 8),
        "landed_files": ("records", 3),
        "runs": ("records", 1),
    }
    assert all(isinstance(table["snapshot"], str) for table in facts["tables"] if table["name"] != "runs")
    assert undocumented(facts, FIELDS) == set()


def test_rows_are_those_that_a_query_finds(cli, small_lake: Path) -> None:
    for table in cli("tables", "--lakehouse", small_lake, "--json").facts["tables"]:
        said = cli("query", f"SELECT count(*) AS n FROM {table['name']}", "--lakehouse", small_lake, "--json")
        assert said.out == f'{{"n": {table["rows"]}}}\n', table["name"]


def test_text_in_a_pipe_is_one_line_per_table(cli, small_lake: Path) -> None:
    said = cli("tables", "--lakehouse", small_lake)
    head, *lines = said.out.splitlines()
    assert head.split() == ["zone", "table", "rows", "snapshot", "published", "(UTC)"]
    assert len(lines) == 14
    assert all(line == line.rstrip() for line in lines)


def test_as_of_an_earlier_run(cli, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    (small_feeds / "step_trainer" / "more.json").write_text(
        '{"sensorReadingTime": 1, "serialNumber": "s", "distanceFromObject": 1}\n'
    )
    cli("run", "--landing", small_feeds)
    counts = {
        run: {t["name"]: t["rows"] for t in cli("tables", "--as-of", run, "--json").facts["tables"]} for run in (1, 2)
    }
    assert (counts[1]["step_trainer_landing"], counts[2]["step_trainer_landing"]) == (19, 20)
    assert (counts[1]["landed_files"], counts[2]["landed_files"]) == (3, 4)


def test_an_unknown_run(cli, small_lake: Path) -> None:
    said = cli("tables", "--as-of", 99, "--lakehouse", small_lake)
    assert said.code == 6
    assert said.err == "error NOT_FOUND: there is no run 99\n  next: `stedi runs` lists the completed runs\n"
