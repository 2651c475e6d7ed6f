"""Instructions per multiply-accumulate or element of int8 kernels, CMSIS-NN's beside them.

Each row is one ONNX operator, quantized and built as for firmware, counted in QEMU on the inputs of the conformance
cases: all steps that it becomes but the changes of layout in front and behind, the largest of the calls. CMSIS-NN (July
2026, the better of -O2 and -Ofast, gcc 12.2) was counted with a plugin of the same kind on the same shapes; rows
without its figure are stated alone. Instructions are not cycles.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import onnx_ir
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit")]

from edgeq.backends.c import emit_c  # noqa: E402
from edgeq.frontend import normalize  # noqa: E402
from edgeq.integers import to_integer_graph  # noqa: E402
from edgeq.ir import DType, Graph, Quantization  # noqa: E402
from edgeq.numerics.array import Array  # noqa: E402
from edgeq.onnxio.samples import Samples  # noqa: E402
from edgeq.ops.signature import Shape  # noqa: E402
from edgeq.ops.spectrum import triangles  # noqa: E402
from edgeq.ops.trees import drawn_forest  # noqa: E402
from edgeq.quant import QuantizeOptions, quantize  # noqa: E402
from edgeq.runners.base import RunRequest  # noqa: E402
from edgeq.runners.table import load_runner  # noqa: E402
from edgeq.target import load_board  # noqa: E402
from tests.conformance.images import build_image  # noqa: E402
from tests.conformance.zoo import Case, build, input_sets  # noqa: E402

CORES = {"M0": "mps2-m0", "M3": "mps2-an385", "M4": "mps2-an386", "M55": "mps3-an547"}
Figures = Mapping[str, float]


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        case: the operator.
        unit: what its instructions are divided by.
        cmsis: CMSIS-NN's figures by core.
        goal: the ratio to them that is aimed at.
        most: instructions per unit that are aimed at, by core.
    """

    case: Case
    unit: int
    cmsis: Figures = field(default_factory=dict)
    goal: float = 0.3
    most: Figures = field(default_factory=dict)


def figures(*m4_and_m55: float) -> Figures:
    """CMSIS-NN's figures, where it has any."""
    return dict(zip(("M4", "M55"), m4_and_m55, strict=False))


def recurrent(kind: str, inputs: int, units: int, steps: int, *cmsis: float, reset_after: int = 0) -> Row:
    """A layer over a sequence, all of whose hidden values are results, per multiply-accumulate."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    small = np.random.default_rng(units).normal(0.0, 0.3, (1, gates * units, units)).astype(np.float32)
    constants: dict[int, Shape | Array] = {1: (1, gates * units, inputs), 2: small, 3: (1, 2 * gates * units)}
    attributes = {"hidden_size": units} | ({"linear_before_reset": 1} if reset_after else {})
    name = f"{kind} {inputs}→{units}, {steps} steps{', reset after' if reset_after else ''}"
    case = Case(name, (kind,), ((steps, 1, inputs),), constants, attributes)
    return Row(case, gates * steps * units * (inputs + units), figures(*cmsis), 0.5)


def convolution(
    name: str,
    shape: tuple[int, int, int],
    outputs: int,
    kernel: tuple[int, int],
    stride: int = 1,
    *,
    m55: float | None = None,
    cmsis: tuple[float, ...] = (),
    depthwise: bool = False,
) -> Row:
    """Channels, height and width of the input, padded to keep the size (before the stride), per multiply-accumulate.

    Args:
        name: what it is.
        shape: of the input.
        outputs: channels.
        kernel: its height and width.
        stride: both.
        m55: instructions that are aimed at on M55.
        cmsis: CMSIS-NN's on M4 and M55.
        depthwise: every channel by itself.
    """
    channels, height, width = shape
    attributes: dict[str, object] = {
        "kernel_shape": kernel,
        "strides": (stride, stride),
        "auto_pad": "SAME_UPPER",
        "group": channels if depthwise else 1,
    }
    weight = (outputs, 1 if depthwise else channels, *kernel)
    case = Case(f"{name}, {height}x{width}", ("Conv",), ((1, *shape),), {1: weight, 2: (outputs,)}, attributes)
    macs = prod(weight) * -(-height // stride) * -(-width // stride)
    return Row(case, macs, figures(*cmsis), most={} if m55 is None else {"M55": m55})


def transposed(inputs: int, outputs: int, size: int, *cmsis: float) -> Row:
    """3x3, stride 2, to twice the size, per multiply-accumulate."""
    shape: Shape = (1, inputs, size, size)
    constants: dict[int, Shape | Array] = {1: (inputs, outputs, 3, 3), 2: (outputs,)}
    attributes = {"strides": (2, 2), "pads": (1, 1, 1, 1), "output_padding": (1, 1), "kernel_shape": (3, 3)}
    name = f"transposed conv 3x3 {inputs}→{outputs}, {size}x{size}"
    return Row(
        Case(name, ("ConvTranspose",), (shape,), constants, attributes), 9 * prod(shape) * outputs, figures(*cmsis)
    )


def matmul(heads: int, rows: int, depth: int, columns: int, *cmsis: float) -> Row:
    """Two computed matrices for each head, per multiply-accumulate."""
    shapes = ((1, heads, rows, depth), (1, heads, depth, columns))
    case = Case(f"matmul {heads} x {rows}x{depth}x{columns}", ("MatMul",), shapes)
    return Row(case, heads * rows * depth * columns, figures(*cmsis))


def elements(
    name: str,
    kind: str,
    shape: Shape,
    attributes: Mapping[str, object] | None = None,
    constants: Mapping[int, Shape | Array] | None = None,
    cmsis: Figures | None = None,
    unit: int = 0,
) -> Row:
    """One operator of one operand, per element of it where no other unit is given."""
    case = Case(name, (kind,), (shape,), constants or {}, attributes or {})
    return Row(case, unit or prod(shape), cmsis or {})


def pair(name: str, kind: str, *cmsis: float) -> Row:
    """One operator of two operands of one shape, per element."""
    return Row(Case(name, (kind,), ((1, 4096), (1, 4096))), 4096, figures(*cmsis))


def masked_softmax(rows: int, heads: int) -> Row:
    """Attention's, with a computed mask, per element."""
    shapes: tuple[Shape, ...] = ((1, 1, rows, rows), (1, heads, rows, rows))
    constants: dict[int, Shape | Array] = {2: np.array(-1e4, np.float32)}
    case = Case(f"masked softmax {rows}", ("Where", "Softmax"), shapes, constants, plain=_TRUTH)
    return Row(case, heads * rows * rows)


