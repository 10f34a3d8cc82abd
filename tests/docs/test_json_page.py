"""The fields of `--json` are those that the page lists, and errors look as the page shows them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.snippets import REPOSITORY

from stedi.simulate import SimulationOptions, simulate

REFERENCE = REPOSITORY / "docs" / "reference"
GONE = "nobody.who.was@example.org"
#: Command of the page -> what is run, in a folder with feeds and a lakehouse of them.
COMMANDS = {
    "stedi simulate": ["simulate", "more", "--customers", "3"],
    "stedi run": ["run", "--landing", "feeds", "--full"],
    "stedi tables": ["tables"],
    "stedi show": ["show", "machine_learning_curated"],
    "stedi query": ["query", "SELECT 1 AS one, 2.5 AS two"],
    "stedi ddl": ["ddl", "--location", "s3://bucket/landing"],
    "stedi runs": ["runs"],
    "stedi diff": ["diff", "2", "2"],
    "stedi quarantine list": ["quarantine", "list"],
    "stedi quarantine show": ["quarantine", "show", "--raw"],
    "stedi devices": ["devices", "--all"],
    "stedi consent impact": ["consent", "impact", "--landing", "feeds", "--policy", "seed"],
    "stedi consent explain": ["consent", "explain", "bobby.lincoln77@test.com"],
    "stedi maintain": ["maintain", "--dry-run"],
    "stedi pin": ["pin", "2"],
    "stedi unpin": ["unpin", "2"],
    "stedi subject find": ["subject", "find", "bobby.lincoln77@test.com", "--show"],
    "stedi subject export": ["subject", "export", "bobby.lincoln77@test.com", "--output", "out"],
    "stedi subject forget": ["subject", "forget", "bobby.lincoln77@test.com"],
    "stedi subject verify": ["subject", "verify", "gone.json", GONE],
    "stedi hold": ["hold", "nobody@example.org", "--reason", "a court order"],
    "stedi doctor": ["doctor"],
}
#: Lists and objects that are empty here.
EMPTY_HERE = {
    "plan.touched[]",
    "plan.missingFeeds[]",
    "report.missingFeeds[]",
    "runs[].report.missingFeeds[]",
    "key[]",
    "plan.new[]",
    "expiredRuns[]",
    "earlier[].run",
    "earlier[].rows",
    "pinned[].run",
    "pinned[].reason",
    "unpinned[].run",
    "unpinned[].reason",
    "found[]",
    "report.suppressed.FEED",
    "runs[].report.suppressed.FEED",
}


def stedi(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("stedi")
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("json")
    simulate(made / "feeds", SimulationOptions(customers=120, seed=3))
    shutil.rmtree(made / "feeds" / "truth")  # it names everybody, and is no landing file: no erasure could be proven
    (made / "feeds" / "customer" / "gone.json").write_text(json.dumps({"email": GONE}) + "\n", "utf-8")
    assert stedi(made, "run", "--landing", "feeds").returncode == 0
    assert stedi(made, "subject", "forget", GONE, "--certificate", "gone.json").returncode == 0
    return made


def documented() -> dict[str, list[str]]:
    """Fields by command, from the page."""
    text = (REFERENCE / "json.md").read_text("utf-8")
    sections = re.findall(r"^## (stedi [a-z ]+) --json\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return {command: re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) for command, table in sections}


def leaves(value: object, path: str = "") -> Iterator[str]:
    """Paths of all values that hold no others; an empty list or object is none."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}[]")
    else:
        yield path


def pattern(field: str) -> str:
    """A regular expression for the paths that a documented field stands for."""
    any_name = {True: r"[^.\[\]]+", False: r"[^.\[\]]+\[\]"}
    parts = (any_name[part.isalpha()] if part.isupper() else re.escape(part) for part in field.split("."))
    return r"\.".join(parts)


def test_every_command_is_tried() -> None:
    assert documented().keys() == COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_fields(folder: Path, command: str) -> None:
    done = stedi(folder, *COMMANDS[command], "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = set(leaves(json.loads(done.stdout)))
    fields = documented()[command]
    assert {path for path in found if not any(re.fullmatch(pattern(field), path) for field in fields)} == set()
    containers = {field for field in fields if any(other.startswith((f"{field}.", f"{field}[]")) for other in fields)}
    unseen = {field for field in fields if not any(re.fullmatch(pattern(field), path) for path in found)}
    assert unseen - containers <= EMPTY_HERE


def test_errors_look_as_shown(folder: Path) -> None:
    text = (REFERENCE / "errors.md").read_text("utf-8")
    shown, as_json = re.findall(r"^```(?:json)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    plain = stedi(folder, "tables", "--as-of", "99")
    assert (plain.returncode, plain.stdout, plain.stderr) == (6, "", shown)
    machine = stedi(folder, "tables", "--as-of", "99", "--json")
    assert (machine.returncode, machine.stdout, machine.stderr) == (6, "", as_json)


def test_usage_errors_look_as_told(folder: Path) -> None:
    done = stedi(folder, "nonsense", "--json")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["code"] == "USAGE"
