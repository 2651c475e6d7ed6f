"""Makes damaged models, data files and folders, each from a seed, and says what edgeq makes of one.

A case is damaged input and a command. Whatever the command answers is right, as long as it answers with a code, in
time and in bounded memory: no traceback, no EQ09xx, none of the codes that blame edgeq itself.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import shutil
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper

from edgeq.cli.main import run
from edgeq.onnxio.reader import read_model_bytes
from edgeq.quant.saved import pack
from edgeq.writing.owned import seal
from tests.conformance.qdq_road import float_model, output_parameters, quantized_model
from tests.conformance.variants import FAMILIES

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLE: Final = ROOT / "examples" / "fashion_mnist"
FIXTURES: Final = ROOT / "tests" / "quantized" / "fixtures"
SECONDS: Final = 20.0
BYTES: Final = 1 << 30
# Codes that say that edgeq, not the input, is at fault.
_OWN_FAULT: Final = re.compile(r"EQ09\d\d|EQ0221|EQ0229|Traceback \(most recent|\w+Warning: ")
_SIZES: Final = (0, 1, 2, 3, 5, 7, 64, 4096, 1 << 20, 1 << 26, 1 << 31, (1 << 63) - 1, -1, -2, -(1 << 31), -(1 << 63))
_REALS: Final = (0.0, -1.0, 1e-30, 1e30, 3.4e38, float("inf"), float("-inf"), float("nan"))
_NAMES: Final = ("", "x", "y", "a" * 300, "ü/: \n", '*/ } system("x")', "\x00", "%s", "../../x")
_LONGEST_LIST: Final = 12
_EVERY: Final = 4  # of the variants of each operator


@dataclass(frozen=True)
class Verdict:
    """What edgeq answered to one case.

    Attributes:
        kind: how the input was damaged.
        code: the first error code, ``ok``, or what went wrong.
        wrong: whether that must not happen.
        seconds: how long it took.
        detail: the message, where it must not happen.
    """

    kind: str
    code: str
    wrong: bool
    seconds: float
    detail: str = ""


def answer(kind: str, commands: Sequence[Sequence[str]]) -> Verdict:
    """Run commands one after the other until one fails, in this process."""
    began = time.monotonic()
    out, err = io.StringIO(), io.StringIO()
    exit_code = 0
    warnings.simplefilter("always")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            for command in commands:
                exit_code = run([*command, "-q"])
                if exit_code:
                    break
    except BaseException:  # noqa: BLE001 - the fault that is looked for
        return Verdict(kind, "raised", wrong=True, seconds=time.monotonic() - began, detail=traceback.format_exc())
    seconds = time.monotonic() - began
    said = err.getvalue() + out.getvalue()
    found = re.search(r"^EQ\d{4}", err.getvalue(), re.MULTILINE)
    code = found.group() if found else ("ok" if exit_code == 0 else f"exit {exit_code}")
    fault = _OWN_FAULT.search(said)
    if fault or (exit_code and not found and exit_code != 1) or "None\n" in err.getvalue():
        around = said[max(0, fault.start() - 300) :] if fault else said
        return Verdict(kind, fault.group() if fault else code, wrong=True, seconds=seconds, detail=around[:6000])
    if seconds > SECONDS:
        return Verdict(kind, "slow", wrong=True, seconds=seconds, detail=f"{code} after {seconds:.1f} s")
    return Verdict(kind, code, wrong=False, seconds=seconds)


# Models.


@cache
def base_models() -> tuple[bytes, ...]:
    """Sound models: every operator as float and as QDQ, whole networks of both kinds."""
    found: list[bytes] = [(EXAMPLE / "model.onnx").read_bytes()]
    found += [path.read_bytes() for path in sorted(FIXTURES.glob("*.onnx"))]
    for cases in FAMILIES.values():
        for case in list(cases())[::_EVERY]:
            found.append(float_model(case).SerializeToString())
            with contextlib.suppress(Exception):  # not every case has a quantized form
                found.append(quantized_model(case, output_parameters(case)).SerializeToString())
    return tuple(found)


def _flip_bits(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5, 20, 200))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _truncate(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _splice(data: bytes, draw: random.Random) -> bytes:
    """Bytes taken out, doubled, or replaced by zeros, ones or noise."""
    start = draw.randrange(len(data))
    stop = min(len(data), start + draw.choice((1, 2, 7, 64, 1000)))
    middle = draw.choice((b"", data[start:stop] * 2, bytes(stop - start), b"\xff" * (stop - start)))
    return data[:start] + (middle if draw.random() < 0.8 else draw.randbytes(stop - start)) + data[stop:]


def _any_tensor(model: ModelProto, draw: random.Random) -> TensorProto | None:
    tensors = [*model.graph.initializer]
    tensors += [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    return draw.choice(tensors) if tensors else None


def _change_dims(model: ModelProto, draw: random.Random) -> None:
    tensor = _any_tensor(model, draw)
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    if tensor is not None and draw.random() < 0.5:
        if tensor.dims and draw.random() < 0.8:
            tensor.dims[draw.randrange(len(tensor.dims))] = draw.choice(_SIZES)
        else:
            tensor.dims.append(draw.choice(_SIZES))
        return
    dims = draw.choice(values).type.tensor_type.shape.dim
    if dims and draw.random() < 0.7:
        dims[draw.randrange(len(dims))].dim_value = draw.choice(_SIZES)
    elif dims and draw.random() < 0.5:
        del dims[draw.randrange(len(dims))]
    else:
        dims.add(dim_value=draw.choice(_SIZES)) if draw.random() < 0.7 else dims.add(dim_param=draw.choice(_NAMES[1:4]))


def _change_shape_consistently(model: ModelProto, draw: random.Random) -> None:
    """A legal model that is large, thin or empty: only the input's shape changes."""
    dims = draw.choice(model.graph.input).type.tensor_type.shape.dim
    if dims:
        dims[draw.randrange(len(dims))].dim_value = draw.choice((0, 1, 2, 9, 100, 1000, 5000, 1 << 16, 1 << 20))
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


