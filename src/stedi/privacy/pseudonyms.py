"""The key of the pseudonyms (SPEC 4).

A pseudonym is HMAC-SHA-256 with a key that lies outside the lakehouse: without it no pseudonym leads back to an email, not even by
trying every email. Who loses the key cannot make the same pseudonyms again; models trained on the old ones keep working, but new rows
could not be joined to old extracts. So a lost key stops the run, rather than being replaced silently.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import pyarrow as pa

from stedi.catalog.durable import sync
from stedi.errors import PseudonymKeyError
from stedi.secret import CURRENT, PENDING, SecretKey

_BYTES = 32
_BLOCK = 64  # of SHA-256, RFC 2104


def load_key(file: Path, known_id: str | None) -> bytes:
    """The key in `file`; made there, readable by its owner only, where the lakehouse has never used one.

    Args:
        file: where the key is kept.
        known_id: `key_id` of the key that made the pseudonyms now in the lakehouse; None where there are none.

    Raises:
        PseudonymKeyError: the key is missing although pseudonyms exist, or is another one, damaged, or open to others.
    """
    if isinstance(file, SecretKey):
        _finish_secret(file, known_id)
        return check_key(file, known_id)
    _require_no_folder(file)
    _finish_change(file, known_id)
    if not file.exists():
        if known_id is not None:
            raise _missing(file)
        _write(file)
    return check_key(file, known_id)


def check_key(file: Path, known_id: str | None) -> bytes:
    """The key in an existing `file`. Changes nothing.

    Raises:
        PseudonymKeyError: as `load_key`.
    """
    if isinstance(file, SecretKey):
        secret = file.read()
        if secret is None:
            raise _missing(file)
        return _known(secret, file, known_id)
    _require_no_folder(file)
    if not file.exists():
        raise _missing(file)
    if file.stat().st_mode & 0o077:
        raise PseudonymKeyError("the pseudonym key can be read by others", where=str(file), hint=f"chmod 600 {file}")
    return _known(_parsed(file), file, known_id)


def _known(key: bytes, file: Path, known_id: str | None) -> bytes:
    if known_id is not None and key_id(key) != known_id:
        raise PseudonymKeyError(
            "this is not the key that made the pseudonyms of this lakehouse",
            where=str(file),
            hint="restore the right one; or accept new pseudonyms for everybody with `stedi run --new-key`",
        )
    return key


def prepare_new_key(file: Path) -> bytes:
    """Make a new key beside the one in use. It takes its place with `adopt_new_key`, once a run with it is published.

    In Secrets Manager it waits as a version of the secret.
    """
    if isinstance(file, SecretKey):
        key = secrets.token_bytes(_BYTES)
        file.write(key, PENDING)
        return key
    _waiting(file).unlink(missing_ok=True)
    return _write(_waiting(file))


def adopt_new_key(file: Path) -> None:
    """Put the prepared key in the place of the old one, which is kept as `.old-<id>`: nothing is more final than a lost key."""
    if isinstance(file, SecretKey):
        if waiting := file.read(PENDING):
            file.write(waiting, CURRENT)
        return
    if file.exists():
        file.replace(file.with_name(f"{file.name}.old-{key_id(_parsed(file))}"))
    _waiting(file).replace(file)
    sync(file)


def _finish_change(file: Path, known_id: str | None) -> None:
    """A run with a new key was killed: the new one holds if that run was published, else the old one."""
    waiting = _waiting(file)
    if not waiting.exists():
        return
    if known_id is not None and key_id(_parsed(waiting)) == known_id:
        adopt_new_key(file)
    else:
        waiting.unlink()


def _finish_secret(secret: SecretKey, known_id: str | None) -> None:
    """The same for a secret, where the one that waits is not the one in use."""
    current = secret.read()
    if known_id is None or current is None or key_id(current) == known_id:
        return
    waiting = secret.read(PENDING)
    if waiting is not None and key_id(waiting) == known_id:
        secret.write(waiting, CURRENT)


def _waiting(file: Path) -> Path:
    return file.with_name(file.name + ".new")


def _write(file: Path) -> bytes:
    """A new key in `file`: whole, or not there. It never takes the place of another that was made meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True)
    key = secrets.token_bytes(_BYTES)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(key.hex() + "\n")
        sync(draft)
        os.link(draft, file)
        sync(file)
    except FileExistsError:
        return _parsed(file)
    finally:
        draft.unlink(missing_ok=True)
    return key


def _require_no_folder(file: Path) -> None:
    if file.is_dir():
        raise PseudonymKeyError(
            "the pseudonym key would be a folder",
            where=str(file),
            hint="name a file with `pseudonym_key` in stedi.toml",
        )


def _missing(file: Path) -> PseudonymKeyError:
    return PseudonymKeyError(
        "the pseudonym key of this lakehouse is missing",
        where=str(file),
        hint="restore it from a backup; or accept new pseudonyms for everybody with `stedi run --new-key`",
    )


def key_id(key: bytes) -> str:
    """A short mark of a key that does not reveal it."""
    return hmac.new(key, b"stedi key id", hashlib.sha256).hexdigest()[:16]


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """The pseudonym of one value: what the models compute in SQL. Kind is subject, device or session."""
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()


def key_row(key: bytes) -> pa.Table:
    """The one row of relation `pseudonym_key`: the inner and outer pad of HMAC (RFC 2104), which carry the key."""
    block = key.ljust(_BLOCK, b"\0")
    inner, outer = bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)
    return pa.table({"innerPad": pa.array([inner], pa.binary()), "outerPad": pa.array([outer], pa.binary())})


def _parsed(file: Path) -> bytes:
    try:
        key = bytes.fromhex(file.read_text("ascii").strip())
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(key) != _BYTES:
        raise PseudonymKeyError("the pseudonym key is damaged", where=str(file), hint="restore it from a backup")
    return key
