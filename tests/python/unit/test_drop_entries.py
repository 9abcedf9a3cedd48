"""Odd entries of a drop, such as links, pipes and names that are no text: one dead letter each; the others load."""

import errno
import hashlib
import io
import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from io import BufferedReader
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract.declarations import Column, Declarations, ParquetTable
from extract.errors import ExtractError
from extract.reading import Limits, State
from extract.settings import DropSettings, read_settings
from extract.sources.parquet import store
from extract.sources.parquet.put import put_files
from extract.sources.parquet.read import ParquetRead
from tests.python.helpers.declared import PARQUET

PEDIDO = ParquetTable("pedido", "files", PARQUET, ("id",), (Column("id", "bigint"),))
CLIENTE = ParquetTable("cliente", "files", PARQUET, (), (Column("id", "bigint"),))
DAY = "2024-02-01"
PEDIDO_DAY = date(2024, 2, 1)


def parquet(*ids: int) -> bytes:
    """Returns a Parquet file."""
    content = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array(ids, pa.int64())}), content)
    return content.getvalue()


@dataclass
class Found:
    """What a run reads: the state after it, the notes, and the files whose rows it loads."""

    state: State
    notes: list[str]
    files: list[str]


def read(drop: Path | str, state: State | None = None, table: ParquetTable = PEDIDO) -> Found:
    settings = read_settings([PARQUET], {"PARQUET_DROP": str(drop)})
    with ParquetRead(table, ("pedido", "cliente")).open(settings, state or {}, Limits()) as reading:
        files = sorted({file for batch in reading.batches for file in batch["_file_path"].to_pylist()})
        return Found(reading.state, list(reading.notes), files)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """A drop with a file of a table on one date."""
    folder = tmp_path / "drop"
    put(folder / "2024-01-01/pedido.parquet", parquet(1))
    return folder


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside the drop that the loader can read, in the form of the table."""
    return put(tmp_path / "private/pedido.parquet", parquet(7))


def put(file: Path, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def rejected(drop: Path) -> list[Path]:
    """Returns the files that were copied to `_rejected/`."""
    found = (path for path in (drop / "_rejected").rglob("*") if path.is_file())
    return [path for path in found if path.suffix != ".json"]


def dead_letters(drop: Path) -> dict[str, str]:
    """Returns place and reason of each dead letter."""
    notes = [json.loads(path.read_text()) for path in (drop / "_rejected").rglob("*.json")]
    return {note["file"]: note["reason"] for note in notes}


def link_file(place: Path, secret: Path) -> None:
    place.symlink_to(secret)


def link_folder(place: Path, secret: Path) -> None:
    place.symlink_to(secret.parent)


def link_nowhere(place: Path, _secret: Path) -> None:
    place.symlink_to("nowhere")


def make_pipe(place: Path, _secret: Path) -> None:
    os.mkfifo(place)


def make_socket(place: Path, _secret: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    with server:
        before = Path.cwd()
        os.chdir(place.parent)  # the name of a socket is short
        try:
            server.bind(place.name)
        finally:
            os.chdir(before)


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("a link", link_file),
        ("a link", link_folder),
        ("a link", link_nowhere),
        ("a pipe", make_pipe),
        ("a socket", make_socket),
    ],
)
@pytest.mark.parametrize("name", ["pedido.parquet", "pedido"])
def test_what_is_no_file_is_one_dead_letter_without_a_copy(
    drop: Path, secret: Path, kind: str, make: Callable[[Path, Path], None], name: str
) -> None:
    (drop / DAY).mkdir()
    make(drop / DAY / name, secret)
    put(drop / "2024-03-01/pedido.parquet", parquet(3))

    found = read(drop)

    assert found.files == ["2024-01-01/pedido.parquet", "2024-03-01/pedido.parquet"]
    (note,) = found.notes
    reason = f"expected a file, got {kind}; remove it, or put a file in its place"
    assert note.startswith(f"parquet: {DAY}/{name}: {reason} (noted in _rejected/")
    assert dead_letters(drop) == {f"{DAY}/{name}": reason}
    assert rejected(drop) == []

    assert len(read(drop, found.state).notes) == 1
    (drop / DAY / name).unlink()
    put(drop / DAY / "pedido.parquet", parquet(2))
    again = read(drop, found.state)
    assert (again.notes, again.files) == ([], [f"{DAY}/pedido.parquet"])


def test_the_folder_of_a_date_may_not_be_a_link(drop: Path, secret: Path) -> None:
    (drop / DAY).symlink_to(secret.parent)
    found = read(drop)
    assert found.files == ["2024-01-01/pedido.parquet"]
    assert found.notes[0].startswith(f"parquet: {DAY}: expected a file, got a link")


def test_a_link_among_the_files_of_a_table_keeps_its_date_out(drop: Path, secret: Path) -> None:
    put(drop / DAY / "pedido/a.parquet", parquet(1))
    (drop / DAY / "pedido/b.parquet").symlink_to(secret)
    found = read(drop)
    assert found.files == ["2024-01-01/pedido.parquet"]
    assert found.notes[0].startswith(f"parquet: {DAY}/pedido: expected a file, got a link")
    assert [path.name for path in rejected(drop)] == ["a.parquet"]


def test_an_odd_entry_beside_a_table_keeps_no_file_out(drop: Path) -> None:
    os.mkfifo(drop / "2024-01-01/Pedido.parquet")
    put(drop / "2024-01-01" / os.fsdecode(b"pedido\xff.parquet"), parquet(5))
    found = read(drop)
    assert found.files == ["2024-01-01/pedido.parquet"]
    assert len(found.notes) == 2


def test_the_drop_itself_may_be_a_link(drop: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(drop)
    assert read(tmp_path / "link").files == ["2024-01-01/pedido.parquet"]


@pytest.mark.parametrize("link", ["_rejected", f"_rejected/{DAY}"])
def test_dead_letters_are_not_written_through_a_link(drop: Path, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (drop / link).parent.mkdir(exist_ok=True)
    (drop / link).symlink_to(outside)
    put(drop / DAY / "pedido.parquet", b"no parquet")

    (note,) = read(drop).notes

    assert f"(not copied: [Errno {errno.ENOTDIR}] expected a folder that is no link: '{link}')" in note
    assert list(outside.iterdir()) == []


def test_a_copy_replaces_a_link_and_is_as_private_as_its_file(drop: Path, secret: Path) -> None:
    file = put(drop / DAY / "pedido.parquet", b"no parquet")
    read(drop)
    (copy,) = rejected(drop)
    before = secret.read_bytes()
    for path in (drop / "_rejected" / DAY).iterdir():
        path.unlink()
    copy.symlink_to(secret)
    file.chmod(0o600)

    read(drop)

    assert secret.read_bytes() == before
    assert (copy.read_bytes(), copy.is_symlink(), copy.stat().st_mode & 0o777) == (b"no parquet", False, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to a group that it is not in")
@pytest.mark.parametrize(("mode", "copied"), [(0o640, 0o600), (0o664, 0o644), (0o604, 0o644)])
def test_another_group_may_do_with_a_copy_what_others_may(drop: Path, mode: int, copied: int) -> None:
    file = put(drop / DAY / "pedido.parquet", b"no parquet")
    file.chmod(mode)
    os.chown(file, -1, 12_345)
    read(drop)
    (copy,) = rejected(drop)
    assert copy.stat().st_mode & 0o777 == copied

    os.chown(file, -1, copy.stat().st_gid)
    copy.with_name(f"{copy.name}.json").unlink()
    read(drop)
    assert copy.stat().st_mode & 0o777 == mode & ~umask()


def umask() -> int:
    """Returns the bits that files are created without."""
    found = os.umask(0o022)
    os.umask(found)
    return found


@pytest.mark.parametrize(
    "name", ["p" * 247 + ".parquet", "p" * 255, "\u202e" * 82 + ".parquet", "p." + "x" * 250, "é" * 120 + ".parquet"]
)
@pytest.mark.parametrize("place", [DAY, f"{DAY}/pedido", "/".join("d" * 200 for _ in range(6))])
def test_a_long_name_is_a_dead_letter_too(drop: Path, place: str, name: str) -> None:
    put(drop / place / name, b"no parquet")
    (note,) = read(drop).notes
    assert "not copied" not in note
    assert [copy.read_bytes() for copy in rejected(drop)] == [b"no parquet"]
    assert len(dead_letters(drop)) == 1


def test_long_names_that_begin_alike_have_a_copy_each(drop: Path) -> None:
    for end in ("a", "b"):
        put(drop / DAY / ("p" * 246 + end + ".parquet"), b"no parquet")
    assert len(read(drop).notes) == len(rejected(drop)) == 2


@pytest.mark.parametrize("place", [DAY, f"{DAY}/pedido.parquet"])
def test_a_link_that_replaces_a_file_after_the_listing_is_not_followed(
    drop: Path, secret: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(drop / DAY / "pedido.parquet", parquet(2))
    find = store.Folder.find

    def find_and_replace(folder: store.Folder, under: str = "") -> Iterator[store.Entry]:
        yield from find(folder, under)
        (drop / place).rename(drop / "_gone")
        (drop / place).symlink_to(secret if place.endswith(".parquet") else secret.parent)

    monkeypatch.setattr(store.Folder, "find", find_and_replace)
    found = read(drop)
    assert found.files == ["2024-01-01/pedido.parquet"]
    assert found.notes[0].startswith(f"parquet: {DAY}/pedido.parquet: cannot be read: ")


# Many files


def test_a_file_whose_size_and_times_are_the_same_is_not_read_again(
    drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SETTLED", -1)  # as if the files were older
    file = put(drop / DAY / "pedido.parquet", parquet(2))
    put(drop / "2024-03-01/pedido/a.parquet", parquet(3))
    put(drop / "2024-03-01/pedido/b.parquet", parquet(4))
    state = read(drop).state
    opened: list[str] = []
    read_file = store.Folder.open

    def note(folder: store.Folder, path: str) -> BufferedReader:
        opened.append(path)
        return read_file(folder, path)

    monkeypatch.setattr(store.Folder, "open", note)
    assert read(drop, state).files == []
    assert opened == []

    times = file.stat()
    file.write_bytes(parquet(9))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # as `cp -p` does
    again = read(drop, state)
    assert again.files == [f"{DAY}/pedido.parquet"]
    assert set(opened) == {f"{DAY}/pedido.parquet"}

    opened.clear()
    (drop / "2024-03-01/pedido/b.parquet").unlink()
    assert read(drop, again.state).files == ["2024-03-01/pedido/a.parquet"]


def test_a_file_that_has_just_changed_is_compared_by_its_content(drop: Path) -> None:
    state = read(drop).state
    assert "stamp" not in state["files"]["2024-01-01/pedido.parquet"]
    put(drop / "2024-01-01/pedido.parquet", parquet(9))
    assert read(drop, state).files == ["2024-01-01/pedido.parquet"]


def test_a_state_of_an_earlier_release_is_not_read_again(drop: Path) -> None:
    digest = hashlib.sha256((drop / "2024-01-01/pedido.parquet").read_bytes()).hexdigest()
    known = {"2024-01-01/pedido.parquet": {"fingerprint": digest, "rows": 1}}
    assert read(drop, {"files": known}).files == []


# Names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"pedido\xff.parquet", r"pedido\xff.parquet"),
        (b"pedido\x1b[31m.parquet", r"pedido\x1b[31m.parquet"),
        (b"pedido\n.parquet", r"pedido\n.parquet"),
        ("pedido\u202etxt.parquet".encode(), r"pedido\u202etxt.parquet"),
        (b"pedido/a\xc2\x9b.parquet", r"pedido/a\u009b.parquet"),
    ],
)
def test_a_name_that_is_no_plain_text_is_one_dead_letter(drop: Path, name: bytes, shown: str) -> None:
    content = parquet(2)
    put(drop / DAY / os.fsdecode(name), content)
    put(drop / "2024-03-01/pedido.parquet", parquet(3))

    found = read(drop)

    assert found.files == ["2024-01-01/pedido.parquet", "2024-03-01/pedido.parquet"]
    reason = "expected a name in UTF-8 without control characters; rename it"
    assert [note.split(" (")[0] for note in found.notes] == [f"parquet: {DAY}/{shown}: {reason}"]
    assert dead_letters(drop) == {f"{DAY}/{shown}": reason}
    assert [path.read_bytes() for path in rejected(drop)] == [content]


@pytest.mark.parametrize("name", ["pedido [1].parquet", "pedido*.parquet", "pedido?.csv", "ped[io].parquet"])
def test_a_name_is_no_pattern(drop: Path, name: str) -> None:
    put(drop / DAY / name, b"no parquet")
    assert all(" (copied to _rejected/" in note for note in read(drop).notes)
    assert [path.read_bytes() for path in rejected(drop)] == [b"no parquet"]


def test_a_folder_that_cannot_be_listed_is_reported(drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(drop / DAY / "pedido/a.parquet", parquet(2))
    put(drop / DAY / "pedido/x/b.parquet", parquet(3))
    listed = os.open

    def refuse(path: str, *arguments: int, **options: int) -> int:
        if path == "x":  # the tests may run as root, whom no mode refuses
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return listed(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    found = read(drop)
    assert found.files == ["2024-01-01/pedido.parquet"]
    assert found.notes[0].startswith(
        f"parquet: {DAY}/pedido: the folder cannot be listed: Permission denied, got x (copied to _rejected/"
    )


def test_folders_in_one_another_are_not_followed_to_their_end(drop: Path) -> None:
    put(drop / DAY / "pedido" / "/".join(["abcd"] * 200) / "a.parquet", parquet(2))
    found = read(drop)
    assert found.files == ["2024-01-01/pedido.parquet"]
    reason = "expected no more than 16 folders in one another"
    assert [note.split(" (")[0] for note in found.notes] == [f"parquet: {DAY}/pedido{'/abcd' * 14}: {reason}"]


def test_an_empty_part_of_a_key_is_a_folder_without_a_name() -> None:
    bucket = fsspec.filesystem("memory")
    try:
        bucket.pipe("/odd/2024-01-01/pedido.parquet", parquet(1))
        bucket.pipe("/odd//2024-01-02/pedido.parquet", parquet(2))
        bucket.pipe("/odd/2024-01-03//pedido.parquet", parquet(3))
        bucket.pipe("/odd/2024-01-04/pedido [1].parquet", b"no parquet")
        found = read("memory://odd")
        copies = [name for name in bucket.find("/odd/_rejected") if not name.endswith(".json")]
    finally:
        bucket.rm("/odd", recursive=True)
    assert found.files == ["2024-01-01/pedido.parquet"]
    assert [note.split(" (")[0] for note in found.notes] == [
        "parquet: /2024-01-02/pedido.parquet: expected a folder YYYY-MM-DD, got ''; move it to its date's",
        "parquet: 2024-01-03//pedido.parquet: no table is called '': expected pedido, cliente; rename it, or declare "
        "the table",
        "parquet: 2024-01-04/pedido [1].parquet: no table is called 'pedido_1': expected pedido, cliente; rename it, "
        "or declare the table",
    ]
    assert len(copies) == 3


# `extract drop`


def drop_command(drop: Path, *files: Path) -> list[str]:
    bounds = DropSettings("PARQUET", str(drop), most_bytes=10**9, most_memory=10**8)
    return list(put_files(files, bounds, PARQUET, PEDIDO_DAY, Declarations((PEDIDO, CLIENTE))))


def test_drop_takes_no_link_and_no_pipe(drop: Path, secret: Path, tmp_path: Path) -> None:
    (tmp_path / "pedido.parquet").symlink_to(secret)
    with pytest.raises(ExtractError, match=f"expected a file, got a link to {secret}; give the file itself"):
        drop_command(drop, tmp_path / "pedido.parquet")
    (tmp_path / "pedido.parquet").unlink()
    os.mkfifo(tmp_path / "pedido.parquet")
    with pytest.raises(ExtractError, match="expected a Parquet file to put into the drop, got no regular file"):
        drop_command(drop, tmp_path / "pedido.parquet")
    assert not (drop / DAY).exists()


def test_drop_writes_through_no_link(drop: Path, secret: Path, tmp_path: Path) -> None:
    before = secret.read_bytes()
    file = put(tmp_path / "a::b/pedido.parquet", parquet(2))
    (drop / DAY).symlink_to(secret.parent)
    with pytest.raises(ExtractError, match=f"expected a folder that is no link: '{DAY}'; remove it"):
        drop_command(drop, file)
    (drop / DAY).unlink()
    (drop / DAY).mkdir()
    (drop / DAY / "pedido.parquet").symlink_to(secret)
    drop_command(drop, file)
    assert secret.read_bytes() == before
    assert (drop / DAY / "pedido.parquet").read_bytes() == file.read_bytes()
    assert not (drop / DAY / "pedido.parquet").is_symlink()


def test_drop_takes_all_files_or_none(drop: Path, tmp_path: Path) -> None:
    good = put(tmp_path / "pedido.parquet", parquet(2)), put(tmp_path / "cliente.parquet", parquet(3))
    bad = put(tmp_path / "x/Pedido.parquet", parquet(2)), put(tmp_path / "x/cliente.parquet", b"no parquet")
    with pytest.raises(ExtractError) as caught:
        drop_command(drop, *good, *bad)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{bad[0]}: {good[0]} and this file are both the table pedido; give one"
    assert lines[1].startswith(f"  {bad[1]}: expected a whole Parquet file")
    assert lines[1].endswith("; nothing was put into the drop")
    assert not (drop / DAY).exists()

    places = [f"file://{drop}/{DAY}/pedido.parquet", f"file://{drop}/{DAY}/cliente.parquet"]
    assert drop_command(drop, *good) == places
    assert (drop / DAY / "cliente.parquet").read_bytes() == parquet(3)
