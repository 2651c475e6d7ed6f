"""Which operator of ``ai.onnx.ml`` is written out by what, and the walk over a model that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend.classical import forests, labels, linear, svm, vectors
from edgeq.frontend.constraints import place
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import known_shape
from edgeq.frontend.shapes import infer_shapes
from edgeq.onnxio.reader import one_line
from edgeq.ops.base import ML_DOMAIN

Writer = Callable[[ir.Node, Edit], None]
"""Puts other nodes in the place of a node whose operands have static shapes; EdgeqError where it cannot."""

REWRITTEN: Final[Mapping[str, Writer]] = {
    "ArrayFeatureExtractor": vectors.write_extractor,
    "Binarizer": vectors.write_binarizer,
    "FeatureVectorizer": vectors.write_vectorizer,
    "Imputer": vectors.write_imputer,
    "LabelEncoder": labels.write_encoder,
    "LinearClassifier": linear.write_classifier,
    "LinearRegressor": linear.write_regressor,
    "Normalizer": vectors.write_normalizer,
    "OneHotEncoder": vectors.write_one_hot,
    "SVMClassifier": svm.write_classifier,
    "SVMRegressor": svm.write_regressor,
    "Scaler": vectors.write_scaler,
    "TreeEnsemble": forests.write_ensemble,
    "TreeEnsembleClassifier": forests.write_classifier,
    "TreeEnsembleRegressor": forests.write_regressor,
}
"""Operators that other nodes come in the place of, sorted; of forests TreeEnsembleRegressor stays, in one form."""


BESIDE: Final[Mapping[str, Writer]] = {"CDist": svm.write_distances}
"""Operators of onnxruntime's own domain that scikit-learn's exporter writes on demand."""
_RUNTIME: Final = "com.microsoft"


def is_written_out(domain: str, op_type: str) -> bool:
    """Whether other nodes come in the place of an operator, or the one form of it."""
    return _writer(domain, op_type) is not None


def _writer(domain: str, op_type: str) -> Writer | None:
    table = {ML_DOMAIN: REWRITTEN, _RUNTIME: BESIDE}.get(domain, {})
    return table.get(op_type)


def write_out_classical(model: ir.Model) -> None:
    """Replace the nodes of ``ai.onnx.ml``, and CDist, in the main graph; in place, of a model in the working opset.

    Shapes must be inferred as far as they can be; what follows a replaced node is inferred anew.

    Raises:
        EdgeqError: EQ0232, EQ0303, EQ0307, EQ0313 what a node asks for is not supported, all such nodes at once.
    """
    problems: list[Problem] = []
    seen: set[ir.Node] = set()
    while True:
        ready = [node for node in model.graph if node not in seen and _is_ready(node)]
        if not ready:
            break
        edit = Edit(model)
        for node in ready:
            edit.before(node)
            seen.add(node)
            try:
                _written(node, edit)
            except EdgeqError as error:
                problems += error.problems
        edit.sweep()
        if problems:
            break
        infer_shapes(model, forget=False)
    if problems:
        raise EdgeqError.of(problems)


def _is_ready(node: ir.Node) -> bool:
    """Whether the node is one of the tables and its operands have static shapes."""
    known = all(value is None or known_shape(value) is not None for value in node.inputs)
    return known and is_written_out(node.domain, node.op_type)


def _written(node: ir.Node, edit: Edit) -> None:
    """Apply the table; attributes that contradict each other surface in it as an error of numpy."""
    try:
        with np.errstate(all="ignore"):  # what is not finite is reported by check_support, with its name
            writer = _writer(node.domain, node.op_type)
            assert writer is not None  # _is_ready has looked
            writer(node, edit)
    except (ArithmeticError, IndexError, KeyError, TypeError, ValueError) as error:
        raise EdgeqError(
            "EQ0232",
            "the operands or attributes of a node do not fit together",
            where=place(node),
            got=f"{node.op_type}: {one_line(error)}",
            hint="check the exported model with onnx.checker and in onnxruntime",
        ) from error
