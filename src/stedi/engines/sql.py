"""How names and texts stand in SQL. Values of the data never do: they are in relations."""

from __future__ import annotations

from collections.abc import Iterable


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("'", "''") + "'"


def listed(texts: Iterable[str]) -> str:
    """Strings with commas between them, for `IN (...)` and lists."""
    return ", ".join(literal(text) for text in texts)
