"""Who may place tensors in the arena; what chooses and states it loads neither of them."""

from __future__ import annotations

from typing import Final, Literal

Planner = Literal["greedy", "solver"]
"""``greedy``: first fit alone, by ``plan``; ``solver``: where that does not reach the bound, ``solver``, too."""
PLANNERS: Final = ("greedy", "solver")
SOLVER: Final = "solver"
"""The extra that brings the solver."""
