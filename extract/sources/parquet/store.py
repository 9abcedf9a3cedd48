"""Where the files of a drop are: a folder of this machine or a bucket, each read and written by paths below its root.

Whoever may put files into a drop is not trusted. In a folder they can put links and pipes too: no link below the root
is ever followed, neither to read nor to write, and nothing but a regular file is opened. Every path is opened folder
by folder, so that a link that replaces a folder in between is not followed either.
"""

import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Protocol
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

REJECTED = "_rejected"
UNFINISHED = "_temporary"  # in the folder of a table while Hadoop's committers, Spark's too, write to it

DEEPEST = 16  # folders in one another; the files of a table are in the second one
VERSION = "?versionId="  # after it, s3fs expects the version of an object
LONGEST_NAME = 240  # bytes; most file systems have 255
LONGEST_PATH = 900  # bytes; S3 has 1,024 for a key with the prefix of the drop
SETTLED = 60  # seconds after which a file of the same size and times has the same content

KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


@dataclass(frozen=True)
class Entry:
    """What a store has at a path below its root; `fault` says why it cannot be a file of a table."""

    path: str
    etag: str | None = None  # identifies the content, where the store has one
    stamp: str | None = None  # stays the same as long as the content does; None if that is not certain
    fault: str | None = None


class Store(Protocol):
    """The files below a root. A path is relative to it, with slashes."""

    @property
    def root(self) -> str | Path:
        """The root, for people."""

    def find(self, under: str = "") -> Iterator[Entry]:
        """Yields every entry that is not hidden, in no order.

        Raises:
            OSError: if the root cannot be listed, FileNotFoundError if it does not exist.
        """

    def exists(self, path: str) -> bool:
        """Returns whether there is anything at a path."""

    def open(self, path: str) -> BufferedReader:
        """Opens a file to read it."""

    def size(self, path: str) -> int:
        """Returns the file's size in bytes."""

    def copy(self, path: str, copy: str) -> None:
        """Copies a file within the store."""

    def write(self, path: str, content: bytes) -> None:
        """Writes a file."""

    def put(self, file: Path, path: str) -> str:
        """Copies a file of this machine into the store; an existing one is replaced. Returns its address."""


def open_store(url: str) -> Store:
    """Returns the store at a folder or `s3://bucket/prefix`."""
    fs, root = fsspec.core.url_to_fs(url)
    return Folder(Path(root)) if isinstance(fs, LocalFileSystem) else Bucket(fs, root.rstrip("/"))


