"""A snapshot becomes visible by one atomic rename, after every byte of it is on disk."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from crmlab.mart.snapshot import POINTER, SNAPSHOTS

BESIDE = ".building-"


def publish(mart: Path, name: str, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a folder beside the mart, then make it the snapshot that the mart points to.

    Whatever goes wrong before the last rename leaves the mart as it was.

    Parameters
    ----------
    mart
        Folder of the mart; made if absent.
    name
        Name of the snapshot, made from everything that decides its content: one of the same name stays as it is.
    write
        Fills the empty folder it is given.

    Returns
    -------
    Path
        The folder of the published snapshot.
    """
    snapshots = mart / SNAPSHOTS
    snapshots.mkdir(parents=True, exist_ok=True)
    for left in snapshots.glob(f"{BESIDE}*"):
        shutil.rmtree(left)
    beside = snapshots / f"{BESIDE}{name}"
    beside.mkdir()
    write(beside)
    _sync(beside)
    final = snapshots / name
    if final.exists():
        shutil.rmtree(beside)
    else:
        beside.rename(final)
        _sync_one(snapshots)
    _point(mart, name)
    return final


def _point(mart: Path, name: str) -> None:
    new = mart / f".{POINTER}"
    new.write_text(name + "\n", "utf-8")
    _sync_one(new)
    new.replace(mart / POINTER)
    _sync_one(mart)


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        _sync_one(path)
    _sync_one(folder)


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