def forest(trees: int, depth: int, features: int) -> Row:
    """Complete trees, per question."""
    attributes = drawn_forest(5, trees, depth, features)
    return elements(f"trees {trees} x {depth}", "TreeEnsembleRegressor", (1, features), attributes, unit=trees * depth)


def spectrum(samples: int, step: int, bands: int) -> Row:
    """Frames of 512 of which 480 are not zero, per sample of the signal."""
    window = np.pad(np.hanning(481)[:480], (0, 32)).astype(np.float32)
    constants: dict[int, Shape | Array] = {1: np.zeros(4, np.int64), 2: np.array(step), 3: window}
    constants[4] = triangles(257, bands)
    constants |= {5 + place: np.array(number, np.float32) for place, number in enumerate((1.0, 1e-3, 0.0))}
    return elements(f"log-mel 512 step {step}, {bands} bands", "LogMel", (1, samples), constants=constants)


_ALIKE = (Quantization.per_tensor(DType.INT8, 1 / 128, 0),) * 3
_TRUTH = {0: ("bool", 0, 1)}
_POOL = {"kernel_shape": (2, 2), "strides": (2, 2)}
_TWICE = {2: np.array([1, 1, 2, 2], np.float32)}
_INDICES = {1: np.arange(64)[::-1] % 48}
_SCALES: Mapping[int, Shape] = {1: (64,), 2: (64,)}
ROWS = (
    convolution("conv 1x1 64→64", (64, 25, 5), 64, (1, 1), m55=0.155, cmsis=(2.09, 0.40)),
    convolution("conv 1x1 128→128", (128, 6, 6), 128, (1, 1), m55=0.155),
    convolution("conv 1x1 8→16", (8, 48, 48), 16, (1, 1)),
    convolution("conv 3x3 16→16", (16, 32, 32), 16, (3, 3), m55=0.19),
    convolution("conv 3x3 32→32", (32, 16, 16), 32, (3, 3), m55=0.14),
    convolution("conv 3x3 64→64", (64, 8, 8), 64, (3, 3), m55=0.12),
    convolution("conv 3x3 16→32 stride 2", (16, 32, 32), 32, (3, 3), 2),
    convolution("conv 3x3 3→8 stride 2", (3, 96, 96), 8, (3, 3), 2, m55=0.5, cmsis=(6.1, 2.1)),
    convolution("conv 3x3 3→16", (3, 32, 32), 16, (3, 3), m55=0.5),
    convolution("conv 10x4 1→64 stride 2", (1, 49, 10), 64, (10, 4), 2, m55=0.5),
    convolution("depthwise 3x3 64", (64, 25, 5), 64, (3, 3), m55=0.9, cmsis=(8.0, 2.35), depthwise=True),
    convolution("depthwise 3x3 8", (8, 48, 48), 8, (3, 3), m55=0.9, depthwise=True),
    convolution("depthwise 3x3 128", (128, 6, 6), 128, (3, 3), m55=0.9, depthwise=True),
    convolution("depthwise 3x3 16 stride 2", (16, 48, 48), 16, (3, 3), 2, m55=0.9, depthwise=True),
    convolution("depthwise 3x3 128 stride 2", (128, 12, 12), 128, (3, 3), 2, m55=0.9, depthwise=True),
    recurrent("LSTM", 28, 20, 28, 5.11, 2.29),
    recurrent("LSTM", 10, 118, 49, 3.01, 1.02),
    recurrent("GRU", 28, 20, 28),
    recurrent("GRU", 10, 118, 49),
    recurrent("GRU", 10, 118, 49, reset_after=1),
    recurrent("RNN", 28, 20, 28),
    transposed(32, 16, 8, 8.15, 1.10),
    transposed(16, 8, 16, 4.58, 1.88),
    matmul(1, 64, 64, 64, 2.78, 0.823),
    matmul(8, 64, 8, 64, 8.40, 3.35),
    matmul(8, 64, 64, 8, 2.97, 1.04),
    matmul(8, 1, 8, 64),
    matmul(8, 1, 64, 8),
    elements("softmax 12", "Softmax", (1, 12), cmsis=figures(536, 575)),
    elements("softmax 64", "Softmax", (64, 64), cmsis=figures(526, 560)),
    elements("softmax 1001", "Softmax", (1, 1001), cmsis=figures(508, 538)),
    masked_softmax(64, 4),
    pair("mul", "Mul", 35.9, 6.8),
    pair("max of two", "Max", 8.0, 1.13),
    elements("max pool 2x2", "MaxPool", (1, 16, 32, 32), _POOL, cmsis=figures(8.9, 1.5)),
    elements("average pool 2x2", "AveragePool", (1, 16, 32, 32), _POOL, cmsis=figures(11.3, 4.6)),
    elements("average pool global", "GlobalAveragePool", (1, 64, 8, 8), cmsis=figures(6.4, 1.2)),
    elements("transpose 64x64", "Transpose", (1, 64, 64), {"perm": (0, 2, 1)}, cmsis=figures(5.1, 1.8)),
    elements("layer norm 64", "LayerNormalization", (1, 64, 64), constants=_SCALES),
    elements("rms norm 64", "RMSNormalization", (1, 64, 64), constants={1: (64,)}),
    elements("resize linear x2", "Resize", (1, 16, 8, 8), {"mode": "linear"}, _TWICE, unit=4 * 16 * 64),
    Row(
        Case("where", ("Where",), ((1, 4096),) * 3, plain=_TRUTH, parameters=_ALIKE, output_parameters=_ALIKE[0]), 4096
    ),
    elements("gather rows", "Gather", (1, 48, 32), {"axis": 1}, _INDICES, unit=64 * 32),
    elements("gather elements", "Gather", (1, 32, 48), {"axis": 2}, _INDICES, unit=64 * 32),
    forest(50, 8, 64),
    spectrum(16000, 320, 40),
)


