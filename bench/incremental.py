"""What a change costs beside the full run that it saves, on simulated feeds.

    python -m bench.incremental --customers 1000000

1. Simulate feeds, and hold back the last files of readings, 1 % of them for each round.
2. A full run of the rest.
3. Three rounds: a run with nothing new; deliver 1 % more readings; deliver 100 decisions (50 customers withdraw, 50 consent who did not).
4. A full rebuild, which must give every table the same number of rows.

Each run is a process of its own, timed from start to end. Of the rounds the one in the middle counts, as the speed of a machine varies
by more than what is measured here; all are kept. Prints a Markdown table, and writes `bench/out/incremental.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import stedi
from bench.__main__ import HERE, STEDI, once

#: What `shareWithResearchAsOfDate` and `lastUpdateDate` of the decisions say: after every record of the simulator, before every reading.
_LATER_MS, _EARLY_MS = 4_102_444_800_000, 1
ROUNDS = 3


def hold_back(feeds: Path, held: Path, share: float) -> int:
    """Move the last files of both feeds of readings away; returns how many."""
    moved = 0
    for feed in ("accelerometer", "step_trainer"):
        files = sorted((path for path in (feeds / feed).rglob("*") if path.is_file()), key=lambda path: path.name)
        for path in files[-max(1, round(len(files) * share)) :]:
            target = held / path.relative_to(feeds)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
            moved += 1
    return moved


def deliver(held: Path, feeds: Path) -> None:
    """Move files back."""
    for path in [path for path in held.rglob("*") if path.is_file()]:
        path.rename(feeds / path.relative_to(held))


def decide(lake: stedi.Lakehouse, feeds: Path, number: int, turn: int = 0) -> None:
    """Let as many customers withdraw as newly consent, `number` in all; what they say in a later turn is the latest."""
    who = "SELECT {} AS email FROM {} ORDER BY md5({}) LIMIT {}"
    leaving = lake.query(who.format('"email"', "customer_trusted", '"email"', number // 2)).to_arrow()
    others = (
        '(SELECT l."_customer" FROM customer_landing AS l WHERE NOT EXISTS'
        ' (SELECT 1 FROM customer_trusted AS c WHERE c."customer" = l."_customer")) AS o'
    )
    joining = lake.query(who.format('"_customer"', others, '"_customer"', number - number // 2)).to_arrow()
    records = [{"email": email.as_py(), "lastUpdateDate": _LATER_MS + turn} for email in leaving["email"]]
    records += [
        {"email": email.as_py(), "lastUpdateDate": _LATER_MS + turn, "shareWithResearchAsOfDate": _EARLY_MS}
        for email in joining["email"]
    ]
    (feeds / "customer" / f"decisions-{turn}.json").write_text("".join(json.dumps(record) + "\n" for record in records))


def rows(lake: stedi.Lakehouse) -> dict[str, int]:
    """Rows of every table that a rebuild must give again."""
    return {info.name: info.rows for info in lake.tables() if info.zone != "records"}


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.incremental", description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--clean", action="store_true", help="feeds without dirt, duplicates and compression")
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        measured = history(folder, options.customers, clean=options.clean, memory_limit=options.memory_limit)
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    middle = {name: sorted(runs)[len(runs) // 2] for name, runs in measured.items()}
    full = middle["full run"][0]
    print(
        f"\n{options.customers:,} simulated customers\n\n| run | wall, s | of the full run | processor, s | peak memory, MB |"
    )
    print("|---|---|---|---|---|")
    for name, (wall, processor, peak) in middle.items():
        print(f"| {name} | {wall:.1f} | {wall / full:.1%} | {processor:.1f} | {peak:.0f} |")
    (HERE / "out").mkdir(exist_ok=True)
    facts = {"customers": options.customers, "clean": options.clean, "memoryLimit": options.memory_limit}
    (HERE / "out" / "incremental.json").write_text(json.dumps(facts | {"runs": measured}, indent=2))


def history(
    folder: Path, customers: int, *, clean: bool, memory_limit: str
) -> dict[str, list[tuple[float, float, float]]]:
    """Make the runs; returns seconds of wall and processor time and peak memory in MB of each, by name."""
    feeds, held, place = folder / "feeds", folder / "held", folder / "lake"
    (folder / "stedi.toml").write_text(f'memory_limit = "{memory_limit}"\nlakehouse = "{place}"\nlanding = "{feeds}"\n')
    dirt = ["--dirty-share", "0", "--duplicate-rate", "0", "--compressed-share", "0"] if clean else []
    if not feeds.exists():
        once([STEDI, "simulate", str(feeds), "--customers", str(customers), *dirt])
    for turn in range(ROUNDS):
        hold_back(feeds, held / str(turn), 0.01)
    lake = stedi.open_lakehouse(place, landing=feeds, memory_limit=memory_limit)
    run = [STEDI, "run"]
    measured = {"full run": [once(run, folder)], "nothing new": [], "1 % more readings": [], "100 decisions": []}
    for turn in range(ROUNDS):
        measured["nothing new"].append(once(run, folder))
        deliver(held / str(turn), feeds)
        measured["1 % more readings"].append(once(run, folder))
        decide(lake, feeds, 100, turn)
        measured["100 decisions"].append(once(run, folder))
    updated = rows(lake)
    measured["full rebuild"] = [once([*run, "--full"], folder)]
    if rows(lake) != updated:
        raise SystemExit("a rebuild gives other numbers of rows")
    return measured


if __name__ == "__main__":
    main()
