"""Recurrent layers → C kernels, whose weights come in blocks of four rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeq.backends.c import packing
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.runtime import Isa
from edgeq.ir import DType, Graph, Node
from edgeq.numerics.array import Array

Order = Callable[[Array], Array]
_BLOCK = 4
_NONE = (0, 1)


def _by_unit(rows: Array) -> Array:
    """Rows [4·units, …] of an LSTM: the gates of the first unit, then those of the second."""
    return _flat(rows.reshape(_BLOCK, -1, *rows.shape[1:]).swapaxes(0, 1))


def _by_four(rows: Array) -> Array:
    """Rows [units, …] and rows of zeros up to a multiple of four."""
    missing = -len(rows) % _BLOCK
    return np.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1))


def _gates_by_four(rows: Array) -> Array:
    """Rows [3·units, …] of a GRU: four of z and four of r in turn, then those of the third gate."""
    update, reset, new = (_by_four(gate) for gate in rows.reshape(3, -1, *rows.shape[1:]))
    pairs = np.stack([gate.reshape(-1, _BLOCK, *rows.shape[1:]) for gate in (update, reset)], axis=1)
    return np.concatenate([pairs.reshape(-1, *rows.shape[1:]), new])


def _flat(rows: Array) -> Array:
    return np.ascontiguousarray(rows).reshape(-1, *rows.shape[2:])


def _bind(order: Order, states: tuple[str, ...]) -> Callable[[Node, Graph, Isa], Call]:
    def bind(node: Node, graph: Graph, isa: Isa) -> Call:
        x, weight, recurrent, *vectors = graph.operands(node)
        bias, x_multiplier, h_multiplier, table = (tensor.value() for tensor in vectors[:4])
        given = vectors[4:]
        (steps, _, inputs), units = x.shape, recurrent.shape[1]
        stored = [-(-count // _BLOCK) * _BLOCK for count in (inputs, units)]
        constants: dict[str, Array | None] = {
            "weights": _packed(order(weight.value()), isa),
            "recurrent": _packed(order(recurrent.value()), isa),
            "bias": order(bias),
            "x_multiplier": order(x_multiplier),
            "h_multiplier": order(h_multiplier),
            "table": table,
        }
        record = {
            "steps": steps,
            "inputs": inputs,
            "units": units,
            "stored_inputs": stored[0],
            "stored_units": stored[1],
            "x_bytes": x.dtype.size_bytes,
            "in_zero": node.integer("in_zero"),
            "widened": stored[0] if x.dtype is DType.INT8 or stored[0] > inputs else 0,
            "sequence": node.integer("sequence"),
            "reverse": node.integer("reverse"),
            "shift": node.integer("shift"),
            "out_bytes": graph.results(node)[0].dtype.size_bytes,
            "out_zero": node.integer("out_zero"),
            **_scaled(node, "hidden_out", "out"),
            **_scaled(node, "hidden_in", "hidden"),
        }
        if node.op == "gru":
            constants["recurrent_bias"] = given.pop(0).value()[-units:]
            record["reset_after"] = node.integer("reset_after")
        if node.op == "lstm":
            record |= _scaled(node, "cell_in", "cell") | _scaled(node, "cell_out", "cell_out")
            if len(node.outputs) == 1:
                constants["cell_out"] = None
        if not given:
            constants |= dict.fromkeys(states)
        for name, tensor in zip(states, given, strict=False):
            if tensor.is_constant:
                constants[name] = tensor.value().reshape(-1)
        computed = (x.name, *(tensor.name for tensor in given if not tensor.is_constant))
        return Call(f"eq_{node.op}", record, computed, node.outputs, constants)

    return bind


def _packed(rows: Array, isa: Isa) -> Array:
    """Rows with zeros up to a multiple of four columns, so that no instruction set has a rest."""
    return packing.pack_rows(packing.halfword_order(packing.pad_last(rows, _BLOCK), isa), isa)


def _scaled(node: Node, name: str, prefix: str) -> dict[str, int]:
    """Multiplier and shift of an attribute, which a node without that state or result lacks."""
    multiplier, shift = node.integers(name) if name in node.attrs else _NONE
    return {f"{prefix}_multiplier": multiplier, f"{prefix}_shift": shift}


BINDINGS: tuple[Binding, ...] = (
    Binding("gru", "eq_gru", None, _bind(_gates_by_four, ("hidden",))),
    Binding("lstm", "eq_lstm", None, _bind(_by_unit, ("hidden", "cell"))),
    Binding("rnn", "eq_rnn", None, _bind(_by_four, ("hidden",))),
)
