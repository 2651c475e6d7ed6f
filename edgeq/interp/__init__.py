"""The reference executor: the one exact meaning of an integer graph."""

from edgeq.interp.execute import Execution, run, zero_states

__all__ = ["Execution", "run", "zero_states"]
