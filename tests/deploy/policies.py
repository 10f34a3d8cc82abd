"""Statements of policies in templates, however they are written there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def statements(resources: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every statement of every policy document in these resources."""
    for node in _nodes(resources):
        for name in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument"):
            yield from node.get(name, {}).get("Statement", [])


def actions(statement: dict[str, Any]) -> list[str]:
    """The actions of a statement."""
    return _listed(statement["Action"])


def targets(statement: dict[str, Any]) -> list[str]:
    """The resources of a statement as text; a reference is shown as it stands in the template."""
    return [t if isinstance(t, str) else json.dumps(t) for t in _listed(statement.get("Resource", []))]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)
