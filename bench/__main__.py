"""Time whole commands, as a user waits for them: start of the process to its end.

    python -m bench                      the real feeds, both policies, and the commands that only read
    python -m bench --simulated 100000   the same on simulated feeds of that many customers
    python -m bench.incremental          what a change costs beside a full run, see there

Each command runs `--runs` times after one warm-up. Wall time, processor time and peak memory are those that the operating system accounts
to the finished process; minimum, median and maximum are printed, and written to `bench/out/` as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
REAL_FEEDS = HERE.resolve().parents[1] / "shared" / "data" / "stedi-2023"
STEDI = str(Path(sys.executable).with_name("stedi"))


@dataclass(frozen=True)
class Figure:
    """Minimum, median and maximum of several runs."""

    lowest: float
    median: float
    highest: float

    @classmethod
    def of(cls, values: list[float]) -> Figure:
        """The figure of some values, rounded to thousandths."""
        return cls(round(min(values), 3), round(statistics.median(values), 3), round(max(values), 3))


@dataclass(frozen=True)
class Measured:
    """One command: seconds of wall and processor time, peak memory in MB."""

    name: str
    runs: int
    wall_s: Figure
    processor_s: Figure
    peak_mb: Figure


def measure(name: str, command: list[str], runs: int, before: Callable[[], None]) -> Measured:
    """Run a command once to warm up and then `runs` times, each after `before`."""
    found = []
    for number in range(runs + 1):
        before()
        figures = once(command)
        if number:
            found.append(figures)
    wall, processor, peak = (Figure.of([one[at] for one in found]) for at in range(3))
    return Measured(name, runs, wall, processor, peak)


def once(command: list[str], folder: Path | None = None) -> tuple[float, float, float]:
    """Run a command in a folder: seconds of wall and processor time, peak memory in MB."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit code {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def suite(feeds: Path, folder: Path, runs: int) -> list[Measured]:
    """What a user waits for: a first run under both policies, a run with nothing new, and the commands that only read."""
    lake = folder / "lake"

    def fresh() -> None:
        shutil.rmtree(lake, ignore_errors=True)

    def kept() -> None:
        if not lake.exists():
            subprocess.run(run, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run = [STEDI, "run", "--landing", str(feeds), "--lakehouse", str(lake)]
    at = ["--lakehouse", str(lake)]
    count = "SELECT count(*) FROM machine_learning_curated"
    return [
        measure("stedi run --policy seed", [*run, "--policy", "seed"], runs, fresh),
        measure("stedi run", run, runs, fresh),
        measure("stedi run, nothing new", run, runs, kept),
        measure("stedi tables", [STEDI, "tables", *at], runs, kept),
        measure("stedi query", [STEDI, "query", count, *at], runs, kept),
        measure("stedi --help", [STEDI, "--help"], runs, kept),
    ]


def show(title: str, measured: list[Measured]) -> None:
    """Print the figures as a Markdown table."""
    print(f"\n{title}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| command | wall, s: median (min to max) | processor, s | peak memory, MB |")
    print("|---|---|---|---|")
    for one in measured:
        wall = one.wall_s
        print(
            f"| `{one.name}` | {wall.median:.2f} ({wall.lowest:.2f} to {wall.highest:.2f})"
            f" | {one.processor_s.median:.2f} | {one.peak_mb.median:.0f} |"
        )


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--simulated", type=int, metavar="CUSTOMERS", help="simulated feeds of so many customers")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command (default 5)")
    chosen = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as on a user's machine
    with tempfile.TemporaryDirectory(prefix="stedi-bench-") as name:
        folder = Path(name)
        feeds, title = REAL_FEEDS, "stedi-2023"
        if chosen.simulated:
            feeds, title = folder / "feeds", f"{chosen.simulated:,} simulated customers"
            subprocess.run([STEDI, "simulate", str(feeds), "--customers", str(chosen.simulated)], check=True)
        elif not feeds.is_dir():
            raise SystemExit(f"{feeds} is missing: use --simulated CUSTOMERS")
        measured = suite(feeds, folder, chosen.runs)
    show(title, measured)
    out = HERE / "out"
    out.mkdir(exist_ok=True)
    kept = out / f"{title.replace(' ', '-').replace(',', '')}.json"
    kept.write_text(json.dumps({"title": title, "measured": [asdict(one) for one in measured]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