def _swap_dims(model: ModelProto, draw: random.Random) -> None:
    tensor = _any_tensor(model, draw)
    if tensor is not None and len(tensor.dims) > 1:
        first, second = draw.sample(range(len(tensor.dims)), 2)
        tensor.dims[first], tensor.dims[second] = tensor.dims[second], tensor.dims[first]


def _change_type(model: ModelProto, draw: random.Random) -> None:
    kind = draw.choice([*TensorProto.DataType.values(), 99])
    tensor = _any_tensor(model, draw)
    if tensor is not None and draw.random() < 0.6:
        tensor.data_type = kind
    else:
        draw.choice([*model.graph.input, *model.graph.output]).type.tensor_type.elem_type = kind


def _change_values(model: ModelProto, draw: random.Random) -> None:
    """Numbers of a tensor: extremes, infinities, zeros, or a scale or zero point out of range."""
    tensor = _any_tensor(model, draw)
    if tensor is None:
        return
    array = numpy_helper.to_array(tensor).copy()
    if array.dtype.kind == "f" and array.size:
        flat = array.reshape(-1)
        with np.errstate(all="ignore"):
            if draw.random() < 0.5:
                flat[:] = draw.choice(_REALS)
            else:
                flat[draw.randrange(flat.size)] = draw.choice(_REALS)
    elif array.dtype.kind in "iu" and array.size:
        limits = np.iinfo(array.dtype)
        flat = array.reshape(-1)
        flat[draw.randrange(flat.size)] = draw.choice((limits.min, limits.max, 0, 1, min(7, int(limits.max))))
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _change_attribute(model: ModelProto, draw: random.Random) -> None:
    having = [node for node in model.graph.node if node.attribute]
    if not having:
        return
    node = draw.choice(having)
    attribute = draw.choice(node.attribute)
    what = draw.randrange(6)
    if what == 0:
        node.attribute.remove(attribute)
    elif what == 1:
        attribute.name = draw.choice(("axis", "pads", "strides", "group", "mode", "nonsense", ""))
    elif what == 2:
        attribute.type = draw.choice(list(onnx.AttributeProto.AttributeType.values()))
    elif attribute.ints:
        if draw.random() < 0.6:
            attribute.ints[draw.randrange(len(attribute.ints))] = draw.choice(_SIZES)
        elif draw.random() < 0.5:
            attribute.ints.append(draw.choice(_SIZES))
        else:
            del attribute.ints[draw.randrange(len(attribute.ints))]
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = draw.choice(_SIZES)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = draw.choice(_REALS)
    elif attribute.type == onnx.AttributeProto.STRING:
        attribute.s = draw.choice((b"", b"SAME_UPPER", b"linear", b"\xff\xfe", b"x" * 100))


