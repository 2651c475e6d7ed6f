"""Kills edgeq with SIGKILL at one file operation after another, and looks at what is left.

    python tests/regression/kill_sweep.py swap|fallback|compile [--points N]

``swap`` replaces a small folder, ``fallback`` does so where the file system cannot exchange two folders, and
``compile`` compiles a small model into an existing folder. Each point runs in a forked process; the point is counted by
an audit hook over everything that opens, makes, renames, locks or removes, and around the exchange, which no hook sees.
After each kill the folder must be the old one or the new one, whole; after the next start nothing else may be left,
neither beside the folder nor among the temporary files. Prints one line of JSON; ends with 1 where a point failed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.writing import rename
from edgeq.writing.replace import replace_folder

EVENTS: Final = {
    "fcntl.flock",
    "open",
    "os.chmod",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.scandir",
    "shutil.rmtree",
    "subprocess.Popen",
}
Work = Callable[[str], None]
Tree = dict[str, str] | None


class Sweep:
    """One kind of replacement in a folder of its own.

    Args:
        base: an empty folder.
        work: replaces ``out`` by the version of that name, ``old`` or ``new``.
        start: what the next start does; it must leave ``out`` as it is.
    """

    def __init__(self, base: Path, work: Work, start: Work) -> None:
        self.base, self.work, self.start = base, work, start
        self.out = base / "place" / "out"
        self.temporary = base / "tmp"
        self.out.parent.mkdir()
        self.temporary.mkdir()

    def child(self, work: Work, version: str, kill_at: int = 0) -> int:
        """Run in a forked process; answers how many points it passed, or -1 when it was killed."""
        note = self.base / "points"
        note.unlink(missing_ok=True)
        process = os.fork()
        if process == 0:
            self._forked(work, version, kill_at, note)
        _, status = os.waitpid(process, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, status
            return -1
        assert status == 0, f"the process ended with {status}"
        return int(note.read_text())

    def _forked(self, work: Work, version: str, kill_at: int, note: Path) -> None:
        points = 0

        def point() -> None:
            nonlocal points
            points += 1
            if points == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in EVENTS and (event != "open" or _writes(arguments)):
                point()

        def counted(source: Path, target: Path, flags: int) -> bool:
            point()
            done = renamed(source, target, flags)
            point()
            return done

        renamed = rename._rename
        rename._rename = counted
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.temporary)
        sys.addaudithook(hook)
        code = 1
        try:
            work(version)
            code = 0
        finally:
            passed = points
            kill_at = 0
            note.write_text(str(passed))
            os._exit(code)

    def tree(self) -> Tree:
        """The SHA-256 of every file of ``out``, or None."""
        if not self.out.is_dir():
            return None
        files = (path for path in sorted(self.out.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def run(self, wanted: int, *, may_miss: bool) -> dict[str, Any]:
        """Kill at `wanted` points spread over all of them.

        Args:
            wanted: how many; 0: at each.
            may_miss: between two steps ``out`` may be missing until the next start.
        """
        self.child(self.work, "new")
        new = self.tree()
        shutil.copytree(self.out, self.base / "new")
        self.child(self.work, "old")
        old = self.tree()
        shutil.copytree(self.out, self.base / "old")
        assert old != new
        points = self.child(self.work, "new")
        every = range(1, points + 1)
        chosen = every if not wanted else sorted({*(int(at) for at in np.linspace(1, points, wanted))})
        found: Counter[str] = Counter()
        for at in chosen:
            shutil.rmtree(self.out)
            shutil.copytree(self.base / "old", self.out)
            assert self.child(self.work, "new", at) == -1, f"point {at} was not reached"
            _wait_for_children(self.temporary)
            states = {json.dumps(old): "old", json.dumps(new): "new", "null": "missing" if may_miss else "LOST"}
            found[states.get(json.dumps(self.tree()), "MIXED")] += 1
            self.child(self.start, "old")
            after = states.get(json.dumps(self.tree()), "MIXED")
            found["LOST after the next start"] += after not in {"old", "new"}
            found["LEFT beside it"] += [path.name for path in self.out.parent.iterdir()] != ["out"]
            found["LEFT temporary"] += any(self.temporary.iterdir())
        return {"points": points, "killed": len(chosen), **{key: count for key, count in found.items() if count}}


def _writes(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _wait_for_children(temporary: Path) -> None:
    """Until the guard has ended what the killed edgeq had started."""
    mark = os.fsencode(temporary)
    for _ in range(200):
        if not any(mark in _environment(path) for path in Path("/proc").glob("[0-9]*/environ")):
            return
        time.sleep(0.01)


def _environment(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _swap(out: Path) -> Work:
    def work(version: str) -> None:
        with replace_folder(out) as folder:
            (folder / "below").mkdir()
            (folder / "below" / "a").write_text(version)
            (folder / "b").write_text(version * 2)

    return work


def _failing_swap(out: Path) -> Work:
    def work(version: str) -> None:
        with contextlib.suppress(ZeroDivisionError), replace_folder(out):
            raise ZeroDivisionError

    return work


def _model(path: Path, seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(4, 8)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def _compilation(base: Path, out: Path) -> tuple[Work, Work]:
    from edgeq.job import CompileOptions
    from edgeq.pipeline import compile_model

    _model(base / "old.onnx", 1)
    _model(base / "new.onnx", 2)
    np.savez(base / "data.npz", x=np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32))
    options = CompileOptions("native", "g", observer="minmax")

    def work(version: str) -> None:
        compile_model(base / f"{version}.onnx", base / "data.npz", out, options)

    work("new")  # imports and caches, before processes are forked
    shutil.rmtree(out)
    return work, _failing_swap(out)


def main() -> int:
    """Run one sweep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["swap", "fallback", "compile"])
    parser.add_argument("--points", type=int, default=0, help="how many, spread over all; by default each")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-sweep-") as name:
        base = Path(name)
        sweep = Sweep(base, _swap(base / "place" / "out"), _failing_swap(base / "place" / "out"))
        if arguments.kind == "fallback":
            rename._rename = lambda source, target, flags: False
        if arguments.kind == "compile":
            sweep.work, sweep.start = _compilation(base, sweep.out)
        found = sweep.run(arguments.points, may_miss=arguments.kind == "fallback")
    sys.stdout.write(json.dumps({"kind": arguments.kind, **found}) + "\n")
    return int(any(key.split()[0].isupper() for key in found))


if __name__ == "__main__":
    sys.exit(main())
