"""Values from outside, checked against what they may be, with msgspec's errors in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec.structs import asdict

from stedi.errors import ConfigError

_Settings = TypeVar("_Settings", bound=msgspec.Struct)
#: As msgspec says it: what is wrong, and where it is.
_AT = " - at `$"
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`", re.DOTALL)
_NO_CHOICE = "Invalid enum value"


def checked(values: object, kind: type[_Settings], where: str | None, name: str = "") -> _Settings:
    """Settings of a kind.

    Args:
        values: by name.
        kind: what there may be.
        where: the file that they may come from.
        name: of the setting that holds them; empty for all settings.

    Raises:
        ConfigError: a name or a value is wrong.
    """
    if isinstance(values, dict):  # what is of its class already would not be looked at
        values = {key: asdict(value) if isinstance(value, msgspec.Struct) else value for key, value in values.items()}
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _explained(str(error), kind, where, name) from None


def _explained(error: str, kind: type[msgspec.Struct], where: str | None, name: str) -> ConfigError:
    problem, _, path = error.partition(_AT)
    path = path.removesuffix("`")
    told = problem[0].lower() + problem[1:]
    if unknown := _UNKNOWN.fullmatch(problem):
        path, told = f"{path}.{unknown[1]}", "there is no such setting"
    elif problem.startswith(_NO_CHOICE):
        told = "choose one of " + ", ".join(_choices(kind, path))
    return refused((name + path).strip("."), told, where)


def refused(setting: str, told: str, where: str | None) -> ConfigError:
    """The error for a setting that may not be; without its name where several do not fit together."""
    return ConfigError(
        f"setting {setting}: {told}" if setting else told,
        where=where,
        hint="docs/reference/settings.md lists all settings",
    )


def _choices(kind: Any, path: str) -> Iterator[str]:
    for name in path.split(".")[1:]:
        kind = get_type_hints(kind)[name]
    for choice in get_args(kind):  # of a Literal, or of one in a union with None
        yield from [choice] if isinstance(choice, str) else get_args(choice)
