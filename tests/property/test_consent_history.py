"""`consent_history` over random records and runs, where ties abound: model and oracle agree, customer by customer (SPEC 2 and 6)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import FIELDS, Record, Row, history_of, in_order

import stedi
from stedi.contracts import contracts, model
from stedi.engines.base import Engine
from stedi.engines.start import start_engine

PEOPLE = ("ann@test.com", "Ann@Test.com ", "ben@test.com", "cy@test.com")
COLUMNS = ("customer", "decision", "shareWithResearchAsOfDate", "lastUpdateDate", "_source_file", "_source_line")
_TYPES = {"varchar": pa.string(), "bigint": pa.int64(), "timestamptz": pa.timestamp("us", "UTC")}
_SCHEMA = pa.schema([(c.name, _TYPES[c.type]) for c in contracts("strict")["customer_landing"].columns])
_FIRST_RUN = datetime(2026, 1, 1, tzinfo=UTC)

small = st.integers(1, 3)
records = st.builds(
    lambda email, updated, registered, research, public, file, line: Record(
        dict.fromkeys(FIELDS["customer"])
        | {
            "email": email,
            "lastUpdateDate": updated,
            "registrationDate": registered,
            "shareWithResearchAsOfDate": research,
            "shareWithPublicAsOfDate": public,
        },
        f"/landing/{file}.json",
        line,  # objects glued on one line share it
    ),
    st.sampled_from(PEOPLE),
    small,
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, None, 0, -1, 10, 10, 11]),
    st.sampled_from([None, 1]),
    small,
    small,
)
histories = st.lists(st.lists(records, min_size=1, max_size=5), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as folder:
        settings = stedi.open_lakehouse(folder).settings
        settings.home.scratch("test").mkdir(parents=True)
        engine = start_engine(settings, "test")
        yield engine
        engine.close()


def modelled(engine: Engine, runs: list[list[Record]], people: tuple[str, ...] = PEOPLE) -> list[Row]:
    """Rows of the model over the landed records of some people; a run is told by its number."""
    rows = [
        {
            **record.values,
            "_customer": str(record.values["email"]).strip().lower(),
            "_source_file": record.file,
            "_source_line": record.line,
            "_ingested_at": _FIRST_RUN + timedelta(hours=number),
        }
        for number, records in enumerate(runs)
        for record in records
        if record.values["email"] in people
    ]
    engine.use_rows("customer_landing", pa.Table.from_pylist(rows, _SCHEMA))
    found = engine.query(model("consent_history", "strict")).to_pylist()
    return in_order(
        [(*(row[name] for name in COLUMNS), (row["_ingested_at"] - _FIRST_RUN) // timedelta(hours=1)) for row in found]
    )


@given(histories)
def test_it_is_what_a_replay_of_the_runs_says(engine: Engine, runs: list[list[Record]]) -> None:
    assert modelled(engine, runs) == in_order(history_of(runs))


@given(histories)
def test_each_customer_can_be_computed_alone(engine: Engine, runs: list[list[Record]]) -> None:
    apart = [row for who in (PEOPLE[:2], PEOPLE[2:3], PEOPLE[3:]) for row in modelled(engine, runs, who)]
    assert in_order(apart) == modelled(engine, runs)


@given(histories)
def test_a_further_run_only_adds(engine: Engine, runs: list[list[Record]]) -> None:
    earlier, now = modelled(engine, runs[:-1]), modelled(engine, runs)
    assert [row for row in now if row[-1] < len(runs) - 1] == earlier
