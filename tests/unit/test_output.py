"""Where an output goes: plain files, links, pipes, devices, standard output."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dtui.errors import OutputError
from dtui.output import CANNOT_SYNC, find_target

LONG = b"0123456789" * 100_000
"""More than a pipe holds."""


def reader_of(pipe: Path) -> tuple[threading.Thread, list[bytes]]:
    """Read a named pipe to its end on a thread."""
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    thread.start()
    return thread, read


def run_python(code: str, folder: Path, stdout: int) -> subprocess.CompletedProcess[bytes]:
    begin = "from dtui.output import find_target\n"
    return subprocess.run(
        [sys.executable, "-c", begin + code], cwd=folder, stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False
    )


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        find_target(tmp_path / "new.html").write(LONG)
    finally:
        os.umask(before)
    assert (tmp_path / "new.html").read_bytes() == LONG
    assert stat.S_IMODE((tmp_path / "new.html").stat().st_mode) == 0o666 & ~umask
    assert [path.name for path in tmp_path.iterdir()] == ["new.html"]


def test_a_file_that_is_there_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    out = tmp_path / "old.html"
    out.write_bytes(b"old")
    out.chmod(0o640)
    with out.open("rb") as opened:
        find_target(out).write(b"new")
        assert opened.read() == b"old"  # whoever has it open reads the old one to its end
    assert out.read_bytes() == b"new"
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_leaves_a_file_to_its_owner(tmp_path: Path) -> None:
    out = tmp_path / "old.html"
    out.write_bytes(b"old")
    os.chown(out, 1234, 4321)
    find_target(out).write(b"new")
    assert (out.stat().st_uid, out.stat().st_gid) == (1234, 4321)


def test_a_disk_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "old.html"
    out.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"old\.html: cannot be written \(Input/output error\); choose another place"):
        find_target(out).write(b"new")
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.html"]


@pytest.mark.parametrize("number", CANNOT_SYNC)
def test_a_filesystem_without_synchronising_and_modes_takes_an_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    for name in ("fsync", "fchown", "fchmod"):
        monkeypatch.setattr(os, name, refuse)
    for text in (b"first", b"second"):
        find_target(tmp_path / "out.html").write(text)
        assert (tmp_path / "out.html").read_bytes() == text


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_the_file_behind_it_is_written(tmp_path: Path, is_there: bool) -> None:
    real, link = tmp_path / "real.html", tmp_path / "link.html"
    if is_there:
        real.write_bytes(b"old")
    link.symlink_to("middle.html")
    (tmp_path / "middle.html").symlink_to("real.html")
    find_target(link).write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="Too many levels of symbolic links"):
        find_target(tmp_path / "a")


def test_a_pipe_is_fed_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread, read = reader_of(pipe)
    find_target(pipe).write(LONG)
    thread.join(60)
    assert read == [LONG]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_reader_that_leaves_a_pipe_has_read_enough(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["head", "-c", "1", str(pipe)], stdout=subprocess.PIPE) as reader:
        find_target(pipe).write(LONG)
        assert reader.communicate(timeout=60)[0] == b"0"


def test_a_terminal_is_written_through() -> None:
    ours, theirs = pty.openpty()
    try:
        find_target(os.ttyname(theirs)).write(b"page")
        assert os.read(ours, 100) == b"page"
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_device_is_written_through_and_stays(tmp_path: Path) -> None:
    null = tmp_path / "null"
    try:
        os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no right to make a device here")
    with contextlib.suppress(OutputError):  # a file system may be mounted without devices
        find_target(null).write(b"page")
    assert stat.S_ISCHR(null.stat().st_mode)


def test_a_disk_is_refused(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "sda", stat.S_IFBLK | 0o600, os.makedev(1, 0))
    except PermissionError:
        pytest.skip("no right to make a device here")
    with pytest.raises(OutputError, match="sda: a disk, not a file; choose another place"):
        find_target(tmp_path / "sda")


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "here"))
        with pytest.raises(OutputError, match="here: a socket, not a file"):
            find_target(tmp_path / "here")


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_has_several_names(tmp_path: Path, name: str) -> None:
    code = f"print('before', end='')\nfind_target({name!r}).write(b'page')"
    out = tmp_path / "redirected"
    with out.open("wb") as file:
        result = run_python(code, tmp_path, file.fileno())
        file.write(b"; and what the shell writes after it")
    assert result.stderr == b""
    assert out.read_bytes() == b"beforepage; and what the shell writes after it"
    assert list(tmp_path.iterdir()) == [out]


def test_a_reader_of_standard_output_that_leaves_has_read_enough(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        result = run_python("find_target('-').write(b'x' * 1_000_000)\nprint('more')", tmp_path, theirs)
    finally:
        os.close(theirs)
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_file_without_a_name_any_more_is_written_through(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with gone.open("w+b") as file:
        gone.unlink()
        find_target(f"/dev/fd/{file.fileno()}").write(b"page")
        file.seek(0)
        assert file.read() == b"page"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("", "the name of the file to write is empty; give a file, or - for standard output"),
        (".", r"\.: a folder; give the name of a file in it"),
        ("missing/out.html", "cannot be written, make its folder first: there is no .*missing"),
        ("file/out.html", "cannot be written"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_cannot_take_an_output_is_refused_before_the_work(
    name: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(OutputError, match=line):
        find_target(name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
