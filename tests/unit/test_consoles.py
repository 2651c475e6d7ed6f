"""The serial drivers set the baud rate that the board asks for: their registers, read back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgeq.firmware.facts import board_header
from edgeq.resources import boards_dir
from edgeq.target import list_boards, load_board

_UART_H = """
#include "eq_board.h"
#include <stdint.h>
extern uint32_t eq_registers[0x1000];
#define EQ_REGISTER(address) (eq_registers[((address) & 0xfffu) / 4u])
#define EQ_UART(offset) EQ_REGISTER(offset)
"""
_MAIN_C = """
#include <stdio.h>
#include "{driver}"
uint32_t eq_registers[0x1000];
int main(void) {{
  uart_init();
  for (uint32_t i = 0; i < 0x400u; ++i) printf("%u\\n", (unsigned)eq_registers[i]);
  return 0;
}}
"""
Registers = Mapping[int, int]
# What the chips' manuals say of the rate that registers set: (registers by offset, clock in Hz) -> baud.
_BAUD: Mapping[str, tuple[str, Callable[[Registers, int], float]]] = {
    "cmsdk": ("console_uart_cmsdk.c", lambda r, clock: clock / r[0x10]),
    "nrf51": ("console_uart_nrf51.c", lambda r, clock: r[0x524] * 16e6 / 2**32),
    "pl011": ("console_uart_pl011.c", lambda r, clock: clock / (16 * (r[0x24] + r[0x28] / 64))),
    "stm32": ("console_uart_stm32.c", lambda r, clock: clock / r[0x08]),
    "stm32_lp": ("console_uart_stm32_lp.c", lambda r, clock: 256 * clock / r[0x0C]),
}
# A receiver tolerates about 5 %, for both ends together.
_TOLERANCE = 0.01

WIRED = [name for name in list_boards() if load_board(name).console.kind in _BAUD]


def test_every_driver_is_on_a_board() -> None:
    assert {load_board(name).console.kind for name in WIRED} == set(_BAUD)


@pytest.mark.parametrize("name", WIRED)
def test_registers_give_the_baud_rate(name: str, tmp_path: Path, needs_program: Callable[[str], str]) -> None:
    console = load_board(name).console
    driver, baud = _BAUD[console.kind]
    for file in (driver, "console_uart.h", "console.h"):
        shutil.copy(boards_dir() / "common" / file, tmp_path)
    (tmp_path / "uart.h").write_text(_UART_H)
    (tmp_path / "eq_board.h").write_text(board_header(console))
    (tmp_path / "main.c").write_text(_MAIN_C.format(driver=driver))
    subprocess.run([needs_program("cc"), "-w", "main.c", "-o", "main"], cwd=tmp_path, check=True)
    lines = subprocess.run([tmp_path / "main"], check=True, capture_output=True, text=True).stdout.split()
    registers = {4 * index: int(line) for index, line in enumerate(lines)}
    assert console.clock_hz is not None
    assert console.baud is not None
    assert baud(registers, console.clock_hz) == pytest.approx(console.baud, rel=_TOLERANCE)
