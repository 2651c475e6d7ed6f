"""What edgeq writes: whole or not at all, with the user's modes, and without removing what is another's."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeq.errors import EdgeqError
from edgeq.writing import disk_problem, scratch_folder, write_whole

DEAD = 2**22 + 1
"""A process number beyond Linux's largest: nobody has it."""


@pytest.fixture
def umask() -> Iterator[None]:
    old = os.umask(0o027)
    yield
    os.umask(old)


@pytest.mark.usefixtures("umask")
def test_modes_follow_the_umask(tmp_path: Path) -> None:
    write_whole(tmp_path / "data", b"x")
    write_whole(tmp_path / "program", b"x", mode=0o777)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "program").stat().st_mode & 0o777 == 0o750


def test_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("precious")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "link").read_bytes() == b"new"


def test_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_stale_parts_go_and_nothing_else(tmp_path: Path) -> None:
    stale = tmp_path / f".q.onnx.edgeq-{DEAD}-0123456789abcdef.part"
    kept = [
        tmp_path / f".q.onnx.edgeq-{os.getppid()}-0123456789abcdef.part",  # its process lives
        tmp_path / f".other.onnx.edgeq-{DEAD}-0123456789abcdef.part",  # of another output
        tmp_path / f".q.onnx.edgeq-{DEAD}-0123.part",  # edgeq gives no such name
        tmp_path / ".q.onnx.mine.part",
    ]
    folder = tmp_path / f".q.onnx.edgeq-{DEAD}-00000000000000ff.part"
    for path in (stale, *kept):
        path.write_bytes(b"half")
    folder.mkdir()
    write_whole(tmp_path / "q.onnx", b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([*kept, folder, tmp_path / "q.onnx"])


def test_stale_scratch_folders_go_and_nothing_else(tmp_path: Path) -> None:
    stale = tmp_path / f"edgeq-qemu-{DEAD}-0123456789abcdef"
    kept = [
        tmp_path / f"edgeq-qemu-{os.getpid()}-0123456789abcdef",  # its process lives
        tmp_path / "edgeq-qemu-notes",
        tmp_path / f"edgeq-{DEAD}",
    ]
    for path in (stale, *kept):
        path.mkdir()
        (path / "file").write_text("text")
    target = tmp_path / "elsewhere"
    target.mkdir()
    link = tmp_path / f"edgeq-qemu-{DEAD}-00000000000000ff"
    link.symlink_to(target)
    code = "from edgeq.writing import scratch_folder\nwith scratch_folder('x'): pass"
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert sorted(tmp_path.iterdir()) == sorted([*kept, target, link])


def test_scratch_folder_is_private_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ZeroDivisionError), scratch_folder("test") as folder:  # noqa: PT012 - the block is the subject
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO])
def test_full_and_broken_disks_have_a_code(number: int) -> None:
    problem = disk_problem(OSError(number, os.strerror(number), "weights.c"))
    assert problem is not None
    assert "EQ0120" in str(problem)
    assert "weights.c" in str(problem)


def test_other_failures_are_not_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk_problem(FileNotFoundError(errno.ENOENT, "none")) is None

    def full(path: Path, mode: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(EdgeqError, match="EQ0120"), scratch_folder("test"):
        pass
