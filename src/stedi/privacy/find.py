"""Where a person is (SPEC 6): which rows of every table are there because of them.

The engine is told whom it is about in relations, never in SQL:

- `subjects`          customer, and the pseudonym of each
- `subject_windows`   device, start and end of every session that was assigned to one of them in a run that can still be read
- `other_windows`     the same of everybody else, as of the run
- `subject_devices`   serial numbers of devices that nobody else used
- `their_quarantine`  file and row of quarantined records that are theirs
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from stedi.contracts import Policy, contracts
from stedi.engines.sql import customer_of
from stedi.privacy.pseudonyms import pseudonym

if TYPE_CHECKING:
    from stedi.engines.base import Engine
    from stedi.privacy.subjects import Subjects, Window


def _is_theirs(expression: str, column: str = "customer") -> str:
    return f'EXISTS (SELECT 1 FROM subjects AS s WHERE s."{column}" = {expression})'


def _in_window(relation: str) -> str:
    return (
        f'EXISTS (SELECT 1 FROM {relation} AS w WHERE w."serialNumber" = t."serialNumber"'
        ' AND t."sensorReadingTime" BETWEEN w."sessionStart" AND w."sessionEnd")'
    )


#: The step trainer readings in their sessions, but for those that are somebody else's by now.
READINGS = f"{_in_window('subject_windows')} AND NOT {_in_window('other_windows')}"
_USER = customer_of('t."user"')
_CUSTOMER = _is_theirs('t."customer"')
_NAMED = _is_theirs('t."_customer"')
#: As of the last run nothing else names such a device; in an earlier run something may.
_OF_DEVICE = 'EXISTS (SELECT 1 FROM subject_devices AS d WHERE d."serialNumber" = t."serialNumber")'
#: Per table the condition that a row `t` is there because of them.
_CONDITIONS = {
    "customer_landing": f"{_NAMED} OR {_OF_DEVICE}",
    "accelerometer_landing": _NAMED,
    "step_trainer_landing": f"({READINGS}) OR {_OF_DEVICE}",
    "quarantine": 'EXISTS (SELECT 1 FROM their_quarantine AS q WHERE q."_file" = t."_file" AND q."_row" = t."_row")',
    "customer_trusted": _CUSTOMER,
    "consent_history": _CUSTOMER,
    "accelerometer_trusted": _CUSTOMER,
    "session_evidence": _CUSTOMER,
    "device_sessions": " OR ".join(_is_theirs(f't."{name}"') for name in ("customer", "candidate", "rival")),
    "customers_curated": _CUSTOMER,
}
_BY_POLICY = {
    "strict": {
        "step_trainer_trusted": _CUSTOMER,
        "machine_learning_curated": _is_theirs('t."subjectId"', "pseudonym"),
    },
    "seed": {
        "step_trainer_trusted": READINGS,
        "machine_learning_curated": f"{_is_theirs(_USER)} OR ({READINGS})",
    },
}


def conditions(policy: Policy) -> dict[str, str]:
    """Per table the condition that a row `t` is there because of the people in `subjects`."""
    found = _CONDITIONS | _BY_POLICY[policy]
    return {name: found[name] for name in contracts(policy) if name in found}


def use_subjects(engine: Engine, customers: Iterable[str], key: bytes) -> None:
    """Tell the engine whom it is about."""
    names = sorted(customers)
    marks = [pseudonym(key, "subject", name) for name in names]
    engine.use_rows(
        "subjects", pa.table({"customer": pa.array(names, pa.string()), "pseudonym": pa.array(marks, pa.string())})
    )


def use_sessions(engine: Engine, now: Sequence[str], ever: Sequence[str], policy: Policy) -> None:
    """Tell the engine which sessions were theirs in any of the data files `ever`, and which are somebody else's in those of `now`."""
    contract = contracts(policy)["device_sessions"]
    for name, files in (("sessions_now", now), ("sessions_ever", ever)):
        engine.use_files(name, files, contract)
    columns = '"serialNumber", "sessionStart", "sessionEnd"'
    engine.keep("subject_windows", f"SELECT DISTINCT {columns} FROM sessions_ever AS t WHERE {_CUSTOMER}")
    engine.keep(
        "other_windows",
        f"SELECT {columns} FROM sessions_now AS t WHERE t.\"status\" = 'assigned' AND NOT {_CUSTOMER}"
        ' AND EXISTS (SELECT 1 FROM subject_windows AS w WHERE w."serialNumber" = t."serialNumber")',
    )


def windows(engine: Engine, relation: str) -> list[Window]:
    """The sessions in `subject_windows` or `other_windows`."""
    found = engine.query(f'SELECT "serialNumber", "sessionStart", "sessionEnd" FROM {relation}')
    return list(zip(*found.to_pydict().values(), strict=True))


def devices(engine: Engine) -> list[str]:
    """Devices that leave no reading of anybody else behind, and that nobody else's record names."""
    found = engine.query(
        f"""SELECT DISTINCT w."serialNumber" FROM subject_windows AS w
        WHERE NOT EXISTS (
            SELECT 1 FROM step_trainer_landing AS t WHERE t."serialNumber" = w."serialNumber" AND NOT ({READINGS}))
          AND NOT EXISTS (
            SELECT 1 FROM customer_landing AS t
            WHERE t."serialNumber" = w."serialNumber" AND NOT {_NAMED})""",
    )
    return sorted(str(serial) for serial in found["serialNumber"].to_pylist())


def use_devices(engine: Engine, serials: Iterable[str]) -> None:
    """Tell the engine which devices nobody else used."""
    engine.use_rows("subject_devices", pa.table({"serialNumber": pa.array(sorted(serials), pa.string())}))


def use_quarantine(engine: Engine, subjects: Subjects, files: Sequence[str], policy: Policy) -> None:
    """Tell the engine which quarantined records are theirs: their text says so, and only a look at it tells."""
    engine.use_files("quarantine_texts", files, contracts(policy)["quarantine"], located=True)
    rows = engine.query('SELECT "feed", "raw", "_file", "_row" FROM quarantine_texts')
    raw = [(text or "").encode() for text in rows["raw"].to_pylist()]
    hits = subjects.hits(raw) if raw else []
    theirs = [hit and subjects.own(rows["feed"][i].as_py(), raw[i].decode()) for i, hit in enumerate(hits)]
    mask = pa.array(theirs, pa.bool_())
    engine.use_rows("their_quarantine", rows.select(["_file", "_row"]).filter(mask))
