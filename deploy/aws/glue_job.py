"""The job that Glue runs: one run of the lakehouse, or its upkeep, through the public door.

Arguments, as Glue passes them:
    --stedi-settings   settings by name, as a JSON object: what `stedi.toml` would hold, `"engine": "spark"` among them.
    --stedi-command    a JSON list that begins with `run` or `maintain`; `--wait SECONDS` may follow `run`.

Prints one line of JSON: what `stedi run --json` prints, but for the names of files; or the error. CloudWatch makes metrics of it. The job
fails when the run does.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

import stedi

if TYPE_CHECKING:
    from stedi import Lakehouse


def main(arguments: list[str]) -> int:
    """Do what the arguments ask for; returns the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--stedi-settings", type=json.loads, required=True)
    parser.add_argument("--stedi-command", type=json.loads, default=["run"])
    # Glue adds arguments of its own, such as --JOB_NAME and --JOB_RUN_ID.
    asked, _ = parser.parse_known_args(arguments)
    try:
        told = _done(stedi.open_lakehouse(**asked.stedi_settings), asked.stedi_command)
    except stedi.StediError as error:
        _print({"error": error.as_dict()})
        return error.exit_code
    _print(told)
    return 0


def _done(lake: Lakehouse, command: list[str]) -> dict[str, Any]:
    if command[0] == "maintain":
        upkeep = lake.maintain()
        return {"expiredRuns": list(upkeep.expired), "merged": sorted(upkeep.merged)}
    wait_s = float(command[command.index("--wait") + 1]) if "--wait" in command else 0
    result = lake.run(wait_s=wait_s)
    return {
        "policy": result.policy,
        "upToDate": result.run is None,
        "run": result.run,
        "seconds": result.seconds,
        "report": result.report or None,
        "completedErasure": result.completed_erasure,
    }


def _print(facts: dict[str, Any]) -> None:
    print(json.dumps(facts, ensure_ascii=False), flush=True)  # noqa: T201


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if code:
        sys.exit(code)
