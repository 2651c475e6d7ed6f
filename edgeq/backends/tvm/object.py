"""TVM functions with pointers as parameters, compiled by LLVM into one object for any processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import tvm
from tvm import tirx

from edgeq.backends.tvm.steps import TvmStep
from edgeq.target import Target
from edgeq.writing import scratch_folder

# What plain functions need of TVM's pipeline; the rest of it makes packed calls and speaks to TVM's runtime.
_PASSES: Final = (
    tirx.transform.StmtSimplify,
    tirx.transform.FlattenBuffer,
    lambda: tirx.transform.NarrowDataType(32),
    tirx.transform.UnrollLoop,
    tirx.transform.StmtSimplify,
    tirx.transform.CommonSubexprElim,
    tirx.transform.LowerIntrin,
)


def llvm_target(target: Target) -> Any:  # noqa: ANN401 - tvm.target.Target, which publishes no types
    """TVM's description of a target. The ABI is that of gcc's flags, or the linker would refuse to join them."""
    description: dict[str, object] = {"kind": "llvm"}
    if target.llvm_triple:
        description |= {"mtriple": target.llvm_triple, "mcpu": target.cpu.partition("+")[0]}
    if not target.is_hosted:
        # TVM knows the vectors of computers only, and would warn.
        description["vector-width"] = 128
        if target.aligned_loads:
            description["mattr"] = ["+strict-align"]
        description["mfloat-abi"] = "hard" if "-mfloat-abi=hard" in target.flags else "soft"
    return tvm.target.Target(description)


def compile_steps(steps: Sequence[TvmStep], target: Target) -> bytes:
    """One relocatable ELF object with a C function a step: the same bytes for the same steps."""
    llvm = llvm_target(target)
    module = tvm.IRModule({step.symbol: step.function for step in steps})
    passes = [tirx.transform.BindTarget(llvm.with_host(llvm)), *(make() for make in _PASSES)]
    lowered = tvm.ir.transform.Sequential(passes)(module)
    built = tvm.get_global_func(f"target.build.{llvm.kind.name}")(lowered, llvm)
    with scratch_folder("tvm") as folder:
        path = folder / "steps.o"
        built.write_to_file(str(path))
        return path.read_bytes()
