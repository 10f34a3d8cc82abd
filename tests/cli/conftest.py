"""The command line, called inside this process or as a program of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import stedi
from stedi.cli import run_cli

PROGRAM = (sys.executable, "-c", "from stedi.cli import main; main()")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> Any:
        """What `--json` printed."""
        assert self.code in (0, 1), self.err
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str | None]:
        """The error that `--json` printed."""
        assert self.out == ""
        found: dict[str, str | None] = json.loads(self.err)["error"]
        return found


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in a folder of its own, without settings of whoever runs it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEDI_LAKEHOUSE", raising=False)
    monkeypatch.delenv("STEDI_TRACEBACK", raising=False)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command inside this process."""

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = run_cli([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def program() -> Callable[..., Said]:
    """Runs a command as a program of its own; `before` are words that start it, such as a shell's."""

    def run(*arguments: object, before: tuple[str, ...] = (), **environment: str) -> Said:
        command = [*before, *PROGRAM, *(str(argument) for argument in arguments)]
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        done = subprocess.run(
            command, capture_output=True, text=True, errors="backslashreplace", env=env, timeout=120, check=False
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory, write_small_feeds: Callable[[Path], Path]) -> Path:
    """Folder of a lakehouse of the small feeds under `strict`. Tests only read it."""
    folder = tmp_path_factory.mktemp("small")
    stedi.open_lakehouse(folder / "lake").run(write_small_feeds(folder / "feeds"))
    return folder / "lake"


@pytest.fixture
def undocumented() -> Callable[[Any, Mapping[str, str]], set[str]]:
    """Finds fields of a JSON output that no documented path names; a part in capitals names any field."""

    def find(facts: Any, documented: Mapping[str, str]) -> set[str]:
        patterns = [re.compile(_pattern(path)) for path in documented]
        return {path for path in set(_paths(facts, "")) if not any(pattern.fullmatch(path) for pattern in patterns)}

    return find


def _pattern(path: str) -> str:
    parts = (r"[^.]+(\[\])?" if part.isupper() else re.escape(part) for part in path.split("."))
    return r"\.".join(parts)


def _paths(facts: Any, path: str) -> Iterator[str]:
    if isinstance(facts, dict):
        for name, value in facts.items():
            yield from _paths(value, f"{path}.{name.replace('.', ' ')}" if path else name.replace(".", " "))
    elif isinstance(facts, list) and facts:
        for value in facts:
            yield from _paths(value, path + "[]")
    elif not isinstance(facts, list):
        yield path
