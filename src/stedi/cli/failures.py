"""What a command says when it cannot do what was asked, and the code it exits with.

An error's own words are shown only for errors of ours: those of other libraries may quote a row.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import typer

from stedi.cli import interrupts
from stedi.errors import StediError, StorageError

#: As a shell reports a program that a signal ended: 128 and the signal's number.
BROKEN_PIPE = 128 + signal.SIGPIPE
INTERNAL = 70
#: typer's (or click's) root of all errors about arguments; its place has moved between versions, this one has not.
_Usage = typer.BadParameter.__mro__[1]


def tell(error: BaseException, arguments: Sequence[str]) -> int:
    """Say on stderr what went wrong, as text or with `--json` as JSON; returns the exit code."""
    if isinstance(error, KeyboardInterrupt) or interrupts.noticed():
        return _tell_interrupt(arguments)
    if isinstance(error, BrokenPipeError):
        _close_stdout()
        return BROKEN_PIPE
    facts, code = _facts(error)
    if "--json" in arguments:
        print(json.dumps({"error": facts}, ensure_ascii=False), file=sys.stderr)  # noqa: T201
    else:
        print(_words(facts), file=sys.stderr)  # noqa: T201
    if code == INTERNAL and os.environ.get("STEDI_TRACEBACK"):
        traceback.print_exception(error)
    return code


def _facts(error: BaseException) -> tuple[dict[str, str | None], int]:
    if isinstance(error, StediError):
        return error.as_dict(), error.exit_code
    if isinstance(error, _Usage):
        return _usage_facts(error), 2
    if isinstance(error, OSError) and error.errno is not None:
        where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
        told = StorageError(
            os.strerror(error.errno).lower(), where=where, hint="check the path, its permissions and the free space"
        )
        return told.as_dict(), told.exit_code
    message = f"{type(error).__name__} in {_place(error)}; set STEDI_TRACEBACK=1 for the traceback"
    return {"code": "INTERNAL", "message": message, "where": None, "hint": "this is a bug: report it"}, INTERNAL


def _usage_facts(error: BaseException) -> dict[str, str | None]:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "stedi"
    message = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    return {"code": "USAGE", "message": message.rstrip("."), "where": path, "hint": f"{path} --help"}


def _words(facts: dict[str, str | None]) -> str:
    lines = [f"error {facts['code']}: {facts['message']}"]
    lines += [f"  where: {facts['where']}"] if facts["where"] else []
    lines += [f"  next: {facts['hint']}"] if facts["hint"] else []
    return "\n".join(lines)


def _place(error: BaseException) -> str:
    """Module and line of our innermost frame."""
    place = "unknown:0"
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == "stedi" or place == "unknown:0":
            place = f"{module}:{line}"
    return place


def _tell_interrupt(arguments: Sequence[str]) -> int:
    runs = bool(arguments) and arguments[0] == "run"
    print("interrupted; nothing was published" if runs else "interrupted", file=sys.stderr)  # noqa: T201
    return 128 + (interrupts.noticed() or signal.SIGINT)


def _close_stdout() -> None:
    """Nobody reads any more: what is still buffered must not fail again when Python flushes it."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        return
