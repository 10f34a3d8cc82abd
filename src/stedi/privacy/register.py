"""Who was erased, and who may not be (SPEC 6): a list of keyed hashes beside the pseudonym key, so that it outlives the lakehouse.

It holds no email. Its key is not the pseudonym key, which may be replaced; without it nobody can tell who is on the list, not even by
trying every email. Two files, named after that of the pseudonym key: `.erasures.key` and `.erasures.json`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from stedi.catalog.durable import sync
from stedi.errors import ErasureError, PseudonymKeyError
from stedi.places import about, is_remote, read_whole, write_whole
from stedi.privacy.pseudonyms import key_row
from stedi.privacy.subjects import Window

_BYTES = 32


class Register:
    """The people who were erased, with the instant of it; the sessions that went with them; and those under a legal hold."""

    def __init__(self, file: Path, key: bytes | None, content: dict[str, Any]) -> None:
        self._file = file
        self._key = key
        self._erased: dict[str, int] = content.get("erased", {})
        self._windows: list[list[Any]] = content.get("sessions", [])
        self._devices: set[str] = set(content.get("devices", []))
        self._holds: dict[str, str] = content.get("holds", {})

    @classmethod
    def load(cls, key_file: Path) -> Register:
        """The register that belongs to a pseudonym key; an empty one where nothing was ever written.

        Raises:
            PseudonymKeyError: it was written, but its key is missing; or one of both is damaged.
        """
        file = key_file.with_name(key_file.name + ".erasures.json")
        secret = key_file.with_name(key_file.name + ".erasures.key")
        content = read_whole(file)
        if content is None:
            return cls(file, _key(secret) if about(secret) else None, {})
        if about(secret) is None:
            raise PseudonymKeyError(
                "the key of the list of erased people is missing", where=str(secret), hint="restore it from a backup"
            )
        try:
            return cls(file, _key(secret), json.loads(content))
        except ValueError:
            raise PseudonymKeyError(
                "the list of erased people is damaged", where=str(file), hint="restore it from a backup"
            ) from None

    @property
    def empty(self) -> bool:
        """Whether nobody was ever erased."""
        return not self._erased

    def mark(self, kind: str, value: str) -> str:
        """The keyed hash of a customer (`subject`) or a serial number (`device`)."""
        if self._key is None:
            self._key = _new_key(self._file.with_suffix(".key"))
        return hmac.new(self._key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()

    def erased_at(self, customer: str) -> int | None:
        """When somebody was erased, in ms since the epoch; None where they never were."""
        return self._erased.get(self.mark("subject", customer)) if self._erased else None

    def sessions_of(self, device: str) -> tuple[list[Window], bool]:
        """The sessions of a device that went with somebody, and whether all that it ever reported did."""
        if not self._windows:
            return [], False
        mark = self.mark("device", device)
        return [(device, start, end) for known, start, end in self._windows if known == mark], mark in self._devices

    def add(self, customers: Iterable[str], windows: Iterable[Window], devices: Iterable[str], at_ms: int) -> None:
        """Note an erasure, before anything is removed: from here on their records are not let in."""
        self._erased |= {self.mark("subject", name): at_ms for name in customers}
        known = {tuple(window) for window in self._windows}
        known |= {(self.mark("device", device), start, end) for device, start, end in windows}
        self._windows = [list(window) for window in sorted(known)]
        self._devices |= {self.mark("device", device) for device in devices}
        self._save()

    def hold(self, customer: str, reason: str) -> None:
        """Forbid to erase somebody."""
        self._holds[self.mark("subject", customer)] = reason
        self._save()

    def release(self, customer: str) -> bool:
        """Allow it again; False where it was not forbidden."""
        if self._holds.pop(self.mark("subject", customer), None) is None:
            return False
        self._save()
        return True

    def require_no_hold(self, customers: Collection[str]) -> None:
        """Refuse a request that is about somebody under a legal hold.

        Raises:
            ErasureError: one or more of them are.
        """
        held = [self._holds[mark] for name in sorted(customers) if (mark := self.mark("subject", name)) in self._holds]
        if held:
            who = "1 person" if len(held) == 1 else f"{len(held)} people"
            raise ErasureError(
                f"{who} of this request must not be erased, by a legal hold: {'; '.join(dict.fromkeys(held))}",
                hint="nothing was changed; `stedi hold EMAIL --release` lifts a hold, once there is no reason for it",
            )

    def relations(self) -> dict[str, pa.Table]:
        """What the engine must know to recognise them: `erased`, `erased_sessions`, and `register_key`, which carries the key."""
        self.mark("subject", "")  # makes the key
        marks, instants = list(self._erased), list(self._erased.values())
        devices, starts, ends = (
            (list(part) for part in zip(*self._windows, strict=True)) if self._windows else ([],) * 3
        )
        return {
            "register_key": key_row(self._key or b""),
            "erased": pa.table({"mark": pa.array(marks, pa.string()), "erasedAt": pa.array(instants, pa.int64())}),
            "erased_sessions": pa.table(
                {
                    "mark": pa.array(devices, pa.string()),
                    "start": pa.array(starts, pa.int64()),
                    "end": pa.array(ends, pa.int64()),
                }
            ),
        }

    def _save(self) -> None:
        content = {
            "erased": self._erased,
            "sessions": self._windows,
            "devices": sorted(self._devices),
            "holds": self._holds,
        }
        write_durably(self._file, json.dumps(content, indent=1).encode())


def write_durably(file: Path, content: bytes) -> None:
    """Write a small private file in one step; it is on the disk when this returns."""
    if is_remote(file):
        write_whole(file, content)
        return
    temporary = file.with_name(file.name + ".tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
    sync(temporary)
    temporary.replace(file)
    sync(file)


def _new_key(file: Path) -> bytes:
    key = secrets.token_bytes(_BYTES)
    write_durably(file, key.hex().encode() + b"\n")
    return key


def _key(file: Path) -> bytes:
    try:
        key = bytes.fromhex((read_whole(file) or b"").decode("ascii").strip())
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(key) != _BYTES:
        raise PseudonymKeyError(
            "the key of the list of erased people is damaged", where=str(file), hint="restore it from a backup"
        )
    return key
