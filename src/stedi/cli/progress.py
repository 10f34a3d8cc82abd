"""Progress bars on stderr, and only where a person watches: never in a pipe, never with `--json`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Called with the name of a step, how much of it is done, and how much there is.
Report = Callable[[str, int, int], None]


@contextmanager
def progress(*, as_json: bool) -> Iterator[Report]:
    """A function that shows how far the work has come; the bar is gone when the block ends."""
    if as_json or not sys.stderr.isatty():
        yield lambda _step, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("starting", total=None)

        def report(step: str, done: int, total: int) -> None:
            bars.update(bar, description=step, completed=done, total=total or None)

        yield report
