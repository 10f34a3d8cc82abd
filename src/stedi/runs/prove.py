"""Prove that people are gone: search every byte that is left, and sign what was searched (SPEC 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from stedi import clock
from stedi.config import Settings
from stedi.errors import ErasureError
from stedi.places import Place
from stedi.privacy.certificate import Scan, Searched, issue
from stedi.privacy.pseudonyms import check_key, pseudonym
from stedi.privacy.register import Register
from stedi.privacy.subjects import Subjects
from stedi.runs.books import other_customers
from stedi.runs.stage import Progress


@dataclass(frozen=True)
class Erasure:
    """What was erased. Nothing in it is personal.

    Attributes:
        people: how many the request named.
        rows: rows that were taken out, by table.
        files: records that were taken out, by landing file.
        run: the run that took the rows out; None where the tables held none.
        let_go: earlier runs that held them, and can no longer be read.
        unpinned: those of them that were pinned, with the reason.
        expired: snapshots that were expired.
        deleted: files that were deleted.
        certificate: file of the certificate; None where there is nothing to prove.
        searched: files that were searched for it.
    """

    people: int
    rows: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    run: int | None = None
    let_go: tuple[int, ...] = ()
    unpinned: dict[int, str] = field(default_factory=dict)
    expired: int = 0
    deleted: int = 0
    certificate: str | None = None
    searched: int = 0

    @property
    def known(self) -> bool:
        """Whether anything was held about any of them."""
        return any(self.rows.values()) or any(self.files.values()) or self.expired > 0


def prove(
    settings: Settings,
    places: Sequence[Place],
    done: Erasure,
    subjects: Subjects,
    progress: Progress,
    reason: str | None = None,
    certificate: Path | None = None,
) -> Erasure:
    """Search for people in some folders and files, and write the certificate, by default beside the pseudonym key.

    Everything in them is read, however little the erasure itself had to read: this is what makes it a proof.

    Raises:
        ErasureError: something is left.
    """
    key = check_key(settings.key_file, None)
    needles, counts = subjects.identifiers(lambda kind, value: pseudonym(key, kind, value))
    found = Scan(needles, other_customers(settings)).search(places, progress)
    if left := [file.name for file in found if file.found]:
        raise ErasureError(
            f"{len(left)} files still name somebody of this request: {', '.join(left)}",
            where=str(settings.lakehouse),
            hint="what was theirs is gone; see who else names them in these files, mend them, and forget again",
        )
    at, folder = clock.now(), settings.lakehouse.absolute()
    marks = [Register.load(settings.key_file).mark("subject", name) for name in sorted(subjects.customers)]
    beside = settings.key_file.absolute().with_name(f"{folder.name}.erased-{at:%Y%m%dT%H%M%S%f}.json")
    file = (certificate or beside).absolute()
    issue(file, _claim(at, reason, marks, places, done, counts, found), settings.key_file)
    return replace(done, certificate=str(file), searched=len(found))


def _claim(
    at: datetime,
    reason: str | None,
    marks: list[str],
    places: Sequence[Place],
    done: Erasure,
    counts: dict[str, int],
    found: Sequence[Searched],
) -> dict[str, Any]:
    return {
        "what": "nothing of these people is left in these folders",
        "at": at.isoformat(timespec="seconds"),
        "reason": reason,
        "subjects": marks,
        "folders": [str(place) for place in places],
        "removed": {
            "rows": done.rows,
            "landingFiles": [{"path": path, "records": records} for path, records in done.files.items()],
            "runs": list(done.let_go),
            "snapshots": done.expired,
            "files": done.deleted,
        },
        "searched": {
            "for": counts,
            "bytes": sum(file.bytes for file in found),
            "files": [file.as_dict() for file in found],
        },
    }
