"""The proof that somebody is gone (SPEC 6): every byte that is left is searched for them, and what was searched is signed.

The scan knows nothing of tables and snapshots: it takes every file in the folders, reads its bytes, and what they hold once unpacked
(gzip, zstd, Parquet with its footer, the blocks of Avro), and looks for the emails and the pseudonyms in any case, escaped or not.

The certificate holds no email: people are keyed hashes, and their identifiers are counted. It is signed with Ed25519; the key lies
beside the pseudonym key, and the certificate carries the public half. Who wants to be sure compares that with the one they know.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

import pyarrow as pa
import pyarrow.compute as pc
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stedi.aws import S3Options
from stedi.errors import ConfigError, ErasureError, NotFoundError
from stedi.objects import S3Object, current_object, opened_object, versions_below, versions_of
from stedi.places import Place, about, is_remote, is_uri, read_whole
from stedi.privacy.needles import Needles
from stedi.privacy.register import write_durably
from stedi.privacy.subjects import plain

if TYPE_CHECKING:
    from stedi.places import S3Path

_CHUNK = 32 << 20
#: Rows of a Parquet file that are unpacked at a time.
_ROWS = 1 << 18
#: Chunks overlap by so many bytes, so that nothing is cut in two.
_OVERLAP = 4096
_MARKS: dict[bytes, Literal["gzip", "zstd"]] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True)
class Searched:
    """A file that was searched. `found` counts how often something that was looked for stands in it; of an object a version is told."""

    path: str
    sha256: str
    bytes: int
    found: int
    version: str | None = None

    @property
    def name(self) -> str:
        """What it is called where versions are told apart."""
        return f"{self.path}?versionId={self.version}" if self.version else self.path

    def as_dict(self) -> dict[str, str | int]:
        """The file as a certificate names it."""
        version: dict[str, str | int] = {"version": self.version} if self.version else {}
        return {"path": self.path, **version, "bytes": self.bytes, "sha256": self.sha256}


class Scan:
    """A search of folders for texts.

    Args:
        needles: what is looked for, in lower case.
        allowed: longer texts that hold a needle and belong to somebody else, such as another email.
    """

    def __init__(self, needles: Iterable[str], allowed: Iterable[str] = ()) -> None:
        known = set(needles)
        self._needles = Needles(known)
        texts = list(allowed)
        longer = self._needles.which([text.encode() for text in texts])
        self._allowed = sorted((text for text, holds in zip(texts, longer, strict=True) if holds), key=len)[::-1]
        beyond = [r"[^\x00-\x7f]{2}"] if any(not needle.isascii() for needle in known) else []
        self._odd = "|".join([r"\\u[0-9a-fA-F]{4}", *beyond])

    def search(self, folders: Sequence[Place], progress: Callable[[str, int, int], None]) -> list[Searched]:
        """Search every file in some folders, and single files; links are followed, each file is read once.

        Of a place on S3 it is every version of every object below it.

        Raises:
            ErasureError: an object cannot be read, or versions may not be listed.
        """
        here = [folder for folder in folders if not is_remote(folder)]
        files: list[Path | S3Object] = [
            Path(path) for path in sorted({os.path.realpath(path) for folder in here for path in _files(folder)})
        ]
        objects = {found.name: found for folder in folders if is_remote(folder) for found in _objects(folder)}
        files += objects.values()
        found = []
        with ThreadPoolExecutor(2) as pool:
            for number, searched in enumerate(pool.map(self._file, files)):
                progress("searching every byte", number, len(files))
                found += [searched] if searched else []
        return found

    def _file(self, file: Path | S3Object) -> Searched | None:
        if isinstance(file, S3Object):
            with opened_object(file, ErasureError) as content:
                digest, hits = self._content(content, content)
            return Searched(file.path, digest, file.size, hits, file.version if file.name != file.path else None)
        if not file.is_file():
            return None
        with file.open("rb") as content:
            digest, hits = self._content(content, file)
        return Searched(str(file), digest, file.stat().st_size, hits)

    def _content(self, content: BinaryIO, source: Path | BinaryIO) -> tuple[str, int]:
        """The SHA-256 of a file, and how often something stands in it; `source` is where it is unpacked from."""
        digest, hits = hashlib.sha256(), 0
        begin = content.read(4)
        content.seek(0)
        for chunk in _chunks(content.read):
            digest.update(chunk[1])
            hits += self._count(chunk[0] + chunk[1])
        content.seek(0)
        for text in _unpacked(source, begin):
            hits += self._count(text)
        return digest.hexdigest(), hits

    def _count(self, content: bytes) -> int:
        odd = pc.match_substring_regex(pa.array([content], pa.large_binary()), self._odd)[0].as_py()
        if not odd and not self._needles.find(content.lower()):
            return 0
        text = content.decode("utf-8", "replace")
        return max(self._hits(text.lower()), self._hits(plain(text)))

    def _hits(self, text: str) -> int:
        for longer in self._allowed:
            text = text.replace(longer, "")
        return len(self._needles.find(text.encode("utf-8", "surrogatepass")))


def issue(file: Path, claim: dict[str, Any], key_file: Path) -> None:
    """Sign a claim and write the certificate, a JSON file."""
    key = _signing_key(key_file.with_name(key_file.name + ".certificates.key"))
    text = _canonical(claim)
    write_durably(
        file,
        json.dumps(
            {
                "claim": claim,
                "publicKey": key.public_key().public_bytes_raw().hex(),
                "signature": key.sign(text).hex(),
            },
            indent=1,
        ).encode(),
    )


def read(file: Path) -> tuple[dict[str, Any], str]:
    """The claim of a certificate, its signature checked, and the public key that it was signed with.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is no certificate.
        ErasureError: it was changed since it was signed.
    """
    content = read_whole(file)
    if content is None:
        raise NotFoundError("there is no such certificate", where=str(file), hint="check the path")
    try:
        found = json.loads(content)
        claim, public, signature = found["claim"], found["publicKey"], bytes.fromhex(found["signature"])
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, _canonical(claim))
    except InvalidSignature:
        raise ErasureError(
            "the certificate was changed since it was signed", where=str(file), hint="ask for the original"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError("this is no certificate", where=str(file), hint="name a file that an erasure wrote") from None
    return claim, public


def changed_files(claim: dict[str, Any], options: S3Options) -> tuple[list[str], list[str]]:
    """Files that were searched and hold something else today, and files that are gone; `options` say how S3 is reached."""
    changed, gone = [], []
    for entry in claim["searched"]["files"]:
        digest = _digest(entry["path"], entry.get("version", ""), options)
        if digest is None:
            gone.append(entry["path"])
        elif digest != entry["sha256"]:
            changed.append(entry["path"])
    return changed, gone


def _digest(path: str, version: str, options: S3Options) -> str | None:
    """The SHA-256 of a file, or of a version of an object; None where it is gone."""
    if is_uri(path):
        found = current_object(path, options, ErasureError, version)
        if found is None:
            return None
        with opened_object(found, ErasureError) as content:
            return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type] # it can be read into a buffer
    if not Path(path).is_file():
        return None
    with Path(path).open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def public_key(key_file: Path) -> str | None:
    """The public key of the certificates of this lakehouse; None where it never issued one."""
    file = key_file.with_name(key_file.name + ".certificates.key")
    return _signing_key(file).public_key().public_bytes_raw().hex() if about(file) else None


def _files(top: Path) -> Iterator[Path]:
    """A file, or all files in a folder at any depth. A folder that can be reached in two ways is looked at once."""
    if top.is_file():
        yield top
    seen: set[str] = set()
    for folder, below, names in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        yield from (Path(folder, name) for name in names)


def _objects(place: S3Path) -> Iterator[S3Object]:
    """Every version of the object of this name, or of all objects below it."""
    yield from versions_of(place, ErasureError)[0] if place.key else []
    yield from versions_below(place, ErasureError)


def _chunks(read: Callable[[int], bytes]) -> Iterator[tuple[bytes, bytes]]:
    """What is read, in chunks, each with the end of the one before."""
    before = b""
    while chunk := read(_CHUNK):
        yield before, chunk
        before = (before + chunk)[-_OVERLAP:]


def _unpacked(source: Path | BinaryIO, begin: bytes) -> Iterator[bytes]:
    """What the bytes of a file hold, which begins with some of them."""
    packing = next((name for mark, name in _MARKS.items() if begin.startswith(mark)), None)
    if packing:
        raw = pa.OSFile(str(source), "rb") if isinstance(source, Path) else pa.PythonFile(cast(io.IOBase, source), "r")
        stream = pa.CompressedInputStream(raw, packing)
        yield from (before + chunk for before, chunk in _chunks(stream.read))
    elif begin == b"PAR1":
        yield from _parquet(source)
    elif begin == b"Obj\x01":
        yield from _avro(source.read_bytes() if isinstance(source, Path) else source.read())


def _parquet(source: Path | BinaryIO) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    whole: Any = source if isinstance(source, Path) else pa.BufferReader(source.read())
    with pq.ParquetFile(whole) as file:
        texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    if not isinstance(whole, Path):
        whole.seek(0)
    with pq.ParquetFile(whole, read_dictionary=texts) as file:  # a text that stands in many rows is unpacked once
        yield str(file.metadata.to_dict()).encode()
        for batch in file.iter_batches(_ROWS, columns=texts):
            yield from (_joined(column) for column in batch.columns)


def _joined(column: Any) -> bytes:
    """The texts of a column with a dictionary, each once, a line each."""  # typed Any: PyArrow's hints know too little of it
    known = column.dictionary.drop_null()
    everything: Any = pa.LargeListArray.from_arrays(pa.array([0, len(known)], pa.int64()), known)
    joined: Any = pc.binary_join(everything, "\n")
    return bytes(joined[0].as_buffer())


def _avro(content: bytes) -> Iterator[bytes]:
    """The blocks of an Avro file: each ends with the mark that ends the file, and begins with two numbers."""
    for block in content.split(content[-16:])[1:-1]:
        at = _past_number(block, _past_number(block, 0))
        try:
            yield zlib.decompress(block[at:], -15)
        except zlib.error:  # not compressed: its bytes were searched as they are
            continue


def _past_number(block: bytes, at: int) -> int:
    while at < len(block) and block[at] & 0x80:
        at += 1
    return at + 1


def _signing_key(file: Path) -> Ed25519PrivateKey:
    if about(file) is None:
        write_durably(file, Ed25519PrivateKey.generate().private_bytes_raw().hex().encode() + b"\n")
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex((read_whole(file) or b"").decode("ascii").strip()))


def _canonical(claim: dict[str, Any]) -> bytes:
    return json.dumps(claim, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
