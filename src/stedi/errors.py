"""Every error the lakehouse raises on purpose.

    StediError                  code            exit
    ├── ConfigError             CONFIG          2    a setting, an option or an argument is wrong
    ├── LandingError            LANDING         3    the landing area is missing, empty or cannot be read
    ├── LakehouseError          LAKEHOUSE       4    no lakehouse here, a damaged one, one of a newer version
    │   └── LockedError         LOCKED          5    somebody else is writing
    ├── NotFoundError           NOT_FOUND       6    no such table, run or file
    ├── QueryError              QUERY           7    SQL that does not parse, writes, or leaves the lakehouse
    ├── AuditError              AUDIT           8    a derived table breaks its contract; nothing was committed
    ├── StorageError            STORAGE         9    the disk is full or cannot be written
    ├── PseudonymKeyError       PSEUDONYM_KEY   10   the key is lost, damaged or open to others
    ├── ErasureError            ERASURE         13   somebody may not be erased, or is not gone for certain
    └── EngineError             ENGINE          11   the engine failed for another reason
        └── DataError           DATA            12   data is not what the engine was told to expect

No message holds a value from the data: no email, name, serial number or free text (see tests/cli/test_canary.py).
"""

from __future__ import annotations


class StediError(Exception):
    """Root of all errors raised on purpose.

    Attributes:
        code: stable name for machines; see the table above.
        exit_code: what the command line exits with.
        where: file, table or setting that the error is about; never a value from the data.
        hint: the next step, in words that can be followed.
    """

    code = "STEDI"
    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def as_dict(self) -> dict[str, str | None]:
        """The error as a machine reads it (`--json`)."""
        return {"code": self.code, "message": self.message, "where": self.where, "hint": self.hint}


class ConfigError(StediError):
    """A setting, an option or an argument is wrong."""

    code, exit_code = "CONFIG", 2


class LandingError(StediError):
    """The landing area is missing, empty, or holds a file that cannot be read."""

    code, exit_code = "LANDING", 3


class LakehouseError(StediError):
    """There is no lakehouse here, or it is damaged, or of a newer version."""

    code, exit_code = "LAKEHOUSE", 4


class LockedError(LakehouseError):
    """Another process is writing to this lakehouse."""

    code, exit_code = "LOCKED", 5


class NotFoundError(StediError):
    """No such table, run or file in this lakehouse."""

    code, exit_code = "NOT_FOUND", 6


class QueryError(StediError):
    """SQL that does not parse, tries to write, or tries to leave the lakehouse."""

    code, exit_code = "QUERY", 7


class AuditError(StediError):
    """A derived table breaks its contract. Nothing was committed."""

    code, exit_code = "AUDIT", 8


class StorageError(StediError):
    """The disk is full or cannot be written. Nothing was published."""

    code, exit_code = "STORAGE", 9


class PseudonymKeyError(StediError):
    """The pseudonym key is lost, damaged or readable by others."""

    code, exit_code = "PSEUDONYM_KEY", 10


class ErasureError(StediError):
    """Somebody may not be erased, or the books and the files do not agree about them, or they are not gone for certain."""

    code, exit_code = "ERASURE", 13


class EngineError(StediError):
    """The engine failed. Its own message is left out: engines quote values from the data."""

    code, exit_code = "ENGINE", 11


class DataError(EngineError):
    """Data is not what the engine was told to expect; inside a run this sends a file to be salvaged."""

    code, exit_code = "DATA", 12
