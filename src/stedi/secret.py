"""A pseudonym key in AWS Secrets Manager, with what lies beside a key otherwise (the register of erasures) under a prefix on S3."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from stedi.aws import aws_session, explained
from stedi.errors import PseudonymKeyError
from stedi.places import Place, options_of

if TYPE_CHECKING:  # for types it is a path, of which it has what is asked of a key file
    from pathlib import Path as _Base
else:
    _Base = object

SCHEME = "secretsmanager:"
#: Stages of a secret's versions, as Secrets Manager names them: the one in use, and one that waits to be.
CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
_BYTES = 32
#: A text of so many letters and digits holds 256 bits: what Secrets Manager makes up by itself is taken by its SHA-256.
_ENOUGH = 43


class SecretKey(_Base):
    """A key that is a secret.

    Attributes:
        secret: name or ARN of the secret.
        beside: a place in the prefix where the register is; its name begins the names of what lies there.
    """

    def __init__(self, secret: str, beside: Place) -> None:
        self.secret = secret
        self.beside = beside

    @property
    def name(self) -> str:
        """How the names begin of what lies beside it."""
        return self.beside.name

    def with_name(self, name: str) -> Any:
        """A place beside it."""
        return self.beside.with_name(name)

    def absolute(self) -> SecretKey:
        """It depends on no working folder."""
        return self

    def exists(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as that of a path
        """Whether there is such a secret."""
        return self.read() is not None

    def __str__(self) -> str:
        return SCHEME + self.secret

    def read(self, stage: str = CURRENT) -> bytes | None:
        """The key at a stage of the secret; None where there is no such secret, or it has no value there yet.

        Raises:
            PseudonymKeyError: the secret cannot be read, or is too short for a key.
        """
        client = _client(options_of(self.beside).region)
        missing = client.exceptions.ResourceNotFoundException
        with explained(self, PseudonymKeyError, "Secrets Manager"):
            try:
                value = client.get_secret_value(SecretId=self.secret, VersionStage=stage)
            except missing:
                return None
        return key_of(value.get("SecretBinary") or value["SecretString"], str(self))

    def write(self, key: bytes, stage: str) -> None:
        """Add a version of the secret at a stage. As the current one it makes the one before the previous one, which is kept.

        Raises:
            PseudonymKeyError: the secret cannot be written.
        """
        client = _client(options_of(self.beside).region)
        with explained(self, PseudonymKeyError, "Secrets Manager"):
            client.put_secret_value(SecretId=self.secret, SecretString=key.hex(), VersionStages=[stage])


def key_of(value: bytes | str, where: str) -> bytes:
    """The key in the value of a secret: 32 bytes, or 64 hex digits, or a longer text by its SHA-256.

    Raises:
        PseudonymKeyError: it is too short.
    """
    if isinstance(value, bytes) and len(value) == _BYTES:
        return value
    text = value.decode("latin-1") if isinstance(value, bytes) else value.strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) == _BYTES:
        return key
    if len(text) >= _ENOUGH:
        return hashlib.sha256(text.encode()).digest()
    raise PseudonymKeyError(
        "the secret is too short for a pseudonym key", where=where, hint="give it 64 hex digits: openssl rand -hex 32"
    )


@cache
def _client(region: str | None) -> Any:
    return aws_session(region).client("secretsmanager")
