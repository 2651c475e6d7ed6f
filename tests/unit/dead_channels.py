"""Integer graphs in which channels are dead: rows of weights that give constants, columns that are not read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from edgeq.ir import Graph
from edgeq.passes import PASSES, Pass, remove_dead_channels


def kill_channels(graph: Graph, draw: np.random.Generator, share: float = 0.4) -> Graph:
    """A copy of a graph with rows and columns of the weights of its layers set to zero at random.

    A row of zeros makes a channel constant: what its bias is. Other channels get a bias by which they saturate.

    Args:
        graph: an integer graph; every accumulator of the copy is proven by the same bound.
        draw: decides which.
        share: of the rows, and of the columns.
    """
    made = graph.copy()
    for node in graph.nodes:
        if node.op not in {"conv2d", "dense"}:
            continue
        weight, bias = (graph.tensors[name] for name in node.inputs[1:3])
        values, start = weight.value().copy(), bias.value().copy()
        values[draw.random(values.shape[0]) < share] = 0
        values[..., draw.random(values.shape[-1]) < share] = 0
        # Weights that are zero leave their part of the bound to the bias.
        before = np.abs(weight.value().astype(np.int64)).reshape(len(start), -1).sum(axis=1)
        spare = (before - np.abs(values.astype(np.int64)).reshape(len(start), -1).sum(axis=1)) << 7
        saturated = draw.random(len(start)) < share / 2
        limit = np.iinfo(np.int32).max >> max(node.integer("shift"), 0)
        start = np.clip(start - np.where(saturated, spare, 0), -limit // 2, limit // 2).astype(np.int32)
        made.tensors[weight.name] = weight.with_(data=values)
        made.tensors[bias.name] = bias.with_(data=start)
    return made


def passes_with(multiple: int) -> list[Pass]:
    """All passes; tensors keep a multiple of so many channels."""
    mine = replace(remove_dead_channels.PASS, run=partial(remove_dead_channels.run, multiple=multiple))
    return [mine if step is remove_dead_channels.PASS else step for step in PASSES]