@dataclass(frozen=True)
class Folder:
    """A folder of this machine. The root itself may be a link: it comes from the settings."""

    root: Path

    def find(self, under: str = "") -> Iterator[Entry]:
        """Yields every entry that is not hidden; a folder that cannot be listed is an entry with a fault."""
        first = split(under)
        pending = [first]
        while pending:
            folder = pending.pop()
            try:
                with self._enter(folder) as descriptor, os.scandir(descriptor) as found:
                    for entry in found:
                        parts = (*folder, entry.name)
                        if is_hidden(parts):
                            continue
                        path = "/".join(parts)
                        if not entry.is_dir(follow_symlinks=False):
                            with suppress(FileNotFoundError):  # deleted since
                                yield look_at(path, entry.stat(follow_symlinks=False))
                        elif len(parts) < DEEPEST:
                            pending.append(parts)
                        else:
                            yield Entry(path, fault=f"expected no more than {DEEPEST} folders in one another")
            except OSError as error:
                if folder == first:
                    raise
                if not isinstance(error, FileNotFoundError):
                    yield Entry("/".join(folder), fault=f"the folder cannot be listed: {error.strerror}")

    def exists(self, path: str) -> bool:
        """Returns whether there is anything at a path."""
        *folder, name = split(path)
        try:
            with self._enter(folder) as descriptor:
                os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def open(self, path: str) -> BufferedReader:
        """Opens a regular file to read it.

        Raises:
            OSError: if it is something else by now.
        """
        *folder, name = split(path)
        with self._enter(folder) as parent:
            # A pipe without a writer must not block.
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
        stream = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            stream.close()
            raise OSError(errno.EINVAL, "expected a regular file", path)
        return stream

    def size(self, path: str) -> int:
        """Returns the file's size in bytes."""
        with self.open(path) as stream:
            return os.fstat(stream.fileno()).st_size

    def copy(self, path: str, copy: str) -> None:
        """Copies a file; whom its mode keeps from reading it may not read its copy."""
        with self.open(path) as stream:
            status = os.fstat(stream.fileno())
            with self._replace(copy, status.st_mode & 0o666) as target:
                if os.fstat(target.fileno()).st_gid != status.st_gid:  # its group may do what others may
                    others = status.st_mode & 0o006
                    os.fchmod(target.fileno(), (status.st_mode & 0o600) | others << 3 | others)
                shutil.copyfileobj(stream, target, 1 << 20)

    def write(self, path: str, content: bytes) -> None:
        """Writes a file."""
        with self._replace(path) as target:
            target.write(content)

    def put(self, file: Path, path: str) -> str:
        """Copies a file into the folder; returns its address."""
        with Folder(file.absolute().parent).open(file.name) as stream, self._replace(path) as target:
            shutil.copyfileobj(stream, target, 1 << 20)
        return f"file://{self.root}/{path}"

    @contextmanager
    def _replace(self, path: str, mode: int = 0o666) -> Iterator[IO[bytes]]:
        """Opens a file to write it, which then takes its place as a whole; missing folders are created."""
        *folder, name = split(path)
        temporary = f".{uuid4().hex}"
        with self._enter(folder, create=True) as parent:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, dir_fd=parent)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    yield stream
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                os.unlink(temporary, dir_fd=parent)
                raise

    @contextmanager
    def _enter(self, folder: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """Yields the descriptor of a folder below the root.

        Raises:
            OSError: if a part of its path is a link or no folder.
        """
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for number, part in enumerate(folder, 1):
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=descriptor)
                try:
                    below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
                except OSError as error:
                    if error.errno not in (errno.ENOTDIR, errno.ELOOP):  # which of them, depends on the system
                        raise
                    path = "/".join(folder[:number])
                    raise NotADirectoryError(errno.ENOTDIR, "expected a folder that is no link", path) from error
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class Bucket:
    """A bucket, or a part of one. Its keys can have every character, and parts that are empty."""

    fs: Any  # fsspec has no types
    root: str

    def find(self, under: str = "") -> Iterator[Entry]:
        """Yields every object that is not hidden."""
        self.fs.invalidate_cache()
        found = self.fs.find(self._locate(under) if under else self.root, detail=True)
        if not found:
            raise FileNotFoundError(errno.ENOENT, "no object", self._locate(under))
        for name, info in found.items():
            path = name.removeprefix(f"{self.root}/")
            # S3's console makes an object to show a folder.
            if path != name and not name.endswith("/") and not is_hidden(split(path)):
                fault = f"expected a key without {VERSION}; rename it" if VERSION in path else None
                yield Entry(path, str(info.get("ETag", "")).strip('"') or None, fault=fault)

    def exists(self, path: str) -> bool:
        """Returns whether there is an object at a path."""
        return bool(self.fs.exists(self._locate(path)))

    def open(self, path: str) -> BufferedReader:
        """Opens an object to read it."""
        stream: BufferedReader = self.fs.open(self._locate(path))
        return stream

    def size(self, path: str) -> int:
        """Returns the object's size in bytes."""
        return int(self.fs.size(self._locate(path)))

    def copy(self, path: str, copy: str) -> None:
        """Copies an object."""
        self.fs.cp_file(self._locate(path), self._locate(copy))  # `copy` would take [ and * for a pattern

    def write(self, path: str, content: bytes) -> None:
        """Writes an object."""
        self.fs.pipe_file(self._locate(path), content)

    def put(self, file: Path, path: str) -> str:
        """Copies a file into the bucket; returns its address."""
        self.fs.put_file(str(file), self._locate(path))
        return str(self.fs.unstrip_protocol(self._locate(path)))

    def _locate(self, path: str) -> str:
        if VERSION in path:  # s3fs would take another key
            raise OSError(errno.EINVAL, f"expected a key without {VERSION}", path)
        return f"{self.root}/{path}"


def shorten(path: str) -> str:
    """Returns a path that every store can have: what is too long is cut off, and its hash takes the place."""
    return _cut("/".join(_cut(part, LONGEST_NAME) for part in path.split("/")), LONGEST_PATH)


def _cut(text: str, most: int) -> str:
    content = text.encode()
    if len(content) <= most:
        return text
    return f"{content[: most - 17].decode(errors='ignore')}.{hashlib.sha256(content).hexdigest()[:16]}"


def split(path: str) -> tuple[str, ...]:
    """Returns the parts of a path; those of a key may be empty."""
    return tuple(path.split("/")) if path else ()


def look_at(path: str, status: os.stat_result) -> Entry:
    """Returns the entry of what is no folder."""
    if kind := KINDS.get(stat.S_IFMT(status.st_mode)):
        return Entry(path, fault=f"expected a file, got {kind}; remove it, or put a file in its place")
    stamp = f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    settled = time.time() - max(status.st_mtime, status.st_ctime) > SETTLED
    return Entry(path, stamp=stamp if settled else None)


def is_hidden(parts: tuple[str, ...]) -> bool:
    """Returns whether a part of a path starts with `.` or `_`, but for what a program is writing for a table."""
    hidden = [part for part in parts if part.startswith((".", "_"))]
    return bool(hidden) and not (len(parts) > 2 and parts[2] == UNFINISHED and hidden[0] == UNFINISHED)
