"""Options that several commands share, and the lakehouse that they open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stedi.cli.frames import do_without_numpy

if TYPE_CHECKING:
    from stedi.lakehouse import Lakehouse

LakehouseDir = Annotated[
    str | None,  # a path would lose the second slash of s3://
    typer.Option(
        "--lakehouse",
        metavar="DIR",
        help="Folder or s3://bucket/prefix of the lakehouse; by default STEDI_LAKEHOUSE, else `lakehouse` in stedi.toml, else ./lakehouse.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; docs/reference/json.md says what each field means.")]
AsOf = Annotated[
    int | None,
    typer.Option("--as-of", metavar="RUN", min=1, help="Read as of this run; the last one by default."),
]
ShowPersonal = Annotated[
    bool, typer.Option("--show-personal", help="Show the columns that identify a person, which are masked by default.")
]


def opened(folder: str | None) -> Lakehouse:
    """The lakehouse in `folder`."""
    from stedi import open_lakehouse

    return open_lakehouse(folder)


def opened_as_of(folder: str | None, as_of: int | None, *, asks_engine: bool = True) -> Lakehouse:
    """The lakehouse in `folder` as of a run, or of the last one. For commands that read tables and nothing else, which need no NumPy.

    An engine that will be asked connects while the rest is imported.
    """
    do_without_numpy()
    if asks_engine:
        from stedi.engines.connect import connect_ahead

        connect_ahead()
    lake = opened(folder)
    return lake if as_of is None else lake.as_of(as_of)


def examples(*lines: str) -> str:
    """The block of examples below the options of a command; each line is kept as it is."""
    return "\b\nExamples:\n" + "\n".join("  " + line for line in lines)
