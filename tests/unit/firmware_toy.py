"""A two-step model written by hand in the form of a bundle, and what it must answer."""

from __future__ import annotations

from pathlib import Path

from edgeq.firmware import ImageFacts, Span
from edgeq.runners.base import TensorSpec

INPUT_BYTES, HIDDEN_OFFSET, OUTPUT_OFFSET, OUTPUT_BYTES, ARENA_BYTES = 16, 16, 32, 4, 48
ADD = tuple((i * 53 + 5) % 100 - 50 for i in range(INPUT_BYTES))
WEIGHT = tuple((i * 37 + 11) % 255 - 127 for i in range(INPUT_BYTES * OUTPUT_BYTES))
MULTIPLIER, SHIFT = 1234567890, 39

_MODEL_H = f"""
#include <stdint.h>
#define TOY_ARENA_BYTES {ARENA_BYTES}
#define TOY_STEPS 2
void toy_run(void *arena);
void toy_step(void *arena, uint32_t step);
"""

# The 64-bit product makes a Cortex-M0 call libgcc, whose stack no call graph tells.
_MODEL_C = f"""
#include "toy.h"
extern const int8_t toy_add[{INPUT_BYTES}];
extern const int8_t toy_weight[{INPUT_BYTES * OUTPUT_BYTES}];

static int8_t clamp(int32_t v)
{{
    return (int8_t)(v > 127 ? 127 : v < -128 ? -128 : v);
}}

static __attribute__((noinline)) void toy_step_0(uint8_t *arena)
{{
    const int8_t *x = (const int8_t *)arena;
    int8_t *y = (int8_t *)(arena + {HIDDEN_OFFSET});
    @body@
    for (uint32_t i = 0; i < {INPUT_BYTES}; ++i)
        y[i] = clamp(x[i] + toy_add[i]);
}}

static __attribute__((noinline)) void toy_step_1(uint8_t *arena)
{{
    const int8_t *x = (const int8_t *)(arena + {HIDDEN_OFFSET});
    int8_t *y = (int8_t *)(arena + {OUTPUT_OFFSET});
    for (uint32_t o = 0; o < {OUTPUT_BYTES}; ++o) {{
        int32_t acc = 0;
        for (uint32_t k = 0; k < {INPUT_BYTES}; ++k)
            acc += x[k] * toy_weight[o * {INPUT_BYTES} + k];
        y[o] = clamp((int32_t)(((int64_t)acc * {MULTIPLIER} + (INT64_C(1) << {SHIFT - 1})) >> {SHIFT}));
    }}
}}

void toy_step(void *arena, uint32_t step)
{{
    if (step == 0)
        toy_step_0(arena);
    else
        toy_step_1(arena);
}}

void toy_run(void *arena)
{{
    for (uint32_t step = 0; step < TOY_STEPS; ++step)
        toy_step(arena, step);
}}
"""

FACTS = ImageFacts(
    name="toy",
    inputs=(Span(0, INPUT_BYTES),),
    outputs=(Span(OUTPUT_OFFSET, OUTPUT_BYTES),),
    results=((Span(HIDDEN_OFFSET, INPUT_BYTES),), (Span(OUTPUT_OFFSET, OUTPUT_BYTES),)),
    arena_bytes=ARENA_BYTES,
)

X = TensorSpec("x", "int8", (1, INPUT_BYTES))
HIDDEN = TensorSpec("hidden", "int8", (1, INPUT_BYTES))
Y = TensorSpec("y", "int8", (OUTPUT_BYTES,))


def write_toy(folder: Path, body: str = "") -> Path:
    """Write the bundle; `body` is C put into the first step."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.h").write_text(_MODEL_H, encoding="utf-8")
    (folder / "toy.c").write_text(_MODEL_C.replace("@body@", body), encoding="utf-8")
    arrays = (("add", ADD), ("weight", WEIGHT))
    lines = ["#include <stdint.h>"]
    for name, values in arrays:
        lines.append(f"extern const int8_t toy_{name}[{len(values)}];")
        lines.append(f"const int8_t toy_{name}[{len(values)}] = {{{', '.join(map(str, values))}}};")
    (folder / "toy_weights.c").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def toy_answers(x: bytes) -> tuple[bytes, bytes]:
    """The results of both steps for one input."""
    signed = [value - 256 if value > 127 else value for value in x]
    hidden = [_clamp(value + add) for value, add in zip(signed, ADD, strict=True)]
    out = []
    for o in range(OUTPUT_BYTES):
        row = WEIGHT[o * INPUT_BYTES : (o + 1) * INPUT_BYTES]
        acc = sum(a * b for a, b in zip(hidden, row, strict=True))
        out.append(_clamp((acc * MULTIPLIER + (1 << (SHIFT - 1))) >> SHIFT))
    return _bytes(hidden), _bytes(out)


def _clamp(value: int) -> int:
    return max(-128, min(127, value))


def _bytes(values: list[int]) -> bytes:
    return bytes(value & 255 for value in values)
