"""The integer graph: what lowering produces, passes rewrite and every backend reads."""

from edgeq.ir.dtype import DType
from edgeq.ir.graph import Attr, Graph, Node, State
from edgeq.ir.quantization import Quantization, QuantizedConstant
from edgeq.ir.tensor import Source, Tensor

__all__ = ["Attr", "DType", "Graph", "Node", "Quantization", "QuantizedConstant", "Source", "State", "Tensor"]
