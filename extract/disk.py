"""The folders that the pipeline writes to: whether it may, and whether their disk is full."""

import errno
import os
import pwd
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from extract.errors import causes
from extract.settings import Settings

LITTLE = 64 << 20  # bytes free, with which no load succeeds for sure
FULL = re.compile("No space left|Disk quota exceeded|out of disk space|could not allocate block", re.IGNORECASE)


def list_folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yields each folder that loads are written to, with the setting that names it."""
    yield "EXTRACT_WORK", settings.work
    if not settings.redshift:
        yield "WAREHOUSE_PATH", settings.warehouse.parent


def find_fault(setting: str, place: Path) -> str | None:
    """Returns why a folder, or a file in it, cannot be written to, and what to do about it; None if it can."""
    path = place.absolute()
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    elsewhere = f"or set {setting} to another place"
    if existing != path and not existing.is_dir():
        return f"{place}: {existing} is a file: move it away, {elsewhere}"
    needed = os.W_OK | (os.X_OK if existing.is_dir() else os.R_OK)
    if not os.access(existing, needed, effective_ids=True):
        owner, user = name_of(existing.stat().st_uid), name_of(os.geteuid())
        return f"{place}: user {user} may not write to {existing}, of user {owner}: grant that, {elsewhere}"
    disk = shutil.disk_usage(existing)
    if disk.free < LITTLE and disk.total:  # not one that only looks like a disk
        return f"{place}: the disk is full ({disk.free / 2**20:.1f} MiB free): free some space, {elsewhere}"
    return None


def name_of(user: int) -> str:
    """Returns a user's name, or the number if it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def explain_full_disk(error: BaseException, settings: Settings) -> str | None:
    """Returns which folder's disk an error says to be full, and what to do about it; None if it says no such thing.

    To be called before what a load has written is removed.
    """
    if not any(
        (isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)) or FULL.search(str(cause))
        for cause in causes(error)
    ):
        return None
    faults = (find_fault(setting, folder) for setting, folder in list_folders(settings))
    return next((fault for fault in faults if fault), None)