def _change_node(model: ModelProto, draw: random.Random) -> None:
    nodes = model.graph.node
    if not nodes:
        return
    node = draw.choice(nodes)
    names = [name for other in nodes for name in (*other.input, *other.output)] or ["x"]
    what = draw.randrange(10)
    if what == 0:
        node.op_type = draw.choice(sorted({schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}))
    elif what == 1:
        node.op_type = draw.choice(_NAMES)
    elif what == 2:
        node.domain = draw.choice(("com.microsoft", "ai.onnx", "ai.onnx.ml", "x"))
    elif what == 3 and node.input:
        node.input[draw.randrange(len(node.input))] = draw.choice(names)
    elif what == 4 and node.input:
        node.input[draw.randrange(len(node.input))] = ""
    elif what == 5:
        node.input.append(draw.choice(names))
    elif what == 6 and node.input:
        del node.input[draw.randrange(len(node.input))]
    elif what == 7 and node.output:
        node.output[draw.randrange(len(node.output))] = draw.choice(names)
    elif what == 8:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        nodes.append(copied)
    else:
        nodes.remove(node)


def _change_graph(model: ModelProto, draw: random.Random) -> None:
    graph = model.graph
    what = draw.randrange(9)
    if what == 0 and graph.initializer:
        del graph.initializer[draw.randrange(len(graph.initializer))]
    elif what == 1 and graph.input:
        del graph.input[draw.randrange(len(graph.input))]
    elif what == 2 and graph.output:
        del graph.output[draw.randrange(len(graph.output))]
    elif what == 3:
        model.opset_import[0].version = draw.choice((-1, 0, 1, 6, 7, 9, 12, 13, 16, 22, 23, 24, 25, 99, 1 << 40))
    elif what == 4:
        model.ir_version = draw.choice((0, 1, 3, 4, 9, 10, 12, 13, 99, 1 << 40))
    elif what == 5:
        draw.choice([*graph.input, *graph.output, *graph.node, graph]).name = draw.choice(_NAMES)
    elif what == 6:
        reordered = list(graph.node)
        draw.shuffle(reordered)
        del graph.node[:]
        graph.node.extend(reordered)
    elif what == 7 and graph.output:
        graph.output.add().CopyFrom(draw.choice([*graph.input, *graph.output, *graph.value_info]))
    else:
        tensor = _any_tensor(model, draw)
        if tensor is not None:
            tensor.ClearField(draw.choice(("raw_data", "data_type", "dims", "name")))


def _on_fields(change: Callable[[ModelProto, random.Random], None]) -> Callable[[bytes, random.Random], bytes]:
    def damage(data: bytes, draw: random.Random) -> bytes:
        model = onnx.load_from_string(data)
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            change(model, draw)
        return bytes(model.SerializeToString())

    return damage


MODEL_DAMAGE: Final[dict[str, Callable[[bytes, random.Random], bytes]]] = {
    "attribute": _on_fields(_change_attribute),
    "bits": _flip_bits,
    "bytes": _splice,
    "dims": _on_fields(_change_dims),
    "graph": _on_fields(_change_graph),
    "node": _on_fields(_change_node),
    "shape": _on_fields(_change_shape_consistently),
    "swapped dims": _on_fields(_swap_dims),
    "truncated": _truncate,
    "type": _on_fields(_change_type),
    "values": _on_fields(_change_values),
}


def judge_model(seed: int, folder: Path) -> Verdict:
    """Check a damaged model; what is accepted is compiled as far as that goes without a compiler."""
    draw = random.Random(seed)
    kind = sorted(MODEL_DAMAGE)[seed % len(MODEL_DAMAGE)]
    models = base_models()
    # Whole networks are few and slow, single operators many.
    whole = 1 + len(list(FIXTURES.glob("*.onnx")))
    base = models[draw.randrange(whole)] if draw.random() < 0.15 else draw.choice(models[whole:])
    try:
        data = MODEL_DAMAGE[kind](base, draw)
    except (ValueError, TypeError) as error:  # protobuf takes no such value
        return Verdict(kind, f"not made: {type(error).__name__}", wrong=False, seconds=0.0)
    path = folder / "model.onnx"
    path.write_bytes(data)
    checked = answer(kind, [["check", str(path)]])
    if checked.code != "ok":
        return checked
    calibration = _calibration(data, draw, folder)
    given = ["--data", str(calibration), "--accept-data"] if calibration else []
    output = folder / "compiled"
    shutil.rmtree(output, ignore_errors=True)
    command = ["compile", str(path), *given, "--board", "native", "--sources-only", "-o", str(output)]
    verdict = answer(kind, [command])
    return Verdict(kind, verdict.code, verdict.wrong, checked.seconds + verdict.seconds, verdict.detail)


