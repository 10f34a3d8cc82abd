"""The command line: `stedi`. One module per command; every one goes through the public door, as any user does.

Only typer is imported to parse arguments and to print help; engines, catalog and tables are imported by the command that needs them.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TextIO

import typer

from stedi import __version__
from stedi.cli import failures, frames, interrupts

#: New objects after which Python looks for cycles among them. Imports make many objects and no garbage: with Python's own 700, looking
#: takes an eighth of a run that finds nothing new.
_OBJECTS = 500_000

#: Commands in the order of `stedi --help`: the way from nothing to a training table, then what helps on it. Each is a module here.
COMMANDS = (
    "simulate",
    "run",
    "tables",
    "show",
    "query",
    "ddl",
    "runs",
    "diff",
    "quarantine",
    "devices",
    "consent",
    "subject",
    "hold",
    "maintain",
    "pin",
    "unpin",
    "doctor",
)


def module_of(command: str) -> ModuleType:
    """The module of a command."""
    return import_module(f"{__name__}.{command}")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"stedi {__version__}")
        raise typer.Exit


def _stedi(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Three feeds of the Step Trainer in, a training table of consenting customers out, as plain Apache Iceberg.

    Data goes to stdout, words go to stderr. Every command takes --json, and shows examples in its --help.
    """


def build_app(only: str | None = None) -> typer.Typer:
    """The commands, with their arguments and help; also what the reference documentation is generated from.

    Args:
        only: a command without which the others need not be there. To read and build all takes a tenth of a second; where it names none,
            all are there, for help and for words about what was typed.
    """
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    app = typer.Typer(
        name="stedi",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=settings,
    )
    app.callback(
        epilog="Exit codes: 0 done, 1 `stedi doctor` found a problem, 2 usage, 3 to 13 see docs/reference/errors.md."
    )(_stedi)
    for command in (only,) if only in COMMANDS else COMMANDS:
        module_of(command).register(app)
    return app


def run_cli(arguments: Sequence[str]) -> int:
    """Run one command in this process; returns the exit code, and raises nothing but what ends a process."""
    try:
        command = typer.main.get_command(build_app(*arguments[:1]))
        with command.make_context("stedi", list(arguments) or ["--help"]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as leaving:
        return leaving.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place that can turn it into words
        return failures.tell(error, arguments)
    return 0


def _stream(given: TextIO | None, descriptor: int) -> TextIO:
    """A stream that prints any text and is always buffered: with PYTHONUNBUFFERED, what a full disk does not take is lost unnoticed."""
    if given is None:  # closed by whoever started us
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - for the life of the process
    return open(descriptor, "w", encoding=given.encoding, errors="backslashreplace", closefd=False)


def main() -> None:
    """Entry point of the program. Leaves without tearing the interpreter down, which would take a quarter of a second."""
    gc.set_threshold(_OBJECTS)
    frames.do_without_pandas()
    interrupts.notice_signals()
    sys.stdout, sys.stderr = _stream(sys.stdout, 1), _stream(sys.stderr, 2)
    code = run_cli(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or failures.BROKEN_PIPE
    os._exit(code)
