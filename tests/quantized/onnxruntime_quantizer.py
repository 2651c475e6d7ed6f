"""onnxruntime's static quantizer, asked in the ways in which it is used; it makes fixtures and models on the fly.

Fixtures anew: ``python -m tests.quantized.onnxruntime_quantizer [FOLDER]``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import onnx
import onnx_ir as ir

from edgeq.frontend import normalize
from edgeq.numerics.array import Array
from edgeq.onnxio import read_model, write_model
from edgeq.onnxio.samples import Samples

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = Path(__file__).resolve().parent / "fixtures"
EXAMPLE: Final = ROOT / "examples" / "fashion_mnist"
_CALIBRATION: Final = 100


@dataclass(frozen=True)
class Choice:
    """How the quantizer is asked.

    Attributes:
        activation, weight: QuantType by name.
        per_channel: one weight scale per output channel.
        options: names of further options that are switched on.
    """

    activation: str
    weight: str = "QInt8"
    per_channel: bool = True
    options: tuple[str, ...] = ()


CHOICES: Final = {
    "channel_int8": Choice("QInt8"),
    "channel_uint8": Choice("QUInt8"),
    "tensor_int8": Choice("QInt8", per_channel=False, options=("ActivationSymmetric",)),
    "tensor_uint8": Choice("QUInt8", per_channel=False, options=("DedicatedQDQPair",)),
    "weight_nodes_uint8": Choice("QUInt8", options=("AddQDQPairToWeight",)),
    "weights_uint8": Choice("QUInt8", "QUInt8", options=("WeightSymmetric",)),
}
COMMITTED: Final = ("channel_int8", "channel_uint8", "tensor_int8")


class _Reader:
    """Calibration data as the quantizer reads it."""

    def __init__(self, samples: Samples, count: int) -> None:
        self.rest: Iterator[dict[str, Array]] = islice(iter(samples), count)

    def get_next(self) -> dict[str, Array] | None:
        return next(self.rest, None)


def quantize_static(model: ir.Model, samples: Samples, choice: Choice, *, count: int = _CALIBRATION) -> onnx.ModelProto:
    """The QDQ model that onnxruntime makes of a float model with ``count`` samples of calibration data."""
    from onnxruntime import quantization

    logging.getLogger().setLevel(logging.ERROR)  # it recommends its preprocessing on the root logger
    reader = type("Reader", (_Reader, quantization.CalibrationDataReader), {})(samples, count)
    with TemporaryDirectory(prefix="edgeq-") as folder:
        write_model(model, Path(folder) / "float.onnx")
        quantization.quantize_static(
            str(Path(folder) / "float.onnx"),
            str(Path(folder) / "qdq.onnx"),
            reader,
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=choice.per_channel,
            reduce_range=False,
            activation_type=getattr(quantization.QuantType, choice.activation),
            weight_type=getattr(quantization.QuantType, choice.weight),
            extra_options=dict.fromkeys(choice.options, True),
        )
        return onnx.load(Path(folder) / "qdq.onnx")


def main(folder: Path) -> None:
    """Make the committed fixtures of the bundled example."""
    model = normalize(read_model(EXAMPLE / "model.onnx"))
    samples = Samples.open(EXAMPLE / "calib.npz", model)
    for name in COMMITTED:
        onnx.save(quantize_static(model, samples, CHOICES[name]), folder / f"onnxruntime_{name}.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
