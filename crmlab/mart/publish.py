"""A snapshot becomes visible by one atomic rename, after every byte of it is on disk."""

import fcntl
import filecmp
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crmlab.errors import InputError
from crmlab.mart.snapshot import POINTER, SNAPSHOTS

BESIDE = ".building-"


@contextmanager
def alone(mart: Path) -> Iterator[None]:
    """Be the only one who writes to a mart; the system gives the place free again however the process ends.

    Raises
    ------
    InputError
        When another process builds this mart.
    """
    mart.mkdir(parents=True, exist_ok=True)
    handle = os.open(mart, os.O_RDONLY)
    try:
        _claim(handle, mart)
        yield
    finally:
        os.close(handle)


def _claim(handle: int, mart: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"Another build is writing to {mart}. Wait for it, or name another --mart.") from None


def publish(mart: Path, name: str, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a folder beside the mart, then make it the snapshot that the mart points to.

    Whatever goes wrong before the last rename leaves the mart as it was.

    Parameters
    ----------
    mart
        Folder of the mart; made if absent.
    name
        Name of the snapshot, made from everything that decides its content: an undamaged one of the same name stays.
    write
        Fills the empty folder it is given.

    Returns
    -------
    Path
        The folder of the published snapshot.
    """
    snapshots = mart / SNAPSHOTS
    snapshots.mkdir(parents=True, exist_ok=True)
    _remove_left_over(snapshots)
    beside = snapshots / f"{BESIDE}{name}"
    beside.mkdir()
    write(beside)
    _sync(beside)
    final = snapshots / name
    if final.exists() and not _equal(beside, final):
        final.rename(snapshots / f"{BESIDE}damaged")
    if not final.exists():
        beside.rename(final)
        _sync_one(snapshots)
    _point(mart, name)
    _remove_left_over(snapshots)
    return final


def _remove_left_over(snapshots: Path) -> None:
    for left in snapshots.glob(f"{BESIDE}*"):
        shutil.rmtree(left)


def _equal(new: Path, old: Path) -> bool:
    """Whether each file of a folder stands in another with the same bytes."""
    files = [path.relative_to(new) for path in new.rglob("*") if path.is_file()]
    _, differ, absent = filecmp.cmpfiles(new, old, files, shallow=False)
    return not (differ or absent)


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
