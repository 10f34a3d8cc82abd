"""Write `docs/reference/` from the code; with `--check` only say which pages are stale, and exit with 1.

Each page is one function that returns Markdown. Nothing here depends on the machine, the clock or the working folder.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

import stedi
from stedi import cli, config, errors
from stedi.catalog.state import Run
from stedi.config import Settings
from stedi.contracts import Column, Contract, contracts, zones_folder
from stedi.privacy.consent import ConsentExplanation, Decision, FeedUse, PersonSession
from stedi.runs.diff import TableDiff
from stedi.runs.maintain import Amount, Merged, Upkeep
from stedi.runs.plan import Plan
from stedi.runs.prove import Erasure
from stedi.runs.requests import Subjects
from stedi.runs.subject import Findings
from stedi.runs.verify import Verified

FOLDER = Path(__file__).resolve().parent / "reference"
_NOTICE = "<!-- Written by docs/generate.py (`make docs`) from the code. Changes made here are lost. -->"
_ZONES = {
    "landing": "What arrived.",
    "trusted": "What may be used.",
    "curated": "What it is good for.",
    "records": "The lakehouse's own records.",
}
#: Exit codes that belong to no error class of ours, and codes in messages that are none of `stedi.errors`.
_OTHER_EXITS = (
    ("", 0, "done, or nothing was to be done"),
    ("", 1, "`stedi doctor` found a problem"),
    ("USAGE", 2, "the command line cannot be understood: an unknown command or option, a missing argument"),
    ("INTERNAL", 70, "an error that should not be: a bug; the message names the place in the code, and no data"),
    ("", 130, "interrupted with Ctrl-C; nothing was published"),
    ("", 141, "whoever read the output stopped reading"),
    ("", 143, "ended by SIGTERM; nothing was published"),
)


def tables_page() -> str:
    """Every table of both policies, from the contracts."""
    strict, seed = contracts("strict"), contracts("seed")
    parts = [
        "# Tables",
        "All tables are in the database `stedi`. What the zones are for, and what a contract is: "
        "[zones](../concepts/zones.md). A *personal* column identifies a person. Instants are integers, "
        "in milliseconds since the epoch (UTC).",
        _table(
            ("zone", "table", "holds"),
            [(c.zone, f"[`{c.name}`](#{c.name})", c.purpose) for c in strict.values()],
        ),
    ]
    for zone, meaning in _ZONES.items():
        parts += [f"## Zone {zone}", meaning]
        for name in (name for name, contract in strict.items() if contract.zone == zone):
            parts += _table_parts(name, strict[name], seed[name])
    return _page(parts)


def _table_parts(name: str, strict: Contract, seed: Contract) -> Iterator[str]:
    yield f"### {name}"
    if strict == seed:
        yield from _contract_parts(strict)
    else:
        yield "The policies differ in what this table holds."
        for policy, contract in (("strict", strict), ("seed", seed)):
            yield f"#### {name} under `{policy}`"
            yield from _contract_parts(contract)
    yield _sources(name, strict, differs=strict != seed)


def _contract_parts(contract: Contract) -> Iterator[str]:
    yield contract.purpose
    if contract.limitations:
        yield f"**Limits:** {contract.limitations}"
    key = ", ".join(f"`{name}`" for name in contract.key)
    yield f"Grain: {contract.grain}." + (f" Key: {key}." if key else " No key.")
    yield _table(("column", "type", "required", "personal", "meaning"), [_column_row(c) for c in contract.columns])
    if contract.rules:
        yield "Rules that every run checks, besides the required columns and the key:"
        yield "\n".join(f"- `{rule.name}`: {rule.description}" for rule in contract.rules)


def _column_row(column: Column) -> Sequence[str]:
    return (
        f"`{column.name}`",
        column.type,
        "yes" if column.required else "",
        "yes" if column.personal else "",
        column.description,
    )


def _sources(name: str, contract: Contract, *, differs: bool) -> str:
    zones = zones_folder()
    found = [_link(f"{contract.zone}/{name}.yaml", "contract")]
    if differs:
        found.append(_link(f"seed/{name}.yaml", "contract under `seed`"))
    if (zones / contract.zone / f"{name}.sql").exists():
        found.append(_link(f"{contract.zone}/{name}.sql", "model"))
    if (zones / "seed" / f"{name}.sql").exists():
        found.append(_link(f"seed/{name}.sql", "model under `seed`"))
    return "Source: " + ", ".join(found) + "."


def _link(path: str, text: str) -> str:
    return f"[{text}](../../src/stedi/zones/{path})"


def settings_page() -> str:
    """Every setting, from `stedi.config`."""
    rows = list(_setting_rows(Settings, ""))
    return _page(
        [
            "# Settings",
            f"Settings are read from `{config.FILE_NAME}` in the working folder. `STEDI_LAKEHOUSE` and `STEDI_ENGINE` in the environment "
            "override `lakehouse` and `engine`; the command line and the arguments of `stedi.open_lakehouse` override "
            "both. Unknown names are refused. "
            "Relative paths in the file start at the file. How to use them: [operations](../guides/operations.md#settings).",
            _table(("setting", "type", "default", "meaning"), rows),
            "A name with a dot is a key of a table in TOML: `devices.min_matches` is `min_matches` under `[devices]`.",
        ]
    )


def _setting_rows(kind: type[msgspec.Struct], prefix: str) -> Iterator[Sequence[str]]:
    for field in msgspec.structs.fields(kind):
        value, *said = get_args(field.type)  # Annotated: limits, and what it means in words
        if isinstance(value, type) and issubclass(value, msgspec.Struct):
            yield from _setting_rows(value, f"{prefix}{field.name}.")
        else:
            limits = ", ".join(_limits(field.type))
            default = "none" if field.default is None else f"`{_plain(field.default)}`"
            yield f"`{prefix}{field.name}`", _type_words(value) + (limits and f", {limits}"), default, said[-1]


def _type_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(kind))
    first = next(iter(get_args(kind)), None)  # of a union with None, of a type with limits
    words = {Any: "path", str: "text", int: "whole number", float: "number", bool: "bool"}
    return words[kind] if first is None else _type_words(first)


def _limits(kind: Any) -> Iterator[str]:
    signs = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    for item in get_args(kind):
        if isinstance(item, msgspec.Meta):
            limits = {words: getattr(item, name) for name, words in signs.items()}
            yield from (f"{words} {limit}" for words, limit in limits.items() if limit is not None)
        elif get_origin(kind) is not Literal:
            yield from _limits(item)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def errors_page() -> str:
    """Every error and exit code, from `stedi.errors`."""
    found = list(_error_classes(errors.StediError))
    rows = [(f"`{e.code}`", str(e.exit_code), f"`{e.__name__}`", _summary(e)) for e in found]
    others = [(f"`{code}`" if code else "", str(number), meaning) for code, number, meaning in _OTHER_EXITS]
    return _page(
        [
            "# Errors",
            "Every error that the lakehouse raises on purpose has a stable code and an exit code, names the place, and says what to "
            "do next. None holds a value from the data. What to do about each: [troubleshooting](../guides/troubleshooting.md).",
            _table(("code", "exit code", "class in Python", "meaning"), rows),
            "All are subclasses of `stedi.StediError`, which has the attributes `code`, `exit_code`, `message`, `where` and `hint`. "
            "`LockedError` is a `LakehouseError`, `DataError` is an `EngineError`.",
            "## Other exit codes of the command line",
            _table(("code", "exit code", "meaning"), others),
            "## How the command line tells an error",
            "On standard error, as text:",
            "```\nerror NOT_FOUND: there is no run 99\n  next: `stedi runs` lists the completed runs\n```",
            "or with `--json` as one JSON object on one line, whose fields may be null except for `code` and `message`:",
            '```json\n{"error": {"code": "NOT_FOUND", "message": "there is no run 99", "where": null, '
            '"hint": "`stedi runs` lists the completed runs"}}\n```',
        ]
    )


def _error_classes(root: type[errors.StediError]) -> Iterator[type[errors.StediError]]:
    """The errors below `root`, in the order of their exit codes."""
    found: set[type[errors.StediError]] = set()
    waiting = root.__subclasses__()
    while waiting:
        error = waiting.pop()
        found.add(error)
        waiting += error.__subclasses__()
    yield from sorted(found, key=lambda error: error.exit_code)


def _summary(documented: object) -> str:
    return inspect.cleandoc(getattr(documented, "__doc__", "") or "").replace("\n", " ")


def cli_page() -> str:
    """Every command with its arguments and options, from the command line itself."""
    from typer.main import get_command

    app = get_command(cli.build_app())
    parts = [
        "# Commands",
        _paragraphs(app.help),
        "Words and progress go to standard error, data to standard output. Exit codes: [errors](errors.md). "
        "Fields of `--json`: [JSON output](json.md). A [tour](../tour.md) uses them all.",
        _parameters(app.params),
    ]
    commands = getattr(app, "commands", {})
    for name in cli.COMMANDS:
        parts += _command_parts(f"stedi {name}", commands[name], 2)
    return _page(parts)


def _command_parts(path: str, command: Any, level: int) -> Iterator[str]:
    yield f"{'#' * level} {path}"
    yield _paragraphs(command.help)
    nested = getattr(command, "commands", {})
    words = [path, *(_usage(p) for p in command.params if p.param_type_name == "argument"), "[OPTIONS]"]
    yield "```\n" + " ".join(words + (["COMMAND"] if nested else [])) + "\n```"
    yield _parameters(command.params)
    if command.epilog:
        yield _examples(command.epilog)
    for name, inner in nested.items():
        yield from _command_parts(f"{path} {name}", inner, level + 1)


def _usage(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name).upper()
    return name if parameter.required else f"[{name.strip('[]')}]"


def _parameters(parameters: Sequence[Any]) -> str:
    rows = [
        (_spelling(p), _choices(p) + str(getattr(p, "help", "") or "").replace("\n", " "), _default_of(p))
        for p in parameters
        if not getattr(p, "hidden", False)
    ]
    return _table(("argument or option", "meaning", "default"), rows) if rows else ""


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_usage(parameter)}`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag else f"{names} `{_value_name(parameter)}`"


def _value_name(parameter: Any) -> str:
    return str(parameter.metavar or getattr(parameter.type, "name", "value")).upper()


def _choices(parameter: Any) -> str:
    choices = getattr(parameter.type, "choices", None)
    return "One of " + ", ".join(f"`{getattr(c, 'value', c)}`" for c in choices) + ". " if choices else ""


def _default_of(parameter: Any) -> str:
    default = parameter.default
    if getattr(parameter, "is_flag", False) or parameter.required or default is None or callable(default):
        return ""
    return f"`{getattr(default, 'value', default)}`" if isinstance(default, str | int | float) or default else ""


def _paragraphs(text: str | None) -> str:
    return inspect.cleandoc(text or "").replace("\b\n", "")


def _examples(epilog: str) -> str:
    lines = inspect.cleandoc(epilog.replace("\b", "")).strip().splitlines()
    heading, *rest = lines
    return f"{heading}\n\n```sh\n" + inspect.cleandoc("\n" + "\n".join(rest)).strip() + "\n```"


def json_page() -> str:
    """Fields of every `--json` output, from the commands themselves."""
    parts = [
        "# JSON output",
        "Every command takes `--json` and then prints one JSON document on standard output; `stedi query` prints one per row, "
        "each on a line of its own. A field is named by its path: `a.b` is field `b` of object `a`, `a[]` stands for each element "
        "of a list, and a part in capitals stands for each name. Instants with the ending `At` are text in ISO 8601 (UTC); "
        "snapshot ids are text, because many readers round integers beyond 2^53. Errors are told on standard error: see "
        "[errors](errors.md#how-the-command-line-tells-an-error).",
    ]
    for path, fields in json_fields().items():
        parts += [
            f"## {path} --json",
            _table(("field", "meaning"), [(f"`{name}`", told) for name, told in fields.items()]),
        ]
    return _page(parts)


def json_fields() -> dict[str, dict[str, str]]:
    """Per command the fields of its `--json` output: `FIELDS` of its module, or `FIELDS_OF_X` for its subcommand `x`."""
    found = {}
    for name in cli.COMMANDS:
        for constant, fields in vars(cli.module_of(name)).items():
            if constant == "FIELDS":
                found[f"stedi {name}"] = dict(fields)
            elif constant.startswith("FIELDS_OF_"):
                found[f"stedi {name} {constant.removeprefix('FIELDS_OF_').lower()}"] = dict(fields)
    return found


def python_page() -> str:
    """Every public name with its signature and docstring."""
    public = [name for name in stedi.__all__ if not _is_error(getattr(stedi, name))]
    functions = [name for name in public if inspect.isfunction(getattr(stedi, name))]
    classes = [name for name in public if inspect.isclass(getattr(stedi, name))]
    parts = [
        "# Python",
        "Everything below is imported from `stedi`. Importing it is quick: engine and catalog are loaded when they are used. "
        "The errors are in the [error reference](errors.md).",
    ]
    for name in functions:
        parts += _function_parts(f"stedi.{name}", getattr(stedi, name), 2)
    for name in classes:
        parts += _class_parts(f"stedi.{name}", getattr(stedi, name), 2)
    parts += ["## What they return", "These are not made by users, only received."]
    received_types = (
        Run, Plan, TableDiff, Upkeep, Merged, Amount, Contract, Column, ConsentExplanation, Decision, FeedUse, PersonSession,
        Subjects, Findings, Erasure, Verified,
    )  # fmt: skip
    for received in received_types:
        parts += _class_parts(received.__name__, received, 3)
    return _page(parts)


def _is_error(thing: object) -> bool:
    return inspect.isclass(thing) and issubclass(thing, Exception)


def _class_parts(title: str, cls: type, level: int) -> Iterator[str]:
    yield f"{'#' * level} {title}"
    yield _docstring(cls.__doc__)
    fields = getattr(cls, "__dataclass_fields__", {})
    if fields:
        lines = "\n".join(f"    {name}: {field.type}" for name, field in fields.items())
        yield f"```python\nclass {cls.__name__}:\n{lines}\n```"
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"{'#' * (level + 1)} {cls.__name__}.{name}"
            yield _docstring(member.__doc__)
        elif inspect.isfunction(member) and member.__doc__:
            yield from _function_parts(f"{cls.__name__}.{name}", member, level + 1)


def _function_parts(title: str, function: Callable[..., Any], level: int) -> Iterator[str]:
    yield f"{'#' * level} {title}"
    signature = str(inspect.signature(function)).replace("'", "").replace("(self, ", "(").replace("(self)", "()")
    yield f"```python\n{title.rpartition('.')[2]}{signature}\n```"
    yield _docstring(function.__doc__)


def _docstring(text: str | None) -> str:
    """A Google style docstring as Markdown: its sections become lists."""
    out: list[str] = []
    section = False
    for line in inspect.cleandoc(text or "").splitlines():
        if re.fullmatch(r"(Args|Attributes|Raises|Returns|Yields)( \(.*\))?:", line):
            section = True
            out += [f"**{line.removesuffix(':')}**", ""]
        elif section and (found := re.fullmatch(r" {4}(\w+): (.*)", line)):
            out.append(f"- `{found[1]}`: {found[2]}")
        elif section and line.startswith("    "):
            out.append("  " + line.strip())
        else:
            section = section and not line
            out.append(line)
    return "\n".join(out).strip()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _page(parts: Sequence[str]) -> str:
    heading, *rest = [part for part in parts if part]
    text = "\n\n".join([heading, _NOTICE, *rest])
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "json.md": json_page,
    "python.md": python_page,
    "settings.md": settings_page,
    "tables.md": tables_page,
}


def find_stale() -> list[str]:
    """Names of pages that are missing, or differ from what the code says, and of files that are no page."""
    stale = [name for name, page in PAGES.items() if not _same(FOLDER / name, page())]
    return stale + sorted(path.name for path in FOLDER.glob("*") if path.name not in PAGES)


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them."""
    if list(arguments) == ["--check"]:
        stale = find_stale()
        if stale:
            sys.stderr.write(f"stale in docs/reference: {', '.join(stale)}; run `make docs`\n")
        return 1 if stale else 0
    if arguments:
        sys.stderr.write("usage: python docs/generate.py [--check]\n")
        return 2
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
