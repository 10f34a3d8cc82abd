"""One seam for all that commands print: the same facts as tables for people, or as JSON for machines.

On a terminal tables are drawn with rich and fitted to its width. In a pipe they are plain aligned text, one line per row, nothing cut.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

MASK = "•••"

#: Characters that could move the cursor or turn text around: data is printed, never obeyed.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: Wider than any row, to ask a table how wide it would like to be.
_WIDEST = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Grid:
    """Rows under named columns. A column whose name begins with `>` is aligned to the right; None is printed as `-`.

    With `records`, rows too wide for the terminal are printed one below the other, a line per column.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    records: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the columns, as they are printed."""
        return [name.removeprefix(">") for name in self.columns]


def emit(facts: object, *text: Grid | str, as_json: bool) -> None:
    """Print facts on stdout: as JSON, or as the texts and tables that tell the same."""
    if as_json:
        _print(json.dumps(facts, indent=2, ensure_ascii=False, default=jsonable))
        return
    for number, part in enumerate(text):
        if number:
            _print("")
        if isinstance(part, str):
            _print(part)
        elif sys.stdout.isatty():
            _draw(part)
        else:
            _align(part)


def note(*lines: str) -> None:
    """Words for the person who watches: on stderr."""
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201


def jsonable(value: object) -> object:
    """What JSON has no word for: instants in ISO 8601 (UTC), anything else as text."""
    return iso(value) if isinstance(value, datetime) else str(value)


def iso(instant: datetime) -> str:
    """An instant as JSON holds it: ISO 8601, UTC, to the millisecond."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_of_ms(milliseconds: int | None) -> str | None:
    """An instant in ms since the epoch as ISO 8601; None where there is none, or none that a calendar has."""
    if milliseconds is None:
        return None
    try:
        return iso(_EPOCH + timedelta(milliseconds=milliseconds))
    except OverflowError:
        return None


def when(instant: datetime | None) -> str | None:
    """An instant as a table shows it, in UTC."""
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def count(number: int) -> str:
    """A number of things, as people read it."""
    return f"{number:,}"


def counted(number: int, thing: str, things: str | None = None) -> str:
    """A number with the thing that it counts: `1 row`, `2 rows`, `2 people`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {things or thing + 's'}"


def snapshot_ids(ids: Mapping[str, int | None]) -> dict[str, str | None]:
    """Snapshots as JSON holds them: as text, because many readers round integers beyond 2^53."""
    return {name: None if number is None else str(number) for name, number in ids.items()}


def masked(row: Mapping[str, Any], personal: Iterable[str]) -> dict[str, Any]:
    """A row with its personal values hidden; null stays null."""
    hidden = set(personal)
    return {name: MASK if name in hidden and value is not None else value for name, value in row.items()}


def _cell(value: object) -> str:
    text = "-" if value is None else count(value) if type(value) is int else str(value)
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def _align(grid: Grid) -> None:
    if grid.title:
        _print(_cell(grid.title))
    lines = [grid.names, *([_cell(value) for value in row] for row in grid.rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(grid.columns))]
    for line in lines:
        cells = zip(grid.columns, line, widths, strict=True)
        _print("  ".join(c.rjust(w) if n.startswith(">") else c.ljust(w) for n, c, w in cells).rstrip())


def _draw(grid: Grid) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column, name in zip(grid.columns, grid.names, strict=True):
        table.add_column(name, justify="right" if column.startswith(">") else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    if grid.title:
        console.print(Text(_cell(grid.title), style="bold"), soft_wrap=True)
    if grid.records and console.measure(table, options=console.options.update(width=_WIDEST)).maximum > console.width:
        _list_records(grid, console)
    else:
        console.print(table)


def _list_records(grid: Grid, console: Console) -> None:
    from rich.rule import Rule
    from rich.text import Text

    widest = max(map(len, grid.names))
    for number, row in enumerate(grid.rows, 1):
        console.print(Rule(f"row {number:,}", align="left", characters="─", style="dim"))
        for name, value in zip(grid.names, row, strict=True):
            console.print(Text(name.ljust(widest + 2), style="bold") + Text(_cell(value)), soft_wrap=True)


def _print(line: str) -> None:
    print(line)  # noqa: T201
