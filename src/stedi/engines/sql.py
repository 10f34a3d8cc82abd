"""How names and texts stand in SQL. Values of the data never do: they are in relations."""

from __future__ import annotations

from collections.abc import Iterable


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("'", "''") + "'"


#: White space as Unicode has it.
_WHITE_SPACE = [*range(9, 14), *range(28, 33), 133, 160, 5760, *range(8192, 8203), 8232, 8233, 8239, 8287, 12288]
_WHITE_SPACE_SQL = f"concat({', '.join(f'chr({point})' for point in _WHITE_SPACE)})"


def trimmed(name: str) -> str:
    """A text without white space around it."""
    return f"CASE WHEN {_plain(name)} THEN {name} ELSE trim({name}, {_WHITE_SPACE_SQL}) END"


def customer_of(name: str) -> str:
    """Who an email stands for: emails are compared trimmed and in lower case (SPEC 2)."""
    return f"lower({trimmed(name)})"


def _plain(name: str) -> str:
    """Whether a text begins and ends with visible ASCII, as nearly all do: to see that takes a glance, to trim takes long."""
    return f"{name} BETWEEN '!' AND '~' AND {name}[-1] BETWEEN '!' AND '~'"


def listed(texts: Iterable[str]) -> str:
    """Strings with commas between them, for `IN (...)` and lists."""
    return ", ".join(literal(text) for text in texts)