def _calibration(data: bytes, draw: random.Random, folder: Path) -> Path | None:
    """Random data for the inputs of a float model that edgeq accepts."""
    model = read_model_bytes(data)
    if any("Linear" in node.op_type for node in model.graph):
        return None
    generator = np.random.default_rng(draw.getrandbits(32))
    arrays: dict[str, Any] = {}
    for value in model.graph.inputs:
        if value.is_initializer() or value.shape is None:
            continue
        dims = [dim if isinstance(dim, int) else 1 for dim in value.shape]
        wanted = [dims[0], *dims[1:]] if dims else []
        if np.prod(wanted, dtype=np.float64) > 1 << 20:
            return None
        real = generator.standard_normal((9, *wanted)).astype(np.float32)
        arrays[str(value.name)] = (
            real if value.dtype is None or value.dtype.numpy().kind == "f" else real.astype(np.int8)
        )
    if not arrays:
        return None
    np.savez(folder / "calib.npz", **arrays)
    return folder / "calib.npz"


# Data files.


@cache
def _sound_data() -> tuple[bytes, bytes]:
    with np.load(EXAMPLE / "calib.npz") as arrays:
        x, scale = arrays["x"][:40], arrays["x_scale"]
    found = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, x=x, x_scale=scale, y=np.arange(len(x)) % 10)
        found.append(stream.getvalue())
    return found[0], found[1]


def _rewritten(data: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    """The archive with its entries changed one by one; None leaves an entry out."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w") as target:
        for info in source.infolist():
            changed = change(info.filename, source.read(info))
            if changed is not None:
                target.writestr(*changed)
    return stream.getvalue()


def _change_header(data: bytes, draw: random.Random) -> bytes:
    replaced = draw.choice(
        (
            (b"(40, 28, 28)", b"(40, 28, %d)" % draw.choice(_SIZES)),
            (b"(40, 28, 28)", b"(" * 30 + b")" * 30),
            (b"(40, 28, 28)", b"40"),
            (b"(40, 28, 28)", b"('a',)"),
            (b"|u1", b"|O"),
            (b"|u1", b"<f8"),
            (b"|u1", b"<M8"),
            (b"|u1", b"<U7"),
            (b"|u1", b"zz"),
            (b"'fortran_order': False", b"'fortran_order': True"),
            (b"'fortran_order': False", b"'fortran_order': 'x'"),
            (b"{'descr'", b"{'dexcr'"),
            (b"NUMPY\x01\x00", b"NUMPY\x09\x00"),
            (b"NUMPY", b"MUMPY"),
        )
    )
    return _rewritten(data, lambda name, content: (name, content.replace(*replaced, 1)))


def _change_entries(data: bytes, draw: random.Random) -> bytes:
    def npy(array: Any) -> bytes:
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        return stream.getvalue()

    key = draw.choice(("x.npy", "x_scale.npy", "y.npy"))
    content: bytes | None = draw.choice(
        (
            None,
            b"",
            b"x" * 300,
            npy(np.float32(draw.choice(_REALS))),
            npy(np.zeros((40, 28, 28), np.complex64)),
            npy(np.full((40, 28, 28), draw.choice(_REALS), np.float32)),
            npy(np.zeros((0, 28, 28))),
            npy(np.zeros((40, 28, 29))),
            npy(np.zeros((39, 28, 28))),
            npy(np.array(["a"] * 40)),
            npy(np.zeros((40,) + (1,) * 9)),
        )
    )
    renamed = draw.choice((key, key, "../x.npy", "x", "x.npy.npy", "group.npy"))
    return _rewritten(
        data,
        lambda name, old: (name, old) if name != key else None if content is None else (renamed, content),
    )


DATA_DAMAGE: Final[dict[str, Callable[[bytes, random.Random], bytes]]] = {
    "data bits": _flip_bits,
    "data bytes": _splice,
    "data entries": _change_entries,
    "data header": _change_header,
    "data truncated": _truncate,
}


# Compiled folders.


def _walk(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value below a JSON value; of long lists the first entries only."""
    found = [path] if path else []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value[:_LONGEST_LIST])
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        found += _walk(inner, (*path, key))
    return found


def damage_json(data: bytes, draw: random.Random) -> bytes:
    """One value of a document replaced, removed or doubled."""
    document = json.loads(data)
    for _ in range(draw.choice((1, 1, 2))):
        path = draw.choice(_walk(document))
        holder = document
        try:
            for key in path[:-1]:
                holder = holder[key]
        except (KeyError, IndexError, TypeError):  # replaced by the change before
            continue
        what = draw.randrange(4)
        if what == 0 and isinstance(holder, dict):
            holder.pop(path[-1], None)
        elif what == 1 and isinstance(holder, list):
            holder.append(holder[0])
        else:
            new: Any = draw.choice(
                (None, True, 0, -1, 1, 3, 1 << 31, 1 << 62, 10**30, 1e300, 0.5, "", "x", "../x", "/etc/passwd", [], [1],
                 [[]], {}, {"x": 1}, [10**9], "int8", "uint8", "native")
            )  # fmt: skip
            if isinstance(holder, (dict, list)) and (isinstance(holder, dict) or path[-1] < len(holder)):
                holder[path[-1]] = new
    return json.dumps(document).encode()


