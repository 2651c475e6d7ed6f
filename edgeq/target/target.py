"""A target: a CPU, its compiler flags, and the order in which kernels look for its instructions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgeq.errors import EdgeqError, unknown_name
from edgeq.resources import targets_dir
from edgeq.target.table import read_table

ISAS = ("dsp", "generic", "mve", "v6m", "v7m")
# For memory that traps unaligned loads: no compiler joins bytes to words then, and kernels read bytes.
UNALIGNED_FLAG = "-mno-unaligned-access"
TOOLCHAINS = ("aarch64-linux-gnu", "arm-none-eabi", "host")


@dataclass(frozen=True)
class Target:
    """A CPU.

    Attributes:
        name: ``cortex-m4``; the name of its file.
        description: one line for people.
        cpu: gcc's ``-mcpu`` name.
        flags: further compiler flags.
        isa: folders of ``runtime_c/arch`` in search order, ``("dsp", "generic")``.
        toolchain: one of :data:`TOOLCHAINS`.
        llvm_triple: LLVM's name of the architecture and ABI; None: that of the computer that edgeq runs on.
        exception_frame_bytes: what an interrupt pushes onto the stack of the code it stops, alignment included.
    """

    name: str
    description: str
    cpu: str
    flags: tuple[str, ...]
    isa: tuple[str, ...]
    toolchain: str
    llvm_triple: str | None
    exception_frame_bytes: int

    @property
    def is_host(self) -> bool:
        """True for the computer that edgeq runs on."""
        return self.toolchain == "host"

    @property
    def is_hosted(self) -> bool:
        """True where an operating system runs programs: no linker script, no memory map, a C library."""
        return self.toolchain != "arm-none-eabi"

    @property
    def gcc_flags(self) -> tuple[str, ...]:
        """All flags that choose the CPU, ``-mcpu`` included."""
        return self.flags if self.is_host else (f"-mcpu={self.cpu}", *self.flags)

    @property
    def aligned_loads(self) -> bool:
        """True for code that makes no unaligned load or store."""
        return UNALIGNED_FLAG in self.flags

    def with_aligned_loads(self) -> Target:
        """The same CPU with code for memory that traps unaligned loads.

        Raises:
            EdgeqError: EQ0381 an operating system runs its programs, and its memory allows them.
        """
        if self.is_hosted:
            raise EdgeqError(
                "EQ0381",
                "this target has no memory that traps unaligned loads",
                where="--aligned-loads",
                got=self.name,
                allowed="a microcontroller",
                hint="leave the option out",
            )
        return self if self.aligned_loads else replace(self, flags=(*self.flags, UNALIGNED_FLAG))


def list_targets() -> tuple[str, ...]:
    """The names of all targets, sorted."""
    return tuple(sorted(path.stem for path in targets_dir().glob("*.toml") if not path.stem.startswith("_")))


def load_target(name: str) -> Target:
    """The target of that name.

    Raises:
        EdgeqError: EQ0185 there is none; EQ0180-0183 its file is wrong.
    """
    known = list_targets()
    if name not in known:
        raise unknown_name("EQ0185", "the target is unknown", name, known)
    return read_target(targets_dir() / f"{name}.toml")


def read_target(path: Path) -> Target:
    """The target described by a file; parents are looked for beside it.

    Raises:
        EdgeqError: EQ0180-0183 the file is wrong.
    """
    table = read_table(path, lambda parent: path.parent / f"{parent}.toml")
    target = Target(
        name=path.stem,
        description=table.text("description"),
        cpu=table.text("cpu"),
        flags=table.texts("flags"),
        isa=table.texts("isa"),
        toolchain=table.one_of("toolchain", TOOLCHAINS),
        llvm_triple=table.optional_text("llvm_triple"),
        exception_frame_bytes=table.number("exception_frame_bytes", high=1024),
    )
    table.finish()
    unknown = sorted(set(target.isa) - set(ISAS))
    if unknown or not target.isa:
        raise table.fail("isa", "an instruction set is unknown", f"one or more of {', '.join(ISAS)}")
    return target
