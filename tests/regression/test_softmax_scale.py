"""A Softmax result at a finer scale than the integer Softmax has was up to four steps wrong; it is refused now."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from quant_models import parse

from edgeq.analysis.verify import verify_folder
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.job import CompileOptions
from edgeq.numerics.scaling import Mode
from edgeq.onnxio import write_model
from edgeq.pipeline import compile_model

TEXT = """g (float[1,10] x) => (float[1,10] y) {
    xq = QuantizeLinear(x, s, z)
    xd = DequantizeLinear(xq, s, z)
    r = Softmax(xd)
    yq = QuantizeLinear(r, t, low)
    y = DequantizeLinear(yq, t, low)
}"""


@pytest.mark.parametrize("mode", ["highmul", "tflite"])
@pytest.mark.parametrize("scale", [0.0005, 0.0015, 0.0019, 0.002, 0.003, 1 / 256, 0.01])
def test_softmax_is_within_one_step_or_refused(scale: float, mode: Mode, tmp_path: Path) -> None:
    constants = {"s": np.float32(0.05), "z": np.int8(3), "t": np.float32(scale), "low": np.int8(-128)}
    write_model(parse(TEXT, constants), tmp_path / "m.onnx")
    options = CompileOptions("native", "m", requantize=mode)
    if scale < 1 / 500:
        with pytest.raises(EdgeqError, match="EQ0358"):
            compile_model(tmp_path / "m.onnx", None, tmp_path / "out", options)
        return
    compile_model(tmp_path / "m.onnx", None, tmp_path / "out", options)
    report = verify_folder(Compiled.open(tmp_path / "out"), ["native"], 200)
    assert report.onnxruntime is not None
    assert report.onnxruntime.largest <= 1
    assert report.ok
