"""What the product's tables hold, in the shape in which the oracle says what they must hold."""

from __future__ import annotations

import hashlib
import hmac
from copy import copy

import pyarrow as pa
import pyarrow.parquet as pq
from oracle import Row, in_order

import stedi
from stedi.catalog.published import read_published

CUSTOMER = (
    "customerName",
    "email",
    "phone",
    "birthDay",
    "serialNumber",
    "registrationDate",
    "lastUpdateDate",
    "shareWithResearchAsOfDate",
    "shareWithPublicAsOfDate",
    "shareWithFriendsAsOfDate",
)
READING = ("user", "timestamp", "x", "y", "z")
EVIDENCE = (
    "serialNumber",
    "sessionStart",
    "sessionEnd",
    "customer",
    "matches",
    "deviceReadings",
    "customerReadings",
    "clockOffsetMs",
    "evidence",
)
STEP = ("sensorReadingTime", "serialNumber", "distanceFromObject")
PLACE = ("_source_file", "_source_line")


def tables_of(lake: stedi.Lakehouse | Read, policy: str) -> dict[str, list[Row]]:
    """Every table of a lakehouse, as `oracle.expected` gives them; pseudonyms are led back with the key."""
    columns = {
        "customer_landing": (*CUSTOMER, *PLACE),
        "accelerometer_landing": (*READING, *PLACE),
        "step_trainer_landing": (*STEP, *PLACE),
        "quarantine": ("feed", *PLACE),
        "customer_trusted": CUSTOMER,
        "accelerometer_trusted": READING,
        "session_evidence": EVIDENCE,
        "step_trainer_trusted": STEP,
        "customers_curated": CUSTOMER
        if policy == "seed"
        else ("email", "serialNumber", "assignedSerialNumber", "assignedDevices"),
    }
    found = {name: rows(lake, name, names) for name, names in columns.items()}
    found["consent_history"] = in_order(_history(lake))
    found["device_sessions"] = in_order([_session(row) for row in lake.table("device_sessions").to_arrow().to_pylist()])
    if policy == "seed":
        found["machine_learning_curated"] = rows(lake, "machine_learning_curated", (*STEP, *READING))
    else:
        found["machine_learning_curated"] = in_order(_unmasked(lake))
    return found


class Read:
    """The tables of a lakehouse as of the last run, straight from their Parquet files: many small tables are read quickly this way."""

    def __init__(self, lake: stedi.Lakehouse) -> None:
        self.settings = lake.settings
        published = read_published(lake.folder)
        assert published is not None
        self.names = [info.name for info in lake.tables() if info.zone != "records"]
        self._found = {
            name: pq.ParquetDataset(published.files[name]).read()
            if published.files[name]
            else pa.table({column.name: [] for column in lake.contract(name).columns})
            for name in self.names
        }

    def table(self, name: str) -> Read:
        """The same, about one table."""
        one = copy(self)
        one._found = {name: self._found[name]}
        return one

    def to_arrow(self) -> pa.Table:
        """The rows of the table that `table` chose."""
        (found,) = self._found.values()
        return found


def rows(lake: stedi.Lakehouse | Read, table: str, columns: tuple[str, ...]) -> list[Row]:
    """Rows of a table in the oracle's order."""
    return in_order([tuple(row[name] for name in columns) for row in lake.table(table).to_arrow().to_pylist()])


def _history(lake: stedi.Lakehouse | Read) -> list[Row]:
    """Instants of ingestion are told as the oracle tells runs: by their number among those of customer_landing."""
    landed = lake.table("customer_landing").to_arrow()["_ingested_at"].to_pylist()
    numbers = {at: number for number, at in enumerate(sorted(set(landed)))}
    columns = ("customer", "decision", "shareWithResearchAsOfDate", "lastUpdateDate", *PLACE)
    return [
        (*(row[name] for name in columns), numbers[row["_ingested_at"]])
        for row in lake.table("consent_history").to_arrow().to_pylist()
    ]


def _session(row: dict[str, object]) -> Row:
    place = (row["serialNumber"], row["sessionStart"], row["sessionEnd"], row["status"])
    if row["status"] == "ambiguous":
        return (*place, None, None, None, None, None)  # type: ignore[return-value]
    evidence = ("customer", "matches", "deviceReadings", "customerReadings", "registered")
    return (*place, *(row[name] for name in evidence))  # type: ignore[return-value]


def _unmasked(lake: stedi.Lakehouse | Read) -> list[Row]:
    key = bytes.fromhex(lake.settings.key_file.read_text().strip())

    def named(kind: str, value: object) -> str:
        return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()

    sessions = {
        (
            named("subject", row["customer"]),
            named("device", row["serialNumber"]),
            named("session", f"{row['serialNumber']}:{row['sessionStart']}"),
        ): (row["customer"], row["serialNumber"], row["sessionStart"])
        for row in lake.table("device_sessions").to_arrow().to_pylist()
        if row["status"] == "assigned"
    }
    return [
        (
            *sessions[row["subjectId"], row["deviceId"], row["sessionId"]],
            row["sensorReadingTime"],
            row["distanceFromObject"],
            row["x"],
            row["y"],
            row["z"],
        )
        for row in lake.table("machine_learning_curated").to_arrow().to_pylist()
    ]


def differences(found: dict[str, list[Row]], expected: dict[str, list[Row]]) -> dict[str, str]:
    """Tables that differ, each with the first rows that only one side has."""
    told = {}
    for name, rows_expected in expected.items():
        if found[name] != rows_expected:
            only_found = [row for row in found[name] if row not in rows_expected][:3]
            only_expected = [row for row in rows_expected if row not in found[name]][:3]
            told[name] = (
                f"{len(found[name])} rows, expected {len(rows_expected)}; only found {only_found}; only expected {only_expected}"
            )
    return told
