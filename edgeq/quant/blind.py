"""Quantization without calibration data: right sizes, meaningless scales.

`edgeq check` needs the integer graph of a float model, whose shapes, kernels and bytes do not depend on the scales. To
run the model on invented data would take longer, and could fail where the user's data would not: Log of a negative
number is NaN. So every activation is given one range, and nothing runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.onnxio.qdq_form import QdqPlan, write_qdq
from edgeq.quant.observers import OBSERVERS
from edgeq.quant.plan import Planner
from edgeq.quant.scheme import plan_scheme
from edgeq.quant.sharing import separate_scales
from edgeq.quant.statistics import Statistics

if TYPE_CHECKING:
    import onnx_ir

_RANGE: Final = (-8.0, 8.0)
# Requantizes are steps of the graph only where the scales differ, as they nearly always do.
_RANGE_OF_COPIES: Final = (-16.0, 16.0)


def quantize_blindly(model: onnx_ir.Model, mode: str, given: QdqPlan | None = None) -> onnx_ir.Model:
    """A QDQ model of the right form, whose scales mean nothing.

    Args:
        model: normalized float model, every operator supported; it is not changed.
        mode: ``highmul`` or ``tflite``.
        given: integers that are decided already (a partly quantized import); they are kept.

    Raises:
        EdgeqError: EQ0330 operators without an integer form, EQ0331 a computed weight.
    """
    decided = given or QdqPlan()
    work = model.clone()
    copies = separate_scales(work, mode, decided.activations)
    scheme = plan_scheme(work, mode, decided.activations)
    seen, wider = Statistics(), Statistics()
    seen.update(np.array(_RANGE))
    wider.update(np.array(_RANGE_OF_COPIES))
    statistics = dict.fromkeys(scheme.names, seen) | dict.fromkeys(copies, wider)
    return write_qdq(work, Planner(scheme, statistics, {}, OBSERVERS["minmax"], decided).plan())