def lowered(case: Case) -> Graph:
    """The integer graph of a case. ConvTranspose is no operator of the table: the frontend writes it as others."""
    if case.types != ("ConvTranspose",):
        return build("bench", [case], "highmul").graph
    draw = np.random.default_rng(1)
    weights = [
        numpy_helper.from_array(draw.normal(size=shape).astype(np.float32), f"c{number}")
        for number, shape in case.constants.items()
    ]
    node = helper.make_node("ConvTranspose", ["x", "c1", "c2"], ["y"], **case.attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, case.inputs[0])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "bench", [x], [y], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    model = normalize(onnx_ir.from_proto(proto))
    samples = Samples.of({"x": draw.normal(size=(4, *case.inputs[0])).astype(np.float32)}, model)
    return to_integer_graph(quantize(model, samples, QuantizeOptions(observer="minmax")).model, "highmul", "bench")


def measured(row: Row, core: str) -> tuple[int, int]:
    """Instructions of the largest of the calls, and bytes of the largest scratch."""
    graph = lowered(row.case)
    program = emit_c(graph, graph.name, load_board(CORES[core]).target, complete=False)
    last = len(program.steps) - 1
    counted = [
        step.node.op != "transpose" or 0 < number < last or not last for number, step in enumerate(program.steps)
    ]
    with tempfile.TemporaryDirectory() as folder:
        spec, _ = build_image(CORES[core], graph, Path(folder))
        result = load_runner("qemu").run(RunRequest(spec, input_sets(graph), count=True))
    assert result.instructions is not None, "this QEMU takes no plugins"
    totals = [
        sum(step.total for step, counts in zip(call.steps, counted, strict=True) if counts)
        for call in result.instructions
    ]
    return max(totals), max(step.scratch_bytes for step in program.steps)


def main() -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cores", default="M4,M55")
    parser.add_argument("--rows", default="", help="only those whose name contains this")
    options = parser.parse_args()
    columns = ("kernel", "core", "instructions", "per unit", "at most", "scratch bytes", "CMSIS-NN", "ratio", "goal")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in (row for row in ROWS if options.rows in row.case.id):
        for core in options.cores.split(","):
            total, scratch_bytes = measured(row, core)
            foil, unit = row.cmsis.get(core), total / row.unit
            ratio = f"{foil:g} | {unit / foil:.3f} | {row.goal:g}" if foil else "– | – | –"
            most = f"{row.most[core]:g}" if core in row.most else "–"
            cells = (row.case.id, core, f"{total:,}", f"{unit:.3f}", most, str(scratch_bytes), ratio)
            print(f"| {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
