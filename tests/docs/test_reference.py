"""The reference is what the generator makes of the code today, and misses nothing."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from typer.main import get_command

import stedi
from stedi import cli
from stedi.config import Settings
from stedi.contracts import contracts

DOCS = Path(__file__).resolve().parents[2] / "docs"


def generator() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    return (DOCS / "reference" / name).read_text("utf-8")


def test_the_reference_is_fresh() -> None:
    checked = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert checked.stderr == ""
    assert checked.returncode == 0


def test_a_stale_page_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generate = generator()
    monkeypatch.setattr(generate, "FOLDER", tmp_path / "reference")
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    page = tmp_path / "reference" / "errors.md"
    page.write_text(page.read_text("utf-8") + "by hand\n", "utf-8")
    (tmp_path / "reference" / "old.md").write_text("left over\n", "utf-8")
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == "stale in docs/reference: errors.md, old.md; run `make docs`\n"


def commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    nested = getattr(command, "commands", {})
    if not nested:
        yield path, command
    for name, inner in nested.items():
        yield from commands(f"{path} {name}", inner)


def test_every_command_and_option_is_in_the_reference() -> None:
    text = page("cli.md")
    for path, command in commands("stedi", get_command(cli.build_app())):
        assert f"# {path}\n" in text
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert f"`{parameter.opts[0]}`" in text


def test_every_command_has_json_fields() -> None:
    documented = generator().json_fields()
    told = {path for path, command in commands("stedi", get_command(cli.build_app())) if _takes_json(command)}
    assert told == set(documented)
    for path in documented:
        assert f"## {path} --json" in page("json.md")


def _takes_json(command: Any) -> bool:
    return any("--json" in parameter.opts for parameter in command.params)


def test_every_setting_is_in_the_reference() -> None:
    for name in setting_names(Settings(), ""):
        assert f"| `{name}` |" in page("settings.md")


def setting_names(settings: msgspec.Struct, prefix: str) -> Iterator[str]:
    for name, value in msgspec.structs.asdict(settings).items():
        if isinstance(value, msgspec.Struct):
            yield from setting_names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def error_classes(root: type[stedi.StediError]) -> Iterator[type[stedi.StediError]]:
    for error in root.__subclasses__():
        yield error
        yield from error_classes(error)


def test_every_error_is_in_the_reference_and_in_troubleshooting() -> None:
    troubleshooting = (DOCS / "guides" / "troubleshooting.md").read_text("utf-8")
    for error in error_classes(stedi.StediError):
        assert f"| `{error.code}` | {error.exit_code} | `{error.__name__}` |" in page("errors.md")
        assert f"\n## {error.code}\n" in troubleshooting


def test_every_table_and_column_is_in_the_reference() -> None:
    text = page("tables.md")
    for by_name in (contracts("strict"), contracts("seed")):
        for name, contract in by_name.items():
            assert f"\n### {name}\n" in text
            for column in contract.columns:
                assert f"| `{column.name}` | {column.type} |" in text
            for rule in contract.rules:
                assert f"- `{rule.name}`: " in text


def test_every_public_name_is_in_the_reference() -> None:
    errors, python = page("errors.md"), page("python.md")
    for name in stedi.__all__:
        assert f"## stedi.{name}\n" in python or f"`{name}`" in errors or f"`stedi.{name}`" in errors


def test_the_settings_file_of_the_operations_guide_is_valid(tmp_path: Path) -> None:
    from stedi.config import load_settings

    text = (DOCS / "guides" / "operations.md").read_text("utf-8")
    (tmp_path / "stedi.toml").write_text(text.partition("```toml\n")[2].partition("```")[0], "utf-8")
    settings = load_settings(folder=tmp_path)
    assert settings.landing == tmp_path / "feeds"
    assert settings.devices == Settings().devices


def test_the_messages_of_the_troubleshooting_page_are_those_of_the_code() -> None:
    """The longest fixed part of each message that the page quotes begins as one in the source does."""
    source = " ".join(path.read_text("utf-8") for path in sorted((DOCS.parent / "src" / "stedi").rglob("*.py")))
    text = (DOCS / "guides" / "troubleshooting.md").read_text("utf-8")
    quoted = [
        message for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for message in re.findall(r"`([^`]+)`", row)
    ]
    assert len(quoted) > 20
    for message in quoted:
        if not message.endswith("Error"):  # DuckDB's own words
            fixed = max(re.split(r"\.\.\.|\b[A-Z]+\b|\(\w+\)", message), key=len).strip(" :")
            assert " ".join(fixed.split()[:5]) in source, message


def test_every_other_code_has_a_section() -> None:
    text = (DOCS / "guides" / "troubleshooting.md").read_text("utf-8")
    for code in ("USAGE", "INTERNAL"):
        assert f"\n## {code}\n" in text
        assert f"| `{code}` |" in page("errors.md")
