"""Landing files that are objects on S3: find them, and fetch them for a run (SPEC 1).

A run fetches the objects that it has to read, two at a time, into its scratch folder, and removes each as soon as it was read; whatever a
killed run leaves there, the next one removes. Whoever else reads one, reads it without a copy that could be left.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from stedi.aws import S3Options
from stedi.contracts import FEEDS
from stedi.errors import LandingError
from stedi.ingest.discover import LandingFile, is_data, landing_file
from stedi.objects import S3Object, address_of, copy_object, current_object, objects_below
from stedi.places import is_uri

if TYPE_CHECKING:
    from stedi.places import S3Path

#: Objects fetched together, and about how many bytes: twice that lies on the disk at most, or as much as two large objects.
_WAVE_FILES, _WAVE_BYTES = 64, 256 << 20


def discover_objects(landing: S3Path) -> tuple[tuple[LandingFile, ...], int]:
    """Find the objects of each feed, by feed and key; with them the number of other objects below the prefixes of the feeds.

    Raises:
        LandingError: the bucket is missing or may not be listed.
    """
    listed = [(feed, found) for feed in FEEDS for found in objects_below(landing / feed, LandingError)]
    visible = [(feed, found) for feed, found in listed if is_visible(landing, found.path)]
    files = tuple(landing_object(feed, found) for feed, found in visible if is_data(found.path))
    return files, len(visible) - len(files)


def is_visible(landing: S3Path, path: str) -> bool:
    """Whether an object delivers something: it stands for no folder, and no name below the landing area begins with a dot or underscore."""
    below = address_of(path)["Key"].removeprefix(landing.key.rstrip("/"))
    return not path.endswith("/") and not any(part.startswith((".", "_")) for part in below.split("/") if part)


def landing_object(feed: str, found: S3Object) -> LandingFile:
    """An object as a landing file. Its time is to the second, as S3 tells it; the rest of the digits stand for its ETag."""
    etag = int(sha256(found.etag.encode()).hexdigest(), 16) % 1_000_000_000
    return LandingFile(feed, found.path, found.size, found.modified_s * 1_000_000_000 + etag, found)


def current_file(feed: str, path: str, options: S3Options) -> LandingFile | None:
    """A landing file or object as it is now; None where there is none.

    Raises:
        LandingError: it cannot be read.
    """
    if is_uri(path):
        found = current_object(path, options, LandingError)
        return landing_object(feed, found) if found else None
    return landing_file(feed, Path(path)) if Path(path).is_file() else None


def fetched(files: Sequence[LandingFile], scratch: Path) -> Generator[list[LandingFile]]:
    """Landing files in waves, those that are objects fetched into a folder; a wave is removed when the next one is asked for.

    The next wave is fetched while this one is read. Files that are here, or were fetched, are one wave.

    Raises:
        LandingError: an object changed since it was listed, or is gone, or cannot be read.
    """
    if here := [file for file in files if not file.is_far]:
        yield here
    waves = list(_waves([file for file in files if file.is_far]))
    if not waves:
        return
    scratch.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        try:
            asked = [_asked(pool, waves, number, scratch) for number in (0, 1)]
            for number in range(len(waves)):
                wave = [future.result() for future in asked[number]]
                yield wave
                for file in wave:
                    Path(file.readable).unlink()
                asked.append(_asked(pool, waves, number + 2, scratch))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _waves(files: Sequence[LandingFile]) -> Iterator[list[LandingFile]]:
    wave: list[LandingFile] = []
    for file in files:
        if wave and (len(wave) == _WAVE_FILES or sum(f.size for f in wave) + file.size > _WAVE_BYTES):
            yield wave
            wave = []
        wave.append(file)
    if wave:
        yield wave


def _asked(
    pool: ThreadPoolExecutor, waves: Sequence[Sequence[LandingFile]], number: int, scratch: Path
) -> list[Future[LandingFile]]:
    wave = waves[number] if number < len(waves) else []
    return [pool.submit(_fetch, file, scratch / f"object-{number}-{place}") for place, file in enumerate(wave)]


def _fetch(file: LandingFile, to: Path) -> LandingFile:
    if file.object is None:
        return file
    with to.open("xb") as out:
        to.chmod(0o600)
        copy_object(file.object, out, LandingError)
    return replace(file, copy=str(to))
