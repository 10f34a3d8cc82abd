"""Where the seconds of `stedi run` go, step by step, beside the same steps of the usual chain in a bare DuckDB.

    python -m bench.steps --customers 100000
    python -m bench.steps --feeds DIR --memory-limit 4GB

Wall and processor time of each step of a first run, and the share of all of it that finding out whose device it is takes. Processor time
says more on a machine that does other work besides. The usual chain stands beside the steps that it has, too; the others are what it does
not do. Both are processes of their own. Prints a Markdown table, and writes `bench/out/steps.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.__main__ import HERE, STEDI
from bench.rivals import plain
from bench.rivals.bare import Bare
from bench.rivals.job import FIELDS

#: A step, its seconds of wall time, and those of the processors.
Step = tuple[str, float, float]
#: Steps of a run as they are shown; every other is shown by its own name. `landing` is shown as what it consists of.
SHOWN = {
    "reading": "landing: hash and count the files, parse JSON, write and prove",
    "session_evidence": "identity: the evidence",
    "device_sessions": "identity: the decision",
    "withheld": "books: what is withheld, and why",
    "commit": "commit",
}
IDENTITY = ("session_evidence", "device_sessions")


class Clock:
    """Notes what steps take."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note what a step takes."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.steps.append((name, time.perf_counter() - wall, time.process_time() - processor))


def of_run(feeds: Path, out: Path, memory_limit: str) -> list[Step]:
    """The steps of a first run."""
    clock = Clock()
    with clock.timed("start"):  # imports
        import stedi
        from stedi.runs.run import execute_run
        from stedi.runs.stage import Stage

    assert execute_run
    out.mkdir(parents=True)
    Stage.timed = lambda _, name: clock.timed(name)  # type: ignore[method-assign, assignment, misc]
    with clock.timed("all"):
        stedi.open_lakehouse(out / "lake", memory_limit=memory_limit).run(feeds)
    start, *steps, (_, wall, processor) = clock.steps
    rest = ("other", wall - sum(s[1] for s in steps), processor - sum(s[2] for s in steps))
    return [start, *(("reading", *s[1:]) if s[0] == "landing" else s for s in steps), rest]


def of_plain(feeds: Path, out: Path, memory_limit: str) -> list[Step]:
    """The steps of the usual chain."""
    clock = Clock()
    bare = Bare(out, memory_limit)
    with clock.timed("reading"):
        for feed in FIELDS:
            bare.land(feeds, feed)
    for name, select in plain.MODELS.items():
        with clock.timed(name):
            bare.write(name, select)
    bare.close()
    return clock.steps


BOTH: dict[str, Callable[[Path, Path, str], list[Step]]] = {"run": of_run, "plain": of_plain}


def table(run: list[Step], chain: list[Step]) -> str:
    """Both, step by step, in Markdown; and how much of the run is identity."""
    beside = {name: (wall, processor) for name, wall, processor in chain}
    all_wall, all_processor = (sum(step[at] for step in run) for at in (1, 2))
    lines = [
        "| step of `stedi run` | wall, s | processor, s | of the run | usual chain: wall, s | processor, s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, wall, processor in run:
        theirs = "{:.2f} | {:.2f}".format(*beside[name]) if name in beside else "- | -"
        share = f"{100 * processor / all_processor:.0f} %"
        lines.append(f"| {SHOWN.get(name, f'`{name}`')} | {wall:.2f} | {processor:.2f} | {share} | {theirs} |")
    sums = "{:.2f} | {:.2f}".format(*(sum(step[at] for step in chain) for at in (1, 2)))
    lines.append(f"| **all** | {all_wall:.2f} | {all_processor:.2f} | 100 % | {sums} |")
    wall, processor = (sum(step[at] for step in run if step[0] in IDENTITY) for at in (1, 2))
    lines.append(
        f"\nIdentity takes {100 * wall / all_wall:.0f} % of the wall time, {100 * processor / all_processor:.0f} % of the processor's."
    )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description=__doc__)
    parser.add_argument("--feeds", type=Path, help="clean feeds that are there")
    parser.add_argument("--customers", type=int, default=10_000, help="else simulate feeds of so many customers")
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--only", choices=tuple(BOTH), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(BOTH[options.only](options.feeds, options.out, options.memory_limit)))
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    found: dict[str, Any] = {}
    try:
        feeds = options.feeds or folder / "feeds"
        if options.feeds is None:
            clean = ["--dirty-share", "0", "--duplicate-rate", "0", "--compressed-share", "0"]
            subprocess.run([STEDI, "simulate", str(feeds), "--customers", str(options.customers), *clean], check=True)
        for name in BOTH:
            command = [sys.executable, "-m", "bench.steps", "--only", name, "--feeds", str(feeds.absolute())]
            command += ["--out", str(folder / name), "--memory-limit", options.memory_limit]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=HERE.resolve().parent)
            found[name] = json.loads(done.stdout)
            shutil.rmtree(folder / name, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(table(found["run"], found["plain"]))
    (HERE / "out").mkdir(exist_ok=True)
    (HERE / "out" / "steps.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
