"""The int8 .tflite files of the data folder: which there are, and what edgeq makes of them through ONNX QDQ."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import onnx_ir as ir

from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.ir import Graph
from edgeq.numerics.scaling import Mode
from edgeq.onnxio.samples import Samples
from tests.quantized.tflite_to_qdq import Converted, convert

# Name → file, and evaluation data.
FILES: Final = {
    "ad": ("ad_autoencoder", "ad_eval"),
    "ic": ("ic_resnet8", "ic_eval"),
    "ic_large": ("ic_resnet_large", "ic_eval"),
    "kws": ("kws_dscnn", "kws_eval"),
    "sww": ("sww_ref", "sww_words_eval"),
    "vww": ("vww_mobilenetv1_025", "vww_eval"),
}
FOUR: Final = ("ad", "ic", "kws", "vww")


@dataclass(frozen=True)
class Published:
    """One file with what becomes of it.

    Attributes:
        path: the .tflite file.
        data: its evaluation data.
    """

    path: Path
    data: Path

    @cached_property
    def converted(self) -> Converted:
        """As ONNX QDQ."""
        return convert(self.path)

    @cached_property
    def foreign(self) -> ir.Model:
        """The ONNX model, as onnxruntime runs it."""
        return ir.from_proto(self.converted.model)

    @cached_property
    def canonical(self) -> ir.Model:
        """What edgeq's import makes of it."""
        return normalize_qdq(normalize_structure(self.foreign))

    @cached_property
    def samples(self) -> Samples:
        """Real inputs."""
        return Samples.open(self.data, self.foreign)

    def graph(self, mode: Mode) -> Graph:
        """The integer graph after all passes."""
        return to_integer_graph(self.canonical, mode, "net")


def open_published(name: str, data_dir: Path) -> Published:
    """A file of :data:`FILES` by name."""
    model, data = FILES[name]
    return Published(data_dir / "models" / f"{model}_int8.tflite", data_dir / "data" / f"{data}.npz")
