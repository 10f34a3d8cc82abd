"""(b2) The usual chain in a bare DuckDB: the same as the other engines run, without identity."""

from __future__ import annotations

from pathlib import Path

from bench.rivals.bare import Bare
from bench.rivals.job import FIELDS, NEWEST, start

_NEWEST = ", ".join(f'"{name}" DESC NULLS LAST' for name in NEWEST)
#: Tables in the order in which they are built.
MODELS = {
    "customer_trusted": f"""SELECT * FROM (
          SELECT * FROM customer_landing QUALIFY row_number() OVER (PARTITION BY "email" ORDER BY {_NEWEST}) = 1
        ) AS c WHERE c."shareWithResearchAsOfDate" > 0""",
    "accelerometer_trusted": """SELECT a."user", a."timestamp", a."x", a."y", a."z"
        FROM accelerometer_landing AS a INNER JOIN customer_trusted AS c ON c."email" = a."user"
        WHERE a."timestamp" >= c."shareWithResearchAsOfDate\"""",
    "customers_curated": """SELECT * FROM customer_trusted AS c
        WHERE EXISTS (SELECT 1 FROM accelerometer_trusted AS a WHERE a."user" = c."email")""",
    "step_trainer_trusted": """SELECT * FROM step_trainer_landing AS s
        WHERE EXISTS (SELECT 1 FROM accelerometer_trusted AS a WHERE a."timestamp" = s."sensorReadingTime")""",
    "machine_learning_curated": """SELECT s."sensorReadingTime", s."serialNumber", s."distanceFromObject", a."user", a."x", a."y", a."z"
        FROM step_trainer_trusted AS s INNER JOIN accelerometer_trusted AS a ON a."timestamp" = s."sensorReadingTime\"""",
}


def run(feeds: Path, out: Path, memory_limit: str) -> None:
    """Write every table of the usual chain."""
    bare = Bare(out, memory_limit)
    for feed in FIELDS:
        bare.land(feeds, feed)
    for name, select in MODELS.items():
        bare.write(name, select)
    bare.close()


if __name__ == "__main__":
    start(run)
