"""Classical models: the operators of ONNX's domain ``ai.onnx.ml``, written out with those of the standard domain.

What scikit-learn, LightGBM and XGBoost export becomes the graph that the rest of edgeq reads: scalers, linear models
and support vector machines are layers and functions, labels are integers.
"""

from __future__ import annotations

from edgeq.frontend.classical.rewrite import is_written_out, write_out_classical

__all__ = ["is_written_out", "write_out_classical"]
