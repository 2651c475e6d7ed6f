"""Calibrations at rest: one ``.npz`` file with the statistics, the plan that followed from them, and of what they are.

The array ``header`` is JSON in UTF-8: schema, SHA-256 of the float model and of the samples' contents, options, the
choice. Everything else is numbers, statistics of one kind behind each other in one array, so that the number of arrays
does not grow with the model. Nothing is pickled. The header states the SHA-256 of the whole contents: damage is found,
and a file that edgeq wrote may be replaced.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeq.archive import Archive, npz_bytes
from edgeq.errors import EdgeqError
from edgeq.files import DAMAGE, MAX_JSON_BYTES, reason_of
from edgeq.ir.dtype import DType
from edgeq.ir.quantization import Quantization, QuantizedConstant
from edgeq.json_shape import check_shape, mapping_of, natural, positive
from edgeq.onnxio.qdq_form import QdqPlan
from edgeq.quant.calibration import Calibration, folds_of
from edgeq.quant.digests import add_array, data_digest, model_digest
from edgeq.quant.properties import CALIBRATED, CHOSEN, MEASURED, PLANNED
from edgeq.quant.state import Choice
from edgeq.quant.statistics import KINDS, Wanted
from edgeq.version import __version__

if TYPE_CHECKING:
    from edgeq.numerics.array import Array
    from edgeq.quant.state import State
    from edgeq.quant.statistics import Statistic

SCHEMA: Final = "edgeq/calibration/1"
_HEADER: Final = "header"
_DIGEST: Final = "sha256"
_DAMAGE: Final[tuple[type[Exception], ...]] = (*DAMAGE, EdgeqError)
_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)
_OVER_BUDGET: Final = {"EQ0244", "EQ0245", "EQ0246"}


def _finite(value: object) -> bool:
    return type(value) in {int, float} and isfinite(value)  # type: ignore[arg-type]


def _float32(value: object) -> bool:
    return positive(value) and bool(value <= _FLOAT32_MAX)  # type: ignore[operator]


_QUANTIZATION: Final = {"dtype": str, "scale": [_float32], "zero_point": [int], "axis": (natural, None)}
_RARE: Final = {"bits": natural, "block": natural, "codebook": [int]}
_HEADER_SHAPE: Final = {
    "schema": str,
    _DIGEST: str,
    "model_sha256": str,
    "data_sha256": str,
    "options": dict,
    "samples": natural,
    "statistics": [str],
    "activations": mapping_of(_QUANTIZATION),
    "constants": [{"node": str, "input": natural, "shape": [natural], "quantization": _QUANTIZATION}],
    "choice": {"observer": str, "bias_correction": bool, "method": str, "ratios_db": mapping_of(_finite)},
    "layer_ratios_db": mapping_of(_finite),
}


@dataclass(frozen=True, eq=False)
class SavedCalibration:
    """What a file holds; types, shapes and its digest have been checked.

    Attributes:
        where: the file, for messages.
        header: the JSON document.
        arrays: every other array.
    """

    where: str
    header: Mapping[str, Any]
    arrays: Mapping[str, Array]

    @classmethod
    def open(cls, path: Path) -> SavedCalibration:
        """Read a file.

        Raises:
            EdgeqError: EQ0269 it is damaged, of another version, or no calibration; EQ0244 and EQ0246 over the budget.
        """
        try:
            archive = Archive(path)
            if archive.headers[_HEADER].size_bytes > MAX_JSON_BYTES:
                raise ValueError("its header is too large")
            header = json.loads(archive.whole(_HEADER).tobytes())
            schema = header["schema"]
            if schema == SCHEMA:
                check_shape(header, _HEADER_SHAPE)
                arrays = {name: archive.whole(name) for name in archive if name != _HEADER}
                if _digest(header, arrays) != header[_DIGEST]:
                    raise ValueError("its digest is that of other contents")
                return cls(str(path), header, arrays)
        except _DAMAGE as error:
            if isinstance(error, EdgeqError) and error.problems[0].code in _OVER_BUDGET:
                raise
            raise _unreadable(str(path), error) from error
        raise EdgeqError(
            "EQ0269",
            "the calibration was saved by another version of edgeq",
            where=str(path),
            got=f"schema {str(schema)[:80]}",
            allowed=SCHEMA,
            hint="save it again with --save-calibration",
        )

    def restore(self, state: State) -> None:
        """Put the statistics into a state and, where the options are the same, everything that followed from them.

        Raises:
            EdgeqError: EQ0269 the contents do not fit together, EQ0270 they are of another model or of other data,
                EQ0271 a statistic is missing that a step wants.
        """
        for key, what, wanted in (
            ("model_sha256", "another float model", model_digest(state.source, state.given)),
            ("data_sha256", "other data", data_digest(state.execution.samples)),
        ):
            if self.header[key] != wanted:
                raise EdgeqError(
                    "EQ0270",
                    f"the saved calibration is of {what}",
                    where=self.where,
                    got=f"SHA-256 {self.header[key][:16]}…",
                    allowed=f"{wanted[:16]}…, that of the model and options given"
                    if key == "model_sha256"
                    else f"{wanted[:16]}…, that of --data",
                    hint="leave out --calibration; --save-calibration saves one that fits",
                )
        try:
            self._restore(state)
        except DAMAGE as error:
            raise _unreadable(self.where, error) from error

    def _restore(self, state: State) -> None:
        header = self.header
        state.calibration = self._calibration(len(state.execution.samples))
        missing = [wanted for wanted in state.wanted() if wanted not in state.calibration.wanted]
        if missing:
            raise EdgeqError(
                "EQ0271",
                "the saved calibration lacks statistics that these options need",
                where=self.where,
                got=f"no {missing[0].kind.kind} of {missing[0].value}",
                hint="leave out --calibration; --save-calibration saves one that fits",
            )
        state.restored = frozenset({CALIBRATED})
        if header["options"] == _options_of(state):
            state.plan = self._plan()
            _check_plan(state)
            state.choice = Choice(**header["choice"])
            state.layer_ratios_db = dict(header["layer_ratios_db"])
            state.restored |= {PLANNED, CHOSEN, MEASURED}
        for found in state.restored:
            fault = found.fault(state)
            if fault is not None:
                raise ValueError(f"not {found.name}: {fault}")

    def _calibration(self, samples: int) -> Calibration:
        if self.header["samples"] != samples:
            raise ValueError("it is of another number of samples")
        listed = [_wanted(label) for label in self.header["statistics"]]
        if len(set(listed)) != len(listed):
            raise ValueError("a statistic is there twice")
        count = folds_of(samples)
        folds: list[dict[Wanted, Statistic]] = [{} for _ in range(count)]
        taken: dict[str, int] = {}
        for wanted in listed:
            fields = {name: (f"{wanted.kind.kind}/{name}", field) for name, field in wanted.layout.items()}
            for number, statistics in enumerate(folds):
                found = {
                    name: self._part(key, number, count, taken.get(key, 0), field.dtype, field.shape)
                    for name, (key, field) in fields.items()
                }
                statistics[wanted] = wanted.kind.restored(found, wanted.options)
            for key, field in fields.values():
                taken[key] = taken.get(key, 0) + field.count
        return Calibration(samples, folds)

    def _part(
        self, key: str, fold: int, folds: int, start: int, dtype: type[np.generic], shape: tuple[int, ...]
    ) -> Array:
        whole = self.arrays[key]
        stop = start + prod(shape)
        if whole.dtype != dtype or whole.ndim != 2 or len(whole) != folds or stop > whole.shape[1]:
            raise ValueError(f"array {key} has another type or shape")
        return whole[fold, start:stop].reshape(shape)

    def _plan(self) -> QdqPlan:
        plan = QdqPlan({name: _quantization(entry) for name, entry in self.header["activations"].items()})
        taken: dict[str, int] = {}
        for entry in self.header["constants"]:
            quantization, shape = _quantization(entry["quantization"]), tuple(entry["shape"])
            key = f"constants/{quantization.dtype.value}"
            values = self._part(key, 0, 1, taken.get(key, 0), quantization.dtype.numpy.type, shape)
            taken[key] = taken.get(key, 0) + values.size
            plan.constants[entry["node"], entry["input"]] = QuantizedConstant(values, quantization)
        return plan


def _quantization(entry: Mapping[str, Any]) -> Quantization:
    check_shape(entry, {key: shape for key, shape in _RARE.items() if key in entry})
    found = Quantization.from_json(entry)
    if not all(scale > 0 for scale in found.scale):  # a float64 number may be none of float32
        raise ValueError("a scale is no float32 number")
    if not all(found.q_min <= zero <= found.q_max for zero in found.zero_point):
        raise ValueError(f"a zero point is no {found.dtype.value} number")
    return found


def _check_plan(state: State) -> None:
    """Refuse integers that the model has no place for.

    Raises:
        ValueError: a value or an operand is not the model's, or has another type or axis than the steps give it.
    """
    specification = state.specification
    one_scale: set[int | None] = {None}
    wanted = {key: (dtype, one_scale) for key, dtype in specification.operand_dtypes.items()}
    for layer in state.specification.layers:
        name = str(layer.node.name)
        wanted[name, layer.weight_index] = DType.INT8, {None, layer.form.weight_axis}
        wanted[name, layer.bias_index] = DType.INT32, {None, 0}
    plan, given = state.plan, state.given
    if plan.activations.keys() != set(state.specification.names) or plan.constants.keys() != wanted.keys():
        raise ValueError("it is of other tensors")
    found = [
        ("value", name, params, (specification.dtypes[specification.group_of[name]], one_scale))
        for name, params in plan.activations.items()
        if name not in given.activations
    ]
    found += [
        ("node", key[0], plan.constants[key].quantization, kind)
        for key, kind in wanted.items()
        if key not in given.constants
    ]
    for what, name, quantization, (dtype, axes) in found:
        plain = quantization.block is None and quantization.codebook is None and quantization.bits is None
        if quantization.dtype is not dtype or quantization.axis not in axes or not plain:
            raise ValueError(f"the integers of {what} {name} have another type or axis")


def calibration_bytes(state: State) -> bytes:
    """The file that :meth:`SavedCalibration.restore` continues from."""
    calibration, plan = state.calibration, state.plan
    listed = list(calibration.folds[0])
    arrays: dict[str, Array] = {}
    for kind in dict.fromkeys(wanted.kind for wanted in listed):
        found = [[fold[wanted].arrays() for wanted in listed if wanted.kind is kind] for fold in calibration.folds]
        for name in found[0][0]:
            rows = [np.concatenate([parts[name].reshape(-1) for parts in fold]) for fold in found]
            arrays[f"{kind.kind}/{name}"] = np.stack(rows)
    constants: dict[str, list[Array]] = {}
    for constant in plan.constants.values():
        constants.setdefault(f"constants/{constant.values.dtype.name}", []).append(constant.values.reshape(-1))
    arrays |= {name: np.concatenate(parts)[np.newaxis] for name, parts in constants.items()}
    header = {
        "schema": SCHEMA,
        "model_sha256": model_digest(state.source, state.given),
        "data_sha256": data_digest(state.execution.samples),
        "options": _options_of(state),
        "samples": calibration.samples,
        "statistics": [wanted.label for wanted in listed],
        "activations": {name: quantization.to_json() for name, quantization in plan.activations.items()},
        "constants": [
            {
                "node": node,
                "input": index,
                "shape": list(constant.values.shape),
                "quantization": constant.quantization.to_json(),
            }
            for (node, index), constant in plan.constants.items()
        ],
        "choice": asdict(state.choice),
        "layer_ratios_db": state.layer_ratios_db,
    }
    return pack(header, arrays)


def pack(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """The contents of a file, with the digest of what is given."""
    text = json.dumps({**header, _DIGEST: _digest(header, arrays)}, sort_keys=True).encode()
    return npz_bytes({_HEADER: np.frombuffer(text, np.uint8), **arrays})


def wrote_calibration(path: Path) -> bool:
    """Whether a file is a calibration that edgeq saved, and nobody has changed it since."""
    try:
        SavedCalibration.open(path)
    except EdgeqError:
        return False
    return True


def _options_of(state: State) -> dict[str, object]:
    """What a plan follows from beside model and data; another edgeq may choose otherwise."""
    return {**asdict(state.options), "int16": list(state.options.int16), "edgeq": __version__}


def _digest(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> str:
    """SHA-256 of a file's contents, but for the digest itself."""
    others = {key: value for key, value in header.items() if key != _DIGEST}
    total = hashlib.sha256(json.dumps(others, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        add_array(total, name, array)
    return total.hexdigest()


def _wanted(label: str) -> Wanted:
    """The statistic that a label names."""
    kind, value, options = json.loads(label)
    return Wanted(str(value), KINDS[kind], _options(options))


def _options(value: Sequence[Any]) -> tuple[Any, ...]:
    """Lists of natural numbers, nested, as tuples."""
    if not isinstance(value, list) or not all(natural(item) or isinstance(item, list) for item in value):
        raise TypeError("a statistic's options are no numbers")
    return tuple(_options(item) if isinstance(item, list) else item for item in value)


def _unreadable(where: str, error: BaseException) -> EdgeqError:
    problem = error.problems[0] if isinstance(error, EdgeqError) else None
    return EdgeqError(
        "EQ0269",
        "the saved calibration cannot be read",
        where=where,
        got=problem.got or problem.what if problem is not None else reason_of(error),
        allowed="a file that --save-calibration wrote",
        hint="save it again with --save-calibration",
    )
