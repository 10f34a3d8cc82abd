"""What `engines/base.py` promises, method by method, on either engine."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stedi.contracts import Contract, contracts
from stedi.engines.base import Engine, Tell
from stedi.errors import DataError, EngineError, LandingError, QueryError

TRUSTED = contracts("strict")["accelerometer_trusted"]
QUARANTINE = contracts("strict")["quarantine"]
IDS = {column.name: 10 * number for number, column in enumerate(TRUSTED.columns, 1)}
TYPES = {"varchar": pa.string(), "bigint": pa.int64(), "double": pa.float64()}


def readings(*rows: tuple[str | None, int]) -> pa.Table:
    """Rows of accelerometer_trusted: customer and instant; the instant is in x, too."""
    facts = [{"customer": who, "user": who, "timestamp": at, "x": float(at), "y": None, "z": -0.5} for who, at in rows]
    return pa.Table.from_pylist(facts, pa.schema([(c.name, TYPES[c.type]) for c in TRUSTED.columns]))


def rows(engine: Engine, select: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in engine.query(select).to_pylist())


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_rows_in_memory_and_a_stream(engine: Engine) -> None:
    engine.use_rows("given", readings(("a", 1), ("b", 2)))
    assert rows(engine, 'SELECT "customer", "timestamp", "x", "y" FROM given') == [
        ("a", 1, 1.0, None),
        ("b", 2, 2.0, None),
    ]
    engine.use_rows("given", readings(("c", 3)).to_reader())
    engine.keep("kept", "SELECT * FROM given")
    assert rows(engine, 'SELECT "customer" FROM kept') == [("c",)]
    engine.use_rows("given", readings().slice(0, 0))
    assert rows(engine, "SELECT * FROM given") == []


def test_a_view_is_computed_anew_and_a_kept_relation_is_not(engine: Engine) -> None:
    engine.use_rows("given", readings(("a", 1)))
    engine.define("near", 'SELECT "customer" FROM given')
    engine.define("whole", "SELECT * FROM near")
    engine.keep("kept", "SELECT * FROM whole")
    engine.use_rows("given", readings(("a", 1), ("b", 2)))
    assert rows(engine, "SELECT * FROM whole") == [("a",), ("b",)]
    assert rows(engine, "SELECT * FROM kept") == [("a",)]
    engine.keep("kept", "SELECT * FROM whole")
    assert rows(engine, "SELECT * FROM kept") == [("a",), ("b",)]
    engine.drop("kept")
    engine.drop("kept")
    with pytest.raises(EngineError):
        engine.query("SELECT * FROM kept")


@pytest.mark.parametrize("folder", ["plain", "b c+d%20e", "[x]*{y}?", "day=1"])
def test_a_file_says_where_its_rows_lie(engine: Engine, tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    path = str(tmp_path / folder / "one two.parquet")
    engine.use_rows("given", readings(("a", 1), ("b", 2)))
    assert engine.write('SELECT * FROM given ORDER BY "timestamp"', path, TRUSTED, IDS) == 2
    engine.use_files("found", [path], TRUSTED, located=True)
    assert rows(engine, 'SELECT "customer", "_file", "_row" FROM found') == [("a", path, 0), ("b", path, 1)]
    engine.use_files("found", [path], TRUSTED)
    assert engine.query("SELECT * FROM found").column_names == [c.name for c in TRUSTED.columns]
    engine.use_files("found", [], TRUSTED, located=True)
    assert engine.query("SELECT * FROM found").column_names[-2:] == ["_file", "_row"]
    assert rows(engine, "SELECT * FROM found") == []


def test_a_written_file(engine: Engine, tmp_path: Path) -> None:
    """By name, cast, in the contract's order, with field ids; and nothing beside it."""
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "a.parquet"
    engine.write(
        'SELECT 1 AS "z", CAST(2 AS INTEGER) AS "timestamp", \'a\' AS "customer", NULL AS "user", 0.5 AS "x", 1e3 AS "y"',
        str(path),
        TRUSTED,
        IDS,
    )
    assert files(tmp_path / "data") == ["a.parquet"]
    schema = pq.read_schema(path)
    assert [(f.name, f.type, int(f.metadata[b"PARQUET:field_id"])) for f in schema] == [
        (c.name, TYPES[c.type], IDS[c.name]) for c in TRUSTED.columns
    ]
    assert pq.read_table(path).to_pylist() == [
        {"customer": "a", "user": None, "timestamp": 2, "x": 0.5, "y": 1000.0, "z": 1.0}
    ]
    assert pq.read_metadata(path).row_group(0).column(0).compression == "ZSTD"
    engine.use_rows("given", readings())
    assert engine.write("SELECT * FROM given", str(path), TRUSTED, IDS) == 0
    assert pq.read_metadata(path).num_rows == 0


