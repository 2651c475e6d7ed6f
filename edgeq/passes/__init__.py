"""Rewrites of the integer graph, in the order in which they run."""

from __future__ import annotations

from edgeq.passes import (
    cancel_transposes,
    compose_lookups,
    lay_out_states,
    merge_equal_nodes,
    order_nodes,
    place_states,
    remove_dead_channels,
    remove_dead_nodes,
    split_states,
)
from edgeq.passes.base import Pass, run_passes

PASSES: tuple[Pass, ...] = (
    split_states.PASS,
    merge_equal_nodes.PASS,
    lay_out_states.PASS,
    cancel_transposes.PASS,
    compose_lookups.PASS,
    remove_dead_nodes.PASS,
    remove_dead_channels.PASS,
    order_nodes.PASS,
    place_states.PASS,
)

BLIND_PASSES: tuple[Pass, ...] = tuple(step for step in PASSES if not step.reads_scales)
"""For a graph whose scales mean nothing: what follows from them is left as it is."""

__all__ = ["BLIND_PASSES", "PASSES", "Pass", "run_passes"]
