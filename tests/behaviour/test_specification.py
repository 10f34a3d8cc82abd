"""SPEC section 4: the real feeds come out with the numbers of the specification, under both policies."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

import stedi

#: SPEC section 4, rows on stedi-2023; and one decision of each of the 956 customers.
ROWS = {
    "seed": {
        "customer_landing": 956,
        "accelerometer_landing": 81_273,
        "step_trainer_landing": 28_680,
        "quarantine": 0,
        "consent_history": 956,
        "customer_trusted": 482,
        "accelerometer_trusted": 40_981,
        "device_sessions": 0,
        "customers_curated": 482,
        "step_trainer_trusted": 14_460,
        "machine_learning_curated": 43_681,
    },
    "strict": {
        "customer_landing": 956,
        "accelerometer_landing": 81_273,
        "step_trainer_landing": 28_680,
        "quarantine": 0,
        "consent_history": 956,
        "customer_trusted": 482,
        "accelerometer_trusted": 32_025,
        "device_sessions": 464,
        "customers_curated": 464,
        "step_trainer_trusted": 11_297,
        "machine_learning_curated": 32_025,
    },
}


@pytest.mark.parametrize("policy", ["strict", "seed"])
def test_rows_of_every_table(request: pytest.FixtureRequest, policy: str) -> None:
    lake: stedi.Lakehouse = request.getfixturevalue(f"{policy}_lake")
    counted = {name: lake.table(name).to_arrow().num_rows for name in ROWS[policy]}
    assert counted == ROWS[policy]
    assert {info.name: info.rows for info in lake.tables() if info.name in ROWS[policy]} == ROWS[policy]


def test_every_session_is_assigned_to_the_customer_who_has_the_device(strict_lake: stedi.Lakehouse) -> None:
    # In stedi-2023 the registered numbers happen to be right: 464 of 464 get their device, none a wrong one (SPEC 5).
    sessions = strict_lake.query(
        'SELECT count(*) AS sessions, count(*) FILTER (c."serialNumber" = d."serialNumber") AS "right",'
        ' count(*) FILTER (d."registered") AS registered, count(DISTINCT d."customer") AS customers'
        " FROM device_sessions AS d LEFT JOIN customer_trusted AS c ON c.customer = d.customer WHERE d.status = 'assigned'"
    )
    assert sessions.to_arrow().to_pylist() == [{"sessions": 464, "right": 464, "registered": 0, "customers": 464}]


def test_readings_before_consent_are_kept_out(strict_lake: stedi.Lakehouse) -> None:
    # 40,981 under seed, 32,025 under strict: 8,956 readings were taken before consent (SPEC 4).
    assert strict_lake.runs()[-1].report["withheld"]["accelerometer"]["before consent"] == 8_956


def test_seed_pairs_readings_with_the_wrong_person(seed_lake: stedi.Lakehouse) -> None:
    # SPEC 3: 2,700 of the 43,681 rows join one person's steps with somebody else's movement.
    wrong = seed_lake.query(
        "SELECT count(*) AS wrong FROM machine_learning_curated AS m"
        ' INNER JOIN customer_trusted AS c ON c."serialNumber" = m."serialNumber"'
        ' WHERE c."customer" <> lower(m."user")'
    )
    assert wrong.to_arrow().to_pylist() == [{"wrong": 2_700}]


def test_reused_serial_numbers_change_nothing(stedi_2023: Path, strict_lake: stedi.Lakehouse, tmp_path: Path) -> None:
    """Under strict, the same training rows when every customer carries one of 30 serial numbers (SPEC 4)."""
    feeds = _with_30_serial_numbers(stedi_2023, tmp_path / "feeds")
    key = Path(str(strict_lake.folder) + ".key")
    lake = stedi.open_lakehouse(tmp_path / "lake", pseudonym_key=key)
    lake.run(feeds)
    assert {info.name: info.rows for info in lake.tables() if info.name in ROWS["strict"]} == ROWS["strict"]
    for table in ("machine_learning_curated", "device_sessions", "step_trainer_trusted", "accelerometer_trusted"):
        assert _sorted(lake, table) == _sorted(strict_lake, table)


def _sorted(lake: stedi.Lakehouse, table: str) -> list[tuple[object, ...]]:
    return sorted((tuple(row.values()) for row in lake.table(table).to_arrow().to_pylist()), key=repr)


def _with_30_serial_numbers(source: Path, target: Path) -> Path:
    numbers = [str(uuid.UUID(int=number)) for number in range(30)]
    for feed in ("accelerometer", "step_trainer"):
        target.mkdir(exist_ok=True)
        (target / feed).symlink_to(source / feed)
    (target / "customer").mkdir()
    with (target / "customer" / "customers.json").open("w") as out:
        for path in sorted((source / "customer").rglob("*.json")):
            for number, line in enumerate(path.read_text().splitlines()):
                out.write(json.dumps(json.loads(line) | {"serialNumber": numbers[number % 30]}) + "\n")
    return target
