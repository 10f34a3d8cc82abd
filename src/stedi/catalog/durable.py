"""What survives a power cut: files and folders are forced to the disk before anything refers to them."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file, and its entry in its folder, to the disk."""
    _force(path, os.O_RDONLY)
    _force(path.parent, os.O_RDONLY | os.O_DIRECTORY)


def make_folder(path: Path) -> None:
    """Make a folder and those above it where they are missing; their entries are forced to the disk."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        _force(folder.parent, os.O_RDONLY | os.O_DIRECTORY)


def _force(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
