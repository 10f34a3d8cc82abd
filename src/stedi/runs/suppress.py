"""Keep out records of people who were erased, when they are delivered again (SPEC 6).

A record is kept out when its customer is on the register; but one that registered after the erasure is a new person, and their readings
count from that registration on. The readings of devices are kept out where they fall into a session that went with an erased person.
"""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from stedi.privacy.register import Register
from stedi.privacy.subjects import Subjects, words
from stedi.runs.stage import Stage

_MARK = """sha256(k."outerPad" || unhex(sha256(k."innerPad" || encode('{kind}:' || {value}))))"""
_CONDITIONS = {
    "customer_landing": 'EXISTS (SELECT 1 FROM suppressed_customers AS s WHERE s."customer" = t."_customer"'
    ' AND NOT coalesce(t."registrationDate" > s."erasedAt", FALSE))',
    "accelerometer_landing": 'EXISTS (SELECT 1 FROM suppressed_customers AS s WHERE s."customer" = t."_customer"'
    ' AND NOT coalesce(t."timestamp" >= s."returnedAt", FALSE))',
    "step_trainer_landing": 'EXISTS (SELECT 1 FROM suppressed_sessions AS s WHERE s."serialNumber" = t."serialNumber"'
    ' AND t."sensorReadingTime" BETWEEN s."start" AND s."end")',
    "quarantine": 'EXISTS (SELECT 1 FROM suppressed_texts AS s WHERE s."_file" = t."_file" AND s."_row" = t."_row")',
}


def suppress(
    stage: Stage, added: dict[str, list[str]], register: Register
) -> tuple[dict[str, list[str]], Counter[str]]:
    """Take out of staged files, by table, what is to be kept out.

    Returns:
        The files without it, and the number of records that were kept out, by landing file and table: `TABLE PATH`.
    """
    for name, rows in register.relations().items():
        stage.engine.use_rows(name, rows)
    for table in _CONDITIONS:
        stage.engine.use_files(f"arriving_{table}", added.get(table, []), stage.contracts[table], located=True)
    _recognise(stage, register)
    kept, counts = dict(added), Counter[str]()
    for table, condition in _CONDITIONS.items():
        found = stage.engine.query(
            f'SELECT "_source_file" AS "path", count(*) AS "records" FROM arriving_{table} AS t WHERE {condition} GROUP BY 1'
        ).to_pylist()
        if found:
            counts.update({f"{table} {row['path']}": row["records"] for row in found})
            columns = ", ".join(f't."{c.name}"' for c in stage.contracts[table].columns)
            select = f"SELECT {columns} FROM arriving_{table} AS t WHERE NOT {condition}"
            kept[table] = list(stage.write(table, select, "heeded", 0))
            for path in added[table]:
                stage.engine.discard(path)
    return kept, counts


def _recognise(stage: Stage, register: Register) -> None:
    engine = stage.engine
    engine.use_files("known_customers", stage.files_before("customer_landing"), stage.contracts["customer_landing"])
    engine.keep(
        "suppressed_customers",
        f"""
        WITH arriving AS (
          SELECT "_customer" AS "customer" FROM arriving_customer_landing
          UNION SELECT "_customer" FROM arriving_accelerometer_landing
        ), recognised AS (
          SELECT a."customer", e."erasedAt"
          FROM arriving AS a CROSS JOIN register_key AS k
          INNER JOIN erased AS e ON e."mark" = {_MARK.format(kind="subject", value='a."customer"')}
        ), registered AS (
          SELECT "_customer" AS "customer", "registrationDate" FROM known_customers
          UNION ALL SELECT "_customer", "registrationDate" FROM arriving_customer_landing
        )
        SELECT r."customer", r."erasedAt",
          min(CASE WHEN g."registrationDate" > r."erasedAt" THEN g."registrationDate" END) AS "returnedAt"
        FROM recognised AS r LEFT JOIN registered AS g ON g."customer" = r."customer"
        GROUP BY r."customer", r."erasedAt\"""",
    )
    engine.keep(
        "suppressed_sessions",
        f"""
        SELECT d."serialNumber", e."start", e."end"
        FROM (SELECT DISTINCT "serialNumber" FROM arriving_step_trainer_landing) AS d CROSS JOIN register_key AS k
        INNER JOIN erased_sessions AS e ON e."mark" = {_MARK.format(kind="device", value='d."serialNumber"')}""",
    )
    texts = engine.query('SELECT "feed", "raw", "_file", "_row" FROM arriving_quarantine')
    theirs = [
        _names_erased(register, str(feed), raw or "")
        for feed, raw in zip(texts["feed"].to_pylist(), texts["raw"].to_pylist(), strict=True)
    ]
    engine.use_rows("suppressed_texts", texts.select(["_file", "_row"]).filter(pa.array(theirs, pa.bool_())))


def _names_erased(register: Register, feed: str, raw: str) -> bool:
    found = words(raw)
    emails = [word for word in found if register.erased_at(word) is not None]
    sessions = {word: register.sessions_of(word) for word in found} if feed == "step_trainer" else {}
    windows = [window for known, _ in sessions.values() for window in known]
    devices = [device for device, (_, alone) in sessions.items() if alone]
    return bool(emails or windows) and Subjects(emails, windows, (), devices).own(feed, raw)