FOLDER_FILES: Final = ("board.json", "graph.json", "graph.npz", "manifest.json", "model.qdq.onnx", "float.onnx")
FOLDER_COMMANDS: Final[tuple[tuple[str, ...], ...]] = (
    ("eval", "--data", str(EXAMPLE / "eval.npz"), "--samples", "1", "--accept-data"),
    ("emulate", "--on", "native"),
    ("verify", "--on", "native", "--samples", "1"),
    ("flash", "--dry-run"),
)


# Saved calibrations.

CALIBRATION: Final = "calibration.npz"


def _change_contents(data: bytes, draw: random.Random) -> bytes:
    """The header or numbers of a calibration changed, under a digest that fits: somebody else's file."""
    with np.load(io.BytesIO(data)) as archive:
        arrays = dict(archive)
    header = arrays.pop("header").tobytes()
    if draw.random() < 0.6:
        header = damage_json(header, draw)
    else:
        name = draw.choice(sorted(arrays))
        changed = arrays[name].copy()
        flat = changed.reshape(-1)
        with np.errstate(all="ignore"):
            flat[draw.randrange(flat.size)] = np.float64(draw.choice((0, -1, 1, 1e30, 127, -128))).astype(flat.dtype)
        arrays[name] = draw.choice((changed, changed[:, :-1], changed.astype(np.float32), changed[:0]))
    return pack(json.loads(header), arrays)


def judge_calibration(draw: random.Random, folder: Path, compiled: Path) -> Verdict:
    """Quantize with the calibration that was saved with the compiled example, after damage."""
    data = (compiled.parent / CALIBRATION).read_bytes()
    changed = draw.choice((_flip_bits, _truncate, _splice, _change_contents, _change_contents))(data, draw)
    (folder / CALIBRATION).write_bytes(changed)
    calibration = ("--calibration", str(folder / CALIBRATION))
    model = ("quantize", str(EXAMPLE / "model.onnx"), "--data", str(EXAMPLE / "calib.npz"))
    return answer("calibration", [(*model, *calibration, "-o", str(folder / "q.onnx"))])


def judge_input(seed: int, folder: Path, compiled: Path) -> Verdict:
    """Give a command a damaged data file or calibration, or a compiled folder of which one file is damaged.

    Args:
        seed: of the damage.
        folder: a scratch folder.
        compiled: the compiled example; it is copied.
    """
    draw = random.Random(seed)
    if seed % 2:
        kind = sorted(DATA_DAMAGE)[seed // 2 % len(DATA_DAMAGE)]
        path = folder / "data.npz"
        path.write_bytes(DATA_DAMAGE[kind](draw.choice(_sound_data()), draw))
        command: tuple[str, ...] = draw.choice(
            (
                ("quantize", str(EXAMPLE / "model.onnx"), "--data", str(path), "-o", str(folder / "q.onnx")),
                ("eval", str(compiled), "--data", str(path), "--samples", "2"),
                ("emulate", str(compiled), "--on", "native", "--input", str(path), "--samples", "2"),
            )
        )
        return answer(kind, [command])
    files = (*FOLDER_FILES, CALIBRATION)
    name = files[seed // 2 % len(files)]
    if name == CALIBRATION:
        return judge_calibration(draw, folder, compiled)
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(compiled, copy)
    data = (copy / name).read_bytes()
    if name.endswith(".json") and draw.random() < 0.8:
        data = damage_json(data, draw)
    else:
        data = draw.choice((_flip_bits, _truncate, _splice))(data, draw)
    (copy / name).write_bytes(data)
    if draw.random() < 0.5:
        seal(copy)  # somebody else's folder: whole, and still not what edgeq writes
    verb, *more = draw.choice(FOLDER_COMMANDS)
    return answer(f"folder {name}", [(verb, str(copy), *more)])


def compile_example(folder: Path) -> Path:
    """The bundled model, compiled for this computer; its calibration is saved beside it."""
    output = folder / "example"
    arguments = ["compile", str(EXAMPLE / "model.onnx"), "--data", str(EXAMPLE / "calib.npz"), "--board", "native"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert run([*arguments, "-o", str(output), "--save-calibration", str(folder / CALIBRATION), "-q"]) == 0
    return output
