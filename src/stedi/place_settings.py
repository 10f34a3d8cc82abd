"""Settings that name places: how S3 is reached, and what a place or a key may be in `stedi.toml`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import asdict

from stedi.aws import S3Options
from stedi.checked import refused
from stedi.places import Place, is_remote, place
from stedi.secret import SCHEME as SECRET

#: Settings that name places, or with `pseudonym_key` a secret instead.
PLACES = ("lakehouse", "warehouse", "landing", "pseudonym_key", "erasure_register")
if TYPE_CHECKING:
    AnyPlace = Place
    NoOrAnyPlace = Place | None
    NoOrAnyKey = Place | None  # or the name of a secret, as text
else:  # a place on S3 is no `Path`, so `with_places` checks them
    AnyPlace = NoOrAnyPlace = NoOrAnyKey = Any
_Server = Annotated[str, Meta(pattern=r"^https?://[^/]+\Z")]


class S3Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How places on S3 are reached, beyond what AWS's own chain says (environment, profile, role): credentials come from there alone."""

    endpoint: Annotated[_Server | None, "URL of an S3-compatible server; AWS itself by default."] = None
    region: Annotated[str | None, "Region of the buckets; by default as AWS's own chain says."] = None
    encryption: Annotated[
        Literal["AES256", "aws:kms"] | None,
        "Asked for with every object written; the bucket's own default where it is not set.",
    ] = None
    kms_key: Annotated[str | None, "Key for `aws:kms`; the account's default key where it is not set."] = None

    def __post_init__(self) -> None:
        if self.kms_key and self.encryption != "aws:kms":
            raise ValueError('kms_key needs encryption = "aws:kms"')

    def options(self) -> S3Options:
        """The same, as places take it."""
        return S3Options(**asdict(self))


def with_places(values: dict[str, Any], options: S3Options, where: str | None) -> dict[str, Any]:
    """Settings with their places made; `where` is the file that they may come from.

    Raises:
        ConfigError: one is no path, or names no bucket.
    """
    made = dict(values)
    for name in (name for name in PLACES if name in values):
        value = values[name]
        if not isinstance(value, str | os.PathLike) and not is_remote(value):
            raise refused(name, "expected a path", where)
        made[name] = _placed(name, value, options)
    return made


def _placed(name: str, value: Any, options: S3Options) -> object:
    if is_remote(value) or (name == "pseudonym_key" and secret_name(value) is not None):
        return value
    return place(value, options) if isinstance(value, str) else Path(value)


def secret_name(key: object) -> str | None:
    """The name of the secret that a key is; None where it is a file."""
    return key.removeprefix(SECRET) if isinstance(key, str) and key.startswith(SECRET) else None