def test_instants_are_those_that_iceberg_knows(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    ids = {column.name: number for number, column in enumerate(QUARANTINE.columns, 1)}
    others = ", ".join(f'CAST(NULL AS {c.type}) AS "{c.name}"' for c in QUARANTINE.columns if c.type != "timestamptz")
    (instant,) = (c.name for c in QUARANTINE.columns if c.type == "timestamptz")
    at = "2026-01-31T23:59:59.123456+00:00"
    engine.write(f"SELECT {others}, CAST('{at}' AS TIMESTAMPTZ) AS \"{instant}\"", str(path), QUARANTINE, ids)
    assert pq.read_schema(path).field(instant).type == pa.timestamp("us", "UTC")
    assert pq.read_table(path)[instant][0].as_py().isoformat() == at


def test_files_of_so_many_rows(engine: Engine, tmp_path: Path) -> None:
    engine.use_rows("given", readings(*((f"person {at % 7}", at) for at in range(100_000))))
    (tmp_path / "data").mkdir()
    prefix = str(tmp_path / "data" / "part")
    written = engine.write_files("SELECT * FROM given", prefix, TRUSTED, IDS, 31_000)
    paths = list(written)
    assert 3 <= len(paths) <= 12
    assert all(path.startswith(prefix) for path in paths)
    assert files(tmp_path) == sorted(Path(path).name for path in paths)  # scratch is empty
    assert written == {path: pq.read_metadata(path).num_rows for path in paths}
    assert all(0 < rows <= 40_000 for rows in written.values())
    engine.use_files("found", paths, TRUSTED)
    assert engine.digest("found", TRUSTED) == engine.digest("given", TRUSTED)


@pytest.mark.parametrize("wanted", [1, 3])
def test_files_in_order(engine: Engine, tmp_path: Path, wanted: int) -> None:
    contract = replace(TRUSTED, clustered_by="customer", sorted_by=("customer", "timestamp"))
    engine.use_rows("given", readings(*((f"person {at % 5}", -at) for at in range(1_000))))
    written = engine.write_sorted("SELECT * FROM given", str(tmp_path / "part"), contract, IDS, wanted)
    paths = list(written)
    assert written == {path: pq.read_metadata(path).num_rows for path in paths}
    assert 1 <= len(paths) <= wanted
    people: list[str] = []
    for path in paths:
        found = [(row["customer"], row["timestamp"]) for row in pq.read_table(path).to_pylist()]
        assert found == sorted(found)
        people += {who for who, _ in found}
    assert sorted(people) == [f"person {number}" for number in range(5)]
    engine.use_files("found", paths, TRUSTED)
    assert engine.digest("found", TRUSTED) == engine.digest("given", TRUSTED)


def test_a_digest_depends_on_every_value_and_on_copies_but_not_on_order(engine: Engine) -> None:
    def digest(*given: tuple[str | None, int], contract: Contract = TRUSTED) -> tuple[int, int]:
        engine.use_rows("given", readings(*given))
        return engine.digest("given", contract)

    one = digest(("a", 1), ("b", 2))
    assert one[0] == 2
    assert one == digest(("b", 2), ("a", 1))
    others = [
        digest(("a", 1), ("b", 3)),
        digest(("a", 1), (None, 2)),
        digest(("a", 1), ("a", 1)),
        digest(("b", 2), ("b", 2)),
    ]
    assert len({one, *others, digest()}) == 6
    engine.use_rows("left", pa.table({"customer": pa.array(["a"]), "user": pa.array([None], pa.string())}))
    engine.use_rows("right", pa.table({"customer": pa.array([None], pa.string()), "user": pa.array(["a"])}))
    two = replace(TRUSTED, columns=TRUSTED.columns[:2])
    assert engine.digest("left", two) != engine.digest("right", two)


def test_what_the_dialects_could_disagree_on(engine: Engine) -> None:
    """Counted by hand; DuckDB's meaning holds."""
    values = pa.table(
        {"n": pa.array([7, -7, None], pa.int64()), "t": ["b", None, "é"], "b": pa.array([b"\x01", b"\xff", b""])}
    )
    engine.use_rows("v", values)
    engine.use_rows("k", pa.table({"n": pa.array([7, None], pa.int64())}))
    for select, wanted in {
        'SELECT "n" // 2 AS "r" FROM v WHERE "n" IS NOT NULL': [(-3,), (3,)],
        'SELECT "r" FROM (SELECT row_number() OVER (ORDER BY "n" DESC) AS "r", "n" FROM v) AS q WHERE "n" IS NULL': [
            (3,)
        ],
        'SELECT "r" FROM (SELECT row_number() OVER (ORDER BY "n") AS "r", "n" FROM v) AS q WHERE "n" IS NULL': [(3,)],
        'SELECT count(*) AS "c" FROM v WHERE EXISTS (SELECT 1 FROM k WHERE k."n" IS NOT DISTINCT FROM v."n")': [(2,)],
        'SELECT count(*) AS "c" FROM v WHERE NOT EXISTS (SELECT 1 FROM k WHERE k."n" = v."n")': [(2,)],
        'SELECT count(*) AS "c" FROM v WHERE "n" IS DISTINCT FROM 7': [(2,)],
        'SELECT "t" FROM v WHERE "t" IS NOT NULL QUALIFY "n" IS NULL OR "n" = max("n") OVER ()': [("b",), ("é",)],
        'SELECT length("t") AS "l" FROM v WHERE "t" > \'c\'': [(1,)],
        'SELECT sha256("b" || unhex(sha256(encode(\'kind:\' || \'é\')))) AS "h" FROM v WHERE "n" = 7': [
            (hashlib.sha256(b"\x01" + hashlib.sha256("kind:é".encode()).digest()).hexdigest(),)
        ],
        'SELECT sum("n") OVER (ORDER BY "n" RANGE BETWEEN CURRENT ROW AND 14 FOLLOWING) AS "s" FROM v WHERE "n" IS NOT NULL': [
            (0,),
            (7,),
        ],
        'SELECT floor(1000 * ln(CAST("n" AS DOUBLE))) / 1000 AS "f" FROM v WHERE "n" > 0': [(1.945,)],
        'SELECT count(*) FILTER ("n" > 0) AS "c", CAST(max("n") AS VARCHAR) AS "m" FROM v': [(1, "7")],
        'SELECT CASE WHEN greatest("n", NULL, 1) = 7 THEN \'it\'\'s \\d\' END AS "g" FROM v WHERE "n" = 7': [
            ("it's \\d",)
        ],
    }.items():
        assert rows(engine, select) == wanted, select


def test_marks_tell_rows_apart(engine: Engine) -> None:
    engine.use_rows("given", readings(*(("a", at) for at in range(1_000)), ("a", 5)))
    marks = 'SELECT hash("customer", "timestamp", "x") AS "mark" FROM given GROUP BY hash("customer", "timestamp", "x")'
    assert rows(engine, f"SELECT count(*) AS n FROM ({marks}) AS m") == [(1_000,)]


def work(engine: Engine, scratch: Path, part: int, tell: Tell) -> str:
    """For `spread`: it must be a function of a module."""
    if part < 0:
        raise LandingError("a file vanished", where="here", hint="wait")
    if part > 100:
        raise ValueError("secret@example.org")
    tell(part)
    (scratch / "mine").touch()
    return f"{part} {engine.query('SELECT json_valid(chr(123) || chr(125)) AS v')['v'][0].as_py()}"


@pytest.mark.parametrize("far", [False, True])
def test_work_for_embedded_engines(engine: Engine, far: bool) -> None:
    told: list[int] = []
    assert list(engine.spread(work, [3, 1, 2], told.append, far=far)) == ["3 True", "1 True", "2 True"]
    assert sorted(told) == [1, 2, 3]
    assert list(engine.spread(work, [], told.append, far=far)) == []
    assert engine.readers >= 1
    with pytest.raises(LandingError, match="vanished") as caught:
        list(engine.spread(work, [1, -1], told.append, far=far))
    assert (caught.value.where, caught.value.hint) == ("here", "wait")


def test_a_task_that_fails_quotes_nothing(spark: Engine) -> None:
    with pytest.raises(EngineError, match="ValueError") as caught:
        list(spark.spread(work, [101], lambda _: None, far=True))
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("select", ['CAST("customer" AS BIGINT)', '"timestamp" * 9223372036854775807'])
def test_an_error_quotes_no_value(engine: Engine, select: str) -> None:
    engine.use_rows("given", readings(("secret@example.org", 4242)))
    for run in (engine.query, lambda text: engine.keep("kept", text)):
        with pytest.raises(DataError) as caught:
            run(f'SELECT {select} AS "n" FROM given')
        told = "".join(traceback.format_exception(caught.value))
        assert "secret" not in told
        assert "4242" not in told


def test_a_mistake_in_the_sql_is_an_error(engine: Engine) -> None:
    with pytest.raises(EngineError):
        engine.query('SELECT "nothing" FROM nowhere')
    with pytest.raises(EngineError):
        engine.define("broken", 'SELECT "nothing" FROM nowhere')


def test_users_sql_is_refused_on_spark(spark: Engine) -> None:
    with pytest.raises(QueryError):
        spark.query_untrusted("SELECT 1", [])


def test_functions_that_mean_something_else_are_refused(spark: Engine) -> None:
    """Spark's `chr` knows 256 characters: without a word it would give another one."""
    with pytest.raises(EngineError, match="Spark"):
        spark.query("SELECT chr(8232) AS c")


def test_it_can_be_given_up_and_closed(engine: Engine) -> None:
    engine.use_rows("given", readings(("a", 1)))
    engine.interrupt()
    assert rows(engine, 'SELECT "customer" FROM given') == [("a",)]
    engine.close()
    engine.interrupt()


@pytest.fixture
def two(scratch: Path, spark: Engine) -> Iterator[Engine]:
    from stedi.engines.spark import SparkEngine

    engine = SparkEngine(scratch, scratch)
    yield engine
    engine.close()


def test_engines_of_one_process_do_not_see_each_other(spark: Engine, two: Engine) -> None:
    spark.use_rows("given", readings(("a", 1)))
    with pytest.raises(EngineError):
        two.query("SELECT * FROM given")
    two.close()
    assert rows(spark, 'SELECT "customer" FROM given') == [("a",)]
