"""Check the certificate of an erasure: was it signed here, and does its claim hold today."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stedi.config import Settings
from stedi.errors import ErasureError
from stedi.places import place
from stedi.privacy.certificate import Scan, changed_files, public_key, read
from stedi.privacy.pseudonyms import check_key, pseudonym
from stedi.privacy.register import Register
from stedi.privacy.subjects import Subjects
from stedi.runs.books import other_customers
from stedi.runs.stage import Progress


@dataclass(frozen=True)
class Verified:
    """What a look at a certificate found. Its signature is right, or it would be an error.

    Attributes:
        at: when it was issued, ISO 8601.
        people: how many it is about.
        public_key: that it was signed with.
        ours: whether that is the key of this lakehouse.
        files: number of files that were searched then.
        changed: those of them that hold something else by now; a run writes anew what it changes.
        gone: those of them that are gone by now.
        known_again: people whom the tables know: they registered anew, or the claim holds no more.
        found: files that name them today; None where their emails were not given.
    """

    at: str
    people: int
    public_key: str
    ours: bool
    files: int
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    known_again: int
    found: tuple[str, ...] | None

    @property
    def holds(self) -> bool:
        """Whether the claim holds today, as far as was looked."""
        return self.ours and not self.known_again and not self.found


def verify_certificate(settings: Settings, file: Path, emails: list[str], progress: Progress) -> Verified:
    """Check a certificate; with emails every byte is searched anew.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is no certificate.
        ErasureError: it was changed since it was signed, or is not about these people.
    """
    claim, signed_with = read(file)
    register, marks = Register.load(settings.key_file), set(claim["subjects"])
    asked = Subjects(emails)
    if any(register.mark("subject", name) not in marks for name in asked.customers):
        raise ErasureError("the certificate is not about these people", where=str(file), hint="check the emails")
    customers = other_customers(settings)
    changed, gone = changed_files(claim, settings.s3.options())
    return Verified(
        claim["at"],
        len(marks),
        signed_with,
        signed_with == public_key(settings.key_file),
        len(claim["searched"]["files"]),
        tuple(changed),
        tuple(gone),
        sum(register.mark("subject", name) in marks for name in customers),
        _search(settings, claim["folders"], asked, customers, progress) if asked.customers else None,
    )


def _search(
    settings: Settings, folders: list[str], asked: Subjects, customers: list[str], progress: Progress
) -> tuple[str, ...]:
    key = check_key(settings.key_file, None)
    needles, _ = asked.identifiers(lambda kind, value: pseudonym(key, kind, value))
    others = [name for name in customers if name not in asked.customers]
    places = [place(folder, settings.s3.options()) for folder in folders]
    found = Scan(needles, others).search(places, progress)
    return tuple(file.name for file in found if file.found)
