"""The landing files of an erasure (SPEC 6): which hold somebody, each replaced by one without them, and old versions of objects deleted.

1. Search: every file that may hold records of theirs, and every earlier version of landing objects, which no table tells of.
2. Check: whatever forbids to delete a version is told before anything is changed.
3. Note in the journal which versions are to go; note each file before it is replaced, with the version that this leaves behind.
4. Replace the files, then delete those versions. After a kill the journal knows what was to go, whoever the people were.
5. Look again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import BinaryIO

from stedi.aws import S3Options
from stedi.errors import ErasureError
from stedi.ingest import raw, versions
from stedi.ingest.discover import LandingFile
from stedi.ingest.objects import current_file
from stedi.ingest.profile import opened
from stedi.places import Place, is_remote, is_uri, place
from stedi.privacy.subjects import Subjects
from stedi.runs.books import as_read
from stedi.runs.journal import Journal, Rewritten
from stedi.runs.plan import KnownFile
from stedi.runs.stage import Progress

#: Files that are prepared before the first of them is put in place.
_AHEAD = 8


@dataclass(frozen=True)
class Found:
    """What of the landing area holds records of somebody.

    Attributes:
        files: landing files as they are now.
        earlier: versions of objects that are not the current ones, and how many records of theirs each holds.
    """

    files: tuple[LandingFile, ...] = ()
    earlier: tuple[tuple[LandingFile, int], ...] = ()


class LandingFiles:
    """The landing files, for one erasure.

    Args:
        landing: the landing area.
        journal: of the erasure.
        options: how S3 is reached.
        progress: called with step, done and total.
    """

    def __init__(self, landing: Place, journal: Journal, options: S3Options, progress: Progress) -> None:
        self._landing = landing.absolute()
        self._journal, self._options, self._progress = journal, options, progress

    def elsewhere(self, files: Sequence[LandingFile]) -> list[Place]:
        """Those of the files, and of those in the journal, that do not lie in the landing area."""
        paths = {*(file.path for file in files), *self._journal.rewritten, *self._journal.versions}
        below = str(self._landing).rstrip("/") + "/"
        return [place(path, self._options) for path in sorted(paths) if not path.startswith(below)]

    def search(
        self,
        files: Sequence[LandingFile],
        earlier: Sequence[LandingFile],
        subjects: Subjects,
        known: Mapping[str, KnownFile],
        expected: Mapping[str, int],
    ) -> Found:
        """Those that hold records of theirs; no file may hold less than the tables have from it.

        Raises:
            ErasureError: one does.
        """
        self._remove_temporary(files)
        found = []
        for number, (file, records) in enumerate(zip(files, self._records(files, subjects), strict=True)):
            self._progress("searching", number, len(files) + len(earlier))
            if as_read(file, known.get(file.path)) and records < expected.get(file.path, 0):
                raise ErasureError(
                    f"the tables hold {expected[file.path]} records of theirs from a landing file in which {records} were found",
                    where=file.path,
                    hint="nothing was changed; report this",
                )
            found += [file] if records else []
        old = []
        for number, (file, records) in enumerate(zip(earlier, self._records(earlier, subjects), strict=True)):
            self._progress("searching", len(files) + number, len(files) + len(earlier))
            old += [(file, records)] if records else []
        versions.require_deletable([*found, *(file for file, _ in old)])
        return Found(tuple(found), tuple(old))

    def rewrite(self, found: Found, subjects: Subjects) -> None:
        """Replace the files, and delete the versions of objects that hold records of theirs; those that a killed erasure left, too."""
        if found.earlier:
            self._journal.note_versions([(file.path, _version(file), records) for file, records in found.earlier])
        with ThreadPoolExecutor(2) as pool:  # noted and replaced one by one, in their order
            for start in range(0, len(found.files), _AHEAD):
                part = found.files[start : start + _AHEAD]
                made = pool.map(lambda number, file: _prepare(number, file, subjects), count(), part)
                for number, (rewritten, prepared) in enumerate(made):
                    self._journal.note(rewritten)
                    _put(rewritten, prepared)
                    self._progress("rewriting landing files", start + number, len(found.files))
        self._delete_versions()

    def noted(self, path: str, known: Mapping[str, KnownFile]) -> KnownFile | None:
        """What the books are to say of a landing file that was rewritten; None where they say so, or somebody else changed it."""
        book = known.get(path)
        file = current_file(book.feed, path, self._options) if book else None
        if book is None or file is None:
            return None
        with opened(file) as content:
            digest = _sha256(content)
        ours = {book.sha256}  # what it was when it was read, and what this erasure made of that, step by step
        for step in self._journal.rewritten[path]:
            ours |= {step.after} if step.before in ours else set()
        if digest not in ours or digest == book.sha256:
            return None
        return replace(book, size=file.size, modified_ns=file.modified_ns, sha256=digest)

    def left(self, subjects: Subjects) -> list[str]:
        """Files and versions that were rewritten or deleted, and hold records of theirs all the same."""
        current = [
            file
            for path, steps in self._journal.rewritten.items()
            if (file := current_file(steps[-1].feed, path, self._options)) is not None
        ]
        paths = {path: steps[-1].feed for path, steps in self._journal.rewritten.items() if is_uri(path)}
        earlier = [file for path, feed in paths.items() for file in self._earlier(feed, path)]
        files, left = [*current, *earlier], []
        for number, (file, records) in enumerate(zip(files, self._records(files, subjects), strict=True)):
            self._progress("looking again", number, len(files))
            left += [file.name] if records else []
        return left

    def removed(self) -> dict[str, int]:
        """Records that were taken out, by landing file; those of versions that were deleted are named with their version."""
        files = {path: sum(file.records for file in done) for path, done in self._journal.rewritten.items()}
        old = {
            f"{path}?versionId={version}": records
            for path, found in self._journal.versions.items()
            for version, records in found.items()
            if records
        }
        return files | old

    def _records(self, files: Sequence[LandingFile], subjects: Subjects) -> Iterator[int]:
        """How many records of theirs each file or version holds."""
        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(lambda file: _cut(file, subjects).records, files)

    def _delete_versions(self) -> None:
        going = [(path, set(found)) for path, found in self._journal.versions.items()]
        for number, (path, ids) in enumerate(going):
            self._progress("deleting old versions", number, len(going))
            versions.delete_versions(path, ids, self._options)

    def _earlier(self, feed: str, path: str) -> list[LandingFile]:
        return versions.earlier_versions_of(feed, path, self._options)

    def _remove_temporary(self, files: Sequence[LandingFile]) -> None:
        """What a killed erasure prepared beside files of this machine."""
        paths = [*(file.path for file in files), *self._journal.rewritten]
        folders = {Path(os.path.realpath(path)).parent for path in paths if not is_uri(path)}
        raw.remove_temporary(folders if is_remote(self._landing) else {self._landing, *folders})


def _cut(file: LandingFile, subjects: Subjects) -> raw.Cut:
    return raw.cut(file, lambda text: subjects.own(file.feed, text), subjects.places)


def _prepare(number: int, file: LandingFile, subjects: Subjects) -> tuple[Rewritten, Path | versions.Replacement]:
    made = _cut(file, subjects)
    if file.object is not None:
        new = versions.prepare_object(made)
        digest = hashlib.sha256(new.content).hexdigest()
        return Rewritten(file.path, file.feed, made.sha256, digest, len(new.content), 0, made.records, new.version), new
    prepared = raw.prepare(made, f"erasure-{number}")  # two links may lead to one file
    with prepared.open("rb") as content:
        digest = _sha256(content)
    status = prepared.stat()
    facts = (made.sha256, digest, status.st_size, status.st_mtime_ns, made.records)
    return Rewritten(file.path, file.feed, *facts), prepared


def _put(rewritten: Rewritten, prepared: Path | versions.Replacement) -> None:
    if isinstance(prepared, versions.Replacement):
        versions.put_object(prepared)
    else:
        raw.put(prepared, rewritten.path)


def _version(file: LandingFile) -> str:
    return file.object.version if file.object else ""


def _sha256(content: BinaryIO) -> str:
    return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type] # every open file can be read into a buffer
