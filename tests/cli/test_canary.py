"""No personal value leaves the lakehouse unasked: canaries are planted in every feed, and all output is searched for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stedi

Cli = Callable[..., Any]
#: Every value that says who somebody is; none may show up anywhere but in data files, and where it is asked for by name.
CANARIES = ("canaryname", "canaryemail", "5557654321", "1961-07-23", "ca0a41e5-0000", "canaryjunk")
START_MS = 1_700_000_000_000


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    """Two people who consent and moved alike with one device, so that a session is ambiguous; and dirt that holds canaries."""
    folder = tmp_path / "feeds"
    for feed in ("customer", "accelerometer", "step_trainer"):
        (folder / feed).mkdir(parents=True)
    people = [
        {
            "customerName": "Canaryname",
            "email": f"canaryemail{number}@example.org",
            "phone": "5557654321",
            "birthDay": "1961-07-23",
            "serialNumber": "ca0a41e5-0000-4000-8000-000000000000",
            "registrationDate": 1,
            "lastUpdateDate": 1,
            "shareWithResearchAsOfDate": 1,
        }
        for number in range(3)
    ]
    instants = [START_MS + 500 * n for n in range(8)]
    phone = [
        {"user": person["email"], "timestamp": t + 3_600_000 * (number == 2), "x": 0.1, "y": 0.2, "z": 0.3}
        for number, person in enumerate(people)
        for t in instants
    ]
    steps = [
        {"sensorReadingTime": t + later, "serialNumber": f"ca0a41e5-0000-device{later}", "distanceFromObject": 200}
        for t in instants
        for later in (0, 3_600_000)
    ]
    dirt = [
        '{"user": "canaryemail0@example.org", "timestamp": "canaryjunk", "x": 1, "y": 1, "z": 1}',
        '{"user": ["canaryemail0@example.org"], "timestamp": 1, "x": "canaryjunk", "y": 1, "z": 1}',
        '{"user": "canaryemail0@example.org", "timest',
        '{"canaryjunk": "canaryemail0@example.org"}',
        "canaryjunk",
    ]
    (folder / "customer/c.json").write_text(
        "".join(json.dumps(person) + "\n" for person in people)
        + json.dumps(people[0] | {"lastUpdateDate": "canaryjunk"})
        + "\n"
    )
    (folder / "accelerometer/a.json").write_text("\n".join([*map(json.dumps, phone), *dirt]) + "\n")
    (folder / "accelerometer/b.json").write_bytes(b'\xff{"user": "canaryemail1@example.org"}\n')
    (folder / "step_trainer/s.json").write_text(
        "".join(json.dumps(step) + "\n" for step in steps)
        + '{"serialNumber": "ca0a41e5-0000", "sensorReadingTime": 1.5}\n'
    )
    return folder


def found_in(text: str | bytes) -> set[str]:
    """The canaries that a text holds, in any case."""
    told = text.decode("latin-1") if isinstance(text, bytes) else text
    return {canary for canary in CANARIES if canary in told.lower()}


COMMANDS = [
    ("run", "--landing", "feeds"),
    ("run", "--landing", "feeds", "--dry-run"),
    ("run", "--landing", "feeds", "--policy", "seed"),
    ("run", "--landing", "feeds", "--full"),
    ("tables",),
    ("tables", "--as-of", "1"),
    ("show", "customer_landing"),
    ("show", "customer_trusted"),
    ("show", "accelerometer_trusted"),
    ("show", "customers_curated"),
    ("show", "device_sessions"),
    ("show", "quarantine"),
    ("show", "machine_learning_curated"),
    ("show", "runs"),
    ("show", "landed_files"),
    ("runs",),
    ("quarantine", "list"),
    ("quarantine", "show"),
    ("devices",),
    ("devices", "--all"),
    ("doctor",),
    ("query", "SELECT * FROM machine_learning_curated"),
]
#: Queries that fail on a value: the value may not be quoted.
FAILING = [
    "SELECT CAST(email AS INTEGER) FROM customer_trusted",
    'SELECT CAST("user" AS TIMESTAMP) FROM accelerometer_trusted',
    "SELECT strptime(phone, '%Y') FROM customer_trusted",
    "SELECT CAST(raw AS JSON) FROM quarantine",
    "SELECT json_extract(raw, '$.a') FROM quarantine",
    "SELECT regexp_matches('a', email || '(') FROM customer_trusted",
    "SELECT CAST(email AS UUID) FROM customers_curated",
    'SELECT chr(CAST("lastUpdateDate" AS INTEGER) - 99) || email FROM customer_trusted WHERE CAST(phone AS TINYINT) > 0',
]


def test_no_command_shows_a_personal_value(cli: Cli, feeds: Path) -> None:
    for command in COMMANDS:
        for flags in ((), ("--json",)):
            said = cli(*command, *flags)
            assert said.code == 0, (command, said.err)
            assert found_in(said.out + said.err) == set(), (command, flags)


def test_what_is_asked_for_is_shown(cli: Cli, feeds: Path) -> None:
    """The canaries are there: the test above can fail."""
    cli("run", "--landing", "feeds")
    asked = [
        ("query", "SELECT * FROM customer_trusted", "--format", "csv"),
        ("show", "customer_trusted", "--show-personal"),
        ("quarantine", "show", "--raw"),
        ("devices", "--show-personal"),
    ]
    assert set.union(*(found_in(cli(*command).out) for command in asked)) == set(CANARIES)


@pytest.mark.parametrize("sql", FAILING)
def test_no_error_quotes_a_personal_value(cli: Cli, feeds: Path, sql: str) -> None:
    cli("run", "--landing", "feeds")
    said = cli("query", sql)
    assert found_in(said.err.replace(sql, "")) == set()
    if said.code:
        assert said.code == stedi.QueryError.exit_code
        assert said.out == ""


def test_no_file_name_or_metadata_holds_a_personal_value(cli: Cli, feeds: Path, tmp_path: Path) -> None:
    for policy in ("seed", "strict"):
        assert cli("run", "--landing", "feeds", "--policy", policy).code == 0
    searched = 0
    for path in (tmp_path / "lakehouse").rglob("*"):
        assert found_in(str(path.relative_to(tmp_path))) == set()
        if path.is_file() and path.suffix != ".parquet":
            searched += 1
            for content in (path.read_bytes(), *_unpacked(path)):
                assert found_in(content) == set(), path.relative_to(tmp_path)
    assert searched > 60


def test_the_training_table_holds_no_personal_value(cli: Cli, feeds: Path, tmp_path: Path) -> None:
    cli("run", "--landing", "feeds")
    folder = tmp_path / "lakehouse/warehouse/stedi/machine_learning_curated"
    held = stedi.open_lakehouse().table("machine_learning_curated").to_arrow()
    assert held.num_rows == 8  # the third person's; the session of the other two is ambiguous
    assert found_in(repr(held.to_pylist())) == set()
    for path in folder.rglob("*.parquet"):
        assert found_in(path.read_bytes()) == set()


def _unpacked(path: Path) -> Iterator[bytes]:
    """What an Avro file (a manifest, a manifest list) holds, decoded."""
    if path.suffix == ".avro":
        from polars import read_avro

        yield repr(read_avro(path).to_dicts()).encode()
