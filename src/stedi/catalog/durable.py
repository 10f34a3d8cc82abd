"""What survives a power cut: files and folders are forced to the disk before anything refers to them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def sync(*paths: Path) -> None:
    """Force files, and their entries in their folders, to the disk."""
    if len(paths) == 1:
        sync_content(paths[0])
    else:  # the disk takes many at once
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(sync_content, paths))
    for folder in {path.parent for path in paths}:
        _force(folder, os.O_RDONLY | os.O_DIRECTORY)


def sync_content(path: Path) -> None:
    """Force what a file holds to the disk. Its entry follows when its folder is synced, at the latest with the last file written there."""
    _force(path, os.O_RDONLY)


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
