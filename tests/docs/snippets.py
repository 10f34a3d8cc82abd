"""Code blocks of the pages, and a way to compare shown output with real output.

A page is a list of blocks in the order of reading:

- `console`: lines that begin with `$ ` are commands for bash, each in a shell of its own in the folder of the test. The lines below a
  command, up to the next, are what it prints: standard output, then standard error.
- `python`: a script. A `text` block directly after it is what it prints.

In shown output `...` stands for anything: within a line for any text, on a line of its own for any lines. White space counts as one space,
blank lines do not count. Lines may come in another order where no line is left out: the order of groups in a table is not promised.
A block with a comment `<!-- not run: why -->` above it is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(
    r"^(<!-- not run: [^>]*-->\n)?```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Step:
    """Something to run, and what it prints; `shown` is None where the page does not say."""

    kind: str
    code: str
    shown: str | None


def steps_of(page: Path) -> Iterator[Step]:
    """What a page tells the reader to run, in order."""
    for found in _BLOCK.finditer(page.read_text("utf-8")):
        skipped, kind, body, output = found.groups()
        if skipped:
            continue
        if kind == "python":
            yield Step(kind, body, output)
        elif kind == "console":
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                yield Step(kind, command, shown or None)


def run(step: Step, folder: Path) -> str:
    """Run a step as a reader would; returns what it printed. Fails where the exit code is not 0."""
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONWARNINGS": "ignore",
        "NO_COLOR": "1",
    }
    command = ["bash", "-c", step.code] if step.kind == "console" else [sys.executable, "-c", step.code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{step.code}\nexited with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def check_shown(step: Step, printed: str) -> None:
    """Compare what a page shows with what came out."""
    if step.shown is not None and not _agrees(_spaced(step.shown).splitlines(), _spaced(printed)):
        raise AssertionError(f"{step.code}\nprinted:\n{printed}\nbut the page shows:\n{step.shown}")


def _agrees(shown: list[str], printed: str) -> bool:
    if re.fullmatch("".join(map(_pattern, shown)), printed):
        return True
    lines = printed.splitlines(keepends=True)
    for pattern in map(_pattern, sorted(shown, key=len, reverse=True)):
        found = next((line for line in lines if re.fullmatch(pattern, line)), None)
        if found is None:
            return False
        lines.remove(found)
    return not lines and "..." not in shown


def _pattern(line: str) -> str:
    """A regular expression for a line of shown output."""
    return r"(?:.*\n)*" if line == "..." else ".*".join(re.escape(part) for part in line.split("...")) + r"\n"


def _spaced(text: str) -> str:
    """Text without blank lines, with single spaces."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "".join(line + "\n" for line in lines if line)
