"""The audit finds what a contract forbids, and the books that do not balance."""

from __future__ import annotations

from pathlib import Path

import pytest

from stedi.contracts import contracts
from stedi.engines.duckdb import DuckDBEngine
from stedi.errors import AuditError
from stedi.runs.audit import Violation, check_accounting, check_table, require

CONTRACTS = contracts("strict")


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    """An engine that has every table, all of them empty."""
    engine = DuckDBEngine(tmp_path)
    for name, contract in CONTRACTS.items():
        engine.use_files(name, [], contract)
    return engine


def hold(engine: DuckDBEngine, table: str, *rows: dict[str, str]) -> None:
    """Make a table hold rows of which only some columns are given, as SQL."""
    selects = (
        "SELECT " + ", ".join(f'{row.get(c.name, "NULL")} AS "{c.name}"' for c in CONTRACTS[table].columns)
        for row in rows
    )
    engine.keep(table, " UNION ALL ".join(selects))


def broken(engine: DuckDBEngine, table: str) -> set[tuple[str, int]]:
    return {(violation.rule, violation.rows) for violation in check_table(engine, CONTRACTS[table])}


PERSON = {
    "customer": "'a'",
    "email": "'a'",
    "lastUpdateDate": "5",
    "shareWithResearchAsOfDate": "10",
    "usableSince": "10",
}
DECISION = {
    "customer": "'a'",
    "decision": "'consented'",
    "shareWithResearchAsOfDate": "10",
    "lastUpdateDate": "5",
    "_source_file": "'f'",
    "_source_line": "1",
    "_ingested_at": "TIMESTAMPTZ '2026-01-01'",
}
READING = {"customer": "'a'", "user": "'a'", "timestamp": "10", "x": "0", "y": "0", "z": "0"}


def test_clean_tables_pass(engine: DuckDBEngine) -> None:
    hold(engine, "customer_trusted", PERSON)
    hold(engine, "consent_history", DECISION)
    hold(engine, "accelerometer_trusted", READING)
    assert [violation for contract in CONTRACTS.values() for violation in check_table(engine, contract)] == []


def test_a_null_in_a_required_column(engine: DuckDBEngine) -> None:
    hold(engine, "customer_trusted", PERSON | {"email": "NULL"})
    assert broken(engine, "customer_trusted") == {("email is required", 1)}


def test_a_key_that_comes_twice(engine: DuckDBEngine) -> None:
    hold(engine, "customer_trusted", PERSON, PERSON, PERSON | {"customer": "'b'"})
    assert broken(engine, "customer_trusted") == {("key is unique", 1)}


def test_a_reading_before_consent_and_one_of_nobody(engine: DuckDBEngine) -> None:
    hold(engine, "customer_trusted", PERSON)
    hold(engine, "accelerometer_trusted", READING, READING | {"timestamp": "9"}, READING | {"customer": "'b'"})
    assert broken(engine, "accelerometer_trusted") == {("consent_covers_reading", 2)}


def test_a_consent_that_a_later_record_withdraws(engine: DuckDBEngine) -> None:
    hold(engine, "customer_trusted", PERSON)
    hold(engine, "customer_landing", {"email": "' A'", "_customer": "'a'", "lastUpdateDate": "6"})
    assert broken(engine, "customer_trusted") == {("consent_is_not_outdated", 1)}


def test_a_decision_without_its_instant_and_an_instant_without_its_decision(engine: DuckDBEngine) -> None:
    withdrew = DECISION | {"customer": "'b'", "decision": "'withdrew'"}
    hold(engine, "customer_trusted", PERSON, PERSON | {"customer": "'b'"}, PERSON | {"customer": "'c'"})
    hold(
        engine,
        "consent_history",
        DECISION,
        withdrew,
        DECISION | {"customer": "'c'", "decision": "'not given'"},
        DECISION | {"customer": "'d'", "shareWithResearchAsOfDate": "0"},
        DECISION | {"customer": "'e'", "decision": "'maybe'", "shareWithResearchAsOfDate": "NULL"},
    )
    assert broken(engine, "consent_history") == {("decision_and_instant_agree", 4)}


def test_a_customer_who_is_in_against_their_last_decision_or_out_against_it(engine: DuckDBEngine) -> None:
    later = {"_ingested_at": "TIMESTAMPTZ '2026-01-02'"}
    hold(engine, "customer_trusted", PERSON)
    hold(
        engine,
        "consent_history",
        DECISION,
        DECISION | later | {"decision": "'withdrew'", "shareWithResearchAsOfDate": "NULL"},
        DECISION | {"customer": "'left out'"},
    )
    assert broken(engine, "consent_history") == {("last_decision_holds", 2)}


def test_one_person_with_two_devices_at_a_time(engine: DuckDBEngine) -> None:
    session = {
        "serialNumber": "'d'",
        "sessionStart": "10",
        "sessionEnd": "20",
        "status": "'assigned'",
        "reason": "'evidence'",
        "customer": "'a'",
        "registered": "FALSE",
        "matches": "3",
        "deviceReadings": "3",
        "customerReadings": "3",
        "jaccard": "1.0",
        "clockOffsetMs": "0",
        "evidence": "9.0",
    }
    hold(engine, "customer_trusted", PERSON)
    hold(
        engine, "device_sessions", session, session | {"serialNumber": "'e'", "sessionStart": "20", "sessionEnd": "30"}
    )
    assert broken(engine, "device_sessions") == {("one_device_at_a_time", 2)}


def test_an_identifier_that_is_no_pseudonym(engine: DuckDBEngine) -> None:
    row = dict.fromkeys(("subjectId", "deviceId", "sessionId"), "repeat('0', 64)")
    row |= dict.fromkeys(("sensorReadingTime", "distanceFromObject", "x", "y", "z"), "1")
    hold(engine, "machine_learning_curated", row, row | {"subjectId": "'ann@test.com'"})
    assert broken(engine, "machine_learning_curated") == {("pseudonyms_only", 1)}


def test_books_that_do_not_balance() -> None:
    pairs = {"accelerometer": ("accelerometer_landing", "accelerometer_trusted")}
    withheld = {"accelerometer": {"no consent": 2, "duplicate": 1}}
    rows = {"accelerometer_landing": 10, "accelerometer_trusted": 7}
    assert check_accounting(rows, withheld, pairs) == []
    (violation,) = check_accounting(rows | {"accelerometer_trusted": 6}, withheld, pairs)
    assert (violation.rule, violation.rows) == ("accounting", 1)


def test_violations_stop_the_run_and_are_all_named() -> None:
    require([])
    with pytest.raises(AuditError, match=r"one \(3 rows\); other: two \(4 rows\)"):
        require([Violation("table", "one", "", 3), Violation("other", "two", "", 4)])
