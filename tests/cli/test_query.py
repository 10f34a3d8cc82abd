"""`stedi query`: formats, files, limits, and what it refuses."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import stedi

SESSIONS = 'SELECT "serialNumber", "sessionStart", jaccard FROM device_sessions ORDER BY "sessionStart"'


def test_a_table_by_default(cli, small_lake: Path) -> None:
    said = cli("query", SESSIONS, "--lakehouse", small_lake)
    assert said.out.splitlines()[0].split() == ["serialNumber", "sessionStart", "jaccard"]
    assert said.out.splitlines()[1].split() == ["device-a", "1700000000000", "1.0"]
    assert said.err == ""


def test_a_long_table_is_cut_and_says_so(cli, small_lake: Path) -> None:
    said = cli("query", "SELECT range AS n FROM range(1000)", "--lakehouse", small_lake)
    assert len(said.out.splitlines()) == 101
    assert said.err == "note: only the first 100 rows are shown; --format csv prints all\n"
    assert cli("query", "SELECT range AS n FROM range(100)", "--lakehouse", small_lake).err == ""


def test_csv(cli, small_lake: Path) -> None:
    said = cli("query", "SELECT 1 AS n, 'a,b' AS t, NULL AS z, '' AS e", "--format", "csv", "--lakehouse", small_lake)
    assert said.out == '"n","t","z","e"\n1,"a,b",,""\n'
    assert cli("query", "SELECT 1 AS n WHERE FALSE", "--format", "csv", "--lakehouse", small_lake).out == '"n"\n'


def test_json_is_one_object_per_line(cli, small_lake: Path) -> None:
    sql = """SELECT 1 AS n, 'ü"' AS t, NULL AS z, 'nan'::DOUBLE AS nan, [1.5, 'inf'::DOUBLE] AS l, {'a': 1} AS s,
             sum(9007199254740993) AS big, 1.50::DECIMAL(5, 2) AS dec, TIMESTAMPTZ '2020-01-02 03:04:05+00' AS at,
             'x'::BLOB AS b, DATE '2020-01-02' AS day"""
    for how in (("--json",), ("--format", "json")):
        said = cli("query", sql, *how, "--lakehouse", small_lake)
        assert json.loads(said.out) == {
            "n": 1, "t": 'ü"', "z": None, "nan": None, "l": [1.5, None], "s": {"a": 1},
            "big": 9007199254740993, "dec": 1.5, "at": "2020-01-02T03:04:05.000000Z", "b": "78", "day": "2020-01-02",
        }  # fmt: skip
    assert len(cli("query", SESSIONS, "--json", "--lakehouse", small_lake).out.splitlines()) == 3


def test_parquet_keeps_types(cli, small_lake: Path, tmp_path: Path) -> None:
    said = cli("query", "FROM device_sessions", "--output", "sessions.parquet", "--lakehouse", small_lake)
    assert (said.code, said.out, said.err) == (0, "", "3 rows written to sessions.parquet\n")
    table = pq.read_table(tmp_path / "sessions.parquet")
    assert table.num_rows == 3
    assert str(table.schema.field("sessionStart").type) == "int64"


#: A column of every type that a query commonly gives.
TYPES = """SELECT true AS yes, 1::TINYINT AS t, 2::SMALLINT AS s, 3 AS i, 9007199254740993 AS b, 18446744073709551615::UBIGINT AS u,
    0.1::FLOAT AS f, 0.1::DOUBLE AS d, 1.50::DECIMAL(5, 2) AS dec, 'ü"' AS v, NULL::VARCHAR AS n, DATE '1969-12-31' AS day,
    TIMESTAMP '2020-01-02 03:04:05.000006' AS local, TIMESTAMPTZ '2020-01-02 03:04:05.000006+00' AS at"""
#: Types that DuckDB and Arrow write in different ways. Arrow's is what is promised.
ODD_TYPES = "SELECT 170141183460469231731687303715884105727 - 170141183460469231731687303715884105700 AS huge, [1, 2] AS l, {'a': 1} AS s"


@pytest.mark.parametrize("sql", [TYPES, ODD_TYPES, f"SELECT * FROM ({TYPES}) WHERE FALSE"])
def test_parquet_holds_what_python_gets(cli, small_lake: Path, tmp_path: Path, sql: str) -> None:
    assert cli("query", sql, "--output", "rows.parquet", "--lakehouse", small_lake).code == 0
    rows = stedi.open_lakehouse(small_lake).query(sql)
    written, ours = pq.read_table(tmp_path / "rows.parquet"), rows.to_arrow()
    assert [(f.name, f.type) for f in written.schema] == [(f.name, f.type) for f in ours.schema]
    assert written.to_pylist() == ours.to_pylist()


def test_rows_keep_their_order_in_parquet(small_lake: Path, tmp_path: Path) -> None:
    """More rows than a row group holds, so that several threads write them."""
    numbers = stedi.open_lakehouse(small_lake).query("SELECT range AS n FROM range(1_000_000) ORDER BY n DESC")
    assert numbers.to_parquet(tmp_path / "n.parquet") == 1_000_000
    assert pq.read_table(tmp_path / "n.parquet")["n"].to_pylist() == list(range(999_999, -1, -1))


@pytest.mark.parametrize("name", ["it's {uuid} *%~.parquet", "ü.parquet", os.fsdecode(b"\xff.parquet")])
def test_a_file_of_any_name(small_lake: Path, tmp_path: Path, name: str) -> None:
    assert stedi.open_lakehouse(small_lake).query("SELECT 1 AS n").to_parquet(tmp_path / name) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_is_not_there(cli, small_lake: Path, tmp_path: Path) -> None:
    for name in ("x.csv", "x.parquet"):
        said = cli("query", "SELECT 1 AS n", "--output", f"nosuch/{name}", "--lakehouse", small_lake)
        assert (said.code, "error STORAGE: no such file or directory" in said.err) == (9, True)
    assert list(tmp_path.iterdir()) == []


def test_the_ending_says_the_format(cli, small_lake: Path, tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "a.json"):
        assert cli("query", "SELECT 1 AS n", "--output", name, "--lakehouse", small_lake).code == 0
    assert (tmp_path / "a.csv").read_text() == '"n"\n1\n'
    assert (tmp_path / "a.jsonl").read_text() == (tmp_path / "a.json").read_text() == '{"n": 1}\n'


def test_binary_rows_in_a_pipe(program, small_lake: Path, tmp_path: Path) -> None:
    said = program(
        "query",
        "FROM device_sessions",
        "--format",
        "parquet",
        "--lakehouse",
        small_lake,
        before=("sh", "-c", '"$0" "$@" > out.parquet'),
    )
    assert said.code == 0
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 3


def test_a_query_that_fails_leaves_the_file_as_it_was(cli, small_lake: Path, tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("before")
    late = "SELECT CAST(CASE WHEN range = 999999 THEN 'x' ELSE '1' END AS INTEGER) AS n FROM range(1000000)"
    for sql, format in (
        (s, f) for s in ("SELECT nonsense", late, "SELECT [1] AS l, 2 AS l") for f in ("csv", "parquet")
    ):
        said = cli("query", sql, "--output", "keep", "--format", format, "--lakehouse", small_lake)
        assert (said.code, said.out) == (7, ""), sql
        assert (tmp_path / "keep").read_text() == "before"
        assert [path.name for path in tmp_path.iterdir()] == ["keep"]


def test_a_device_or_pipe_is_written_to_not_replaced(cli, small_lake: Path, tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to(os.devnull)
    assert cli("query", "SELECT 1 AS n", "--format", "csv", "--output", "null", "--lakehouse", small_lake).code == 0
    assert Path(os.devnull).is_char_device()


def test_a_link_stays_a_link(cli, small_lake: Path, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to("real.csv")
    cli("query", "SELECT 1 AS n", "--output", "link.csv", "--lakehouse", small_lake)
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == '"n"\n1\n'


def test_the_lakehouse_itself_is_never_written_to(cli, small_lake: Path) -> None:
    said = cli(
        "query", "SELECT 1 AS n", "--format", "csv", "--output", small_lake / "catalog.db", "--lakehouse", small_lake
    )
    assert said.code == 2
    assert "inside the lakehouse" in said.err
    assert cli("tables", "--lakehouse", small_lake).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--output", "x.txt"),
        ("--output", "x.csv", "--format", "table"),
        ("--json", "--format", "csv"),
        ("--format", "xml"),
    ],
)
def test_options_that_make_no_sense_together(cli, small_lake: Path, arguments: tuple[str, ...]) -> None:
    said = cli("query", "SELECT 1", *arguments, "--lakehouse", small_lake)
    assert said.code == 2
    assert "USAGE" in said.err


def test_two_columns_of_one_name(cli, small_lake: Path) -> None:
    said = cli("query", "SELECT 1 AS a, 2 AS a", "--json", "--lakehouse", small_lake)
    assert (said.code, said.error["where"]) == (7, "a")
    said = cli("query", "SELECT 1 AS a, 2 AS a", "--output", "a.parquet", "--lakehouse", small_lake)
    assert (said.code, "two columns have the same name" in said.err) == (7, True)


def test_from_stdin(program, small_lake: Path) -> None:
    said = program(
        "query", "-", "--json", "--lakehouse", small_lake, before=("sh", "-c", 'echo "SELECT 41 + 1 AS n" | "$0" "$@"')
    )
    assert said.out == '{"n": 42}\n'


def test_as_of_an_earlier_run(cli, small_feeds: Path) -> None:
    cli("run", "--landing", small_feeds)
    (small_feeds / "step_trainer" / "more.json").write_text(
        '{"sensorReadingTime": 1, "serialNumber": "s", "distanceFromObject": 1}\n'
    )
    cli("run", "--landing", small_feeds)
    sql = "SELECT count(*) AS n FROM step_trainer_landing"
    assert [cli("query", sql, "--as-of", run, "--json").out for run in (1, 2)] == ['{"n": 19}\n', '{"n": 20}\n']


def test_instants_are_utc(cli, small_lake: Path) -> None:
    said = cli("query", 'SELECT max("_ingested_at") AS at FROM customer_landing', "--json", "--lakehouse", small_lake)
    at = datetime.fromisoformat(json.loads(said.out)["at"])
    assert abs((datetime.now(UTC) - at).total_seconds()) < 3600


REFUSED = {
    "no SQL": "selec 1",
    "nothing": "",
    "two statements": "SELECT 1; SELECT 2",
    "insert": "INSERT INTO customer_landing VALUES (1)",
    "delete": "DELETE FROM customer_landing",
    "create": "CREATE TABLE t AS SELECT 1",
    "copy out": "COPY customer_landing TO 'out.csv'",
    "attach": "ATTACH 'x.db'",
    "set": "SET memory_limit = '1GB'",
    "install": "INSTALL httpfs",
    "read csv": "SELECT * FROM read_csv('/etc/passwd')",
    "read text": "SELECT * FROM read_text('/etc/passwd')",
    "read a file by name": "SELECT * FROM '/etc/passwd'",
    "list files": "SELECT * FROM glob('/etc/*')",
    "read another parquet file": "SELECT * FROM read_parquet('secret.parquet')",
    "read the net": "SELECT * FROM read_csv('http://localhost/x.csv')",
    "unknown table": "SELECT * FROM nosuch",
    "unknown column": "SELECT nosuch FROM customer_landing",
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(cli, small_lake: Path, tmp_path: Path, what: str) -> None:
    pq.write_table(pq.read_table(next((small_lake / "warehouse").rglob("*.parquet"))), tmp_path / "secret.parquet")
    said = cli("query", REFUSED[what], "--lakehouse", small_lake)
    assert (said.code, said.out) == (7, "")
    assert said.err.startswith("error QUERY: ")
    assert "\n  next: " in said.err
    said = cli("query", REFUSED[what], "--output", "out.parquet", "--lakehouse", small_lake)
    assert (said.code, said.out) == (7, "")
    assert [path.name for path in tmp_path.iterdir()] == ["secret.parquet"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(email AS INTEGER) FROM customer_landing",
        "SELECT error(email) FROM customer_landing",
        "SELECT error('No space left, ' || email) FROM customer_landing",
        "SELECT strptime(email, '%Y') FROM customer_landing",
        "SELECT CAST(CASE WHEN n.range = 9999 THEN c.email ELSE '1' END AS INTEGER) FROM range(10000) AS n, customer_landing AS c",
    ],
)
def test_an_error_while_it_runs_quotes_no_value(cli, small_lake: Path, sql: str) -> None:
    """The last one fails in the middle of the rows, where DuckDB's own words reach us through Arrow."""
    for how in ("csv", "json", "table", "parquet"):
        output = ("--output", "rows.parquet") if how == "parquet" else ()
        said = cli("query", sql, "--format", how, *output, "--lakehouse", small_lake)
        if how != "table" or said.code:
            assert said.code == 7
            assert "example.org" not in said.err
            assert "error QUERY: the query failed while it ran" in said.err
