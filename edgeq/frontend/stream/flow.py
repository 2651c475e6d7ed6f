"""How a value of the whole window comes about step by step: which of its positions a step makes, and how late.

A step takes ``hop`` new frames of the input. Position p of a value stands for p·rate frames; a step makes ``hop/rate``
new positions, in step s, counted from 0, those from ``s·new − lag`` on. Where a convolution reads ahead of its result,
lag is positive: the first positions of the stream come from before the window, and mean nothing. Where a Pad in front
of the window is not read yet, lag is negative: the positions before those of the first step are zeros, as states are
when a sequence begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Flow:
    """A value that has an axis of time.

    Attributes:
        axis: of the value.
        block: elements of the axis for a position, where other axes behind time are merged with it.
        length: positions in the whole window.
        new: positions that a step makes.
        rate: frames of the input for a position.
        lag: see above, in positions.
        field: frames that a position depends on; None for all that came before.
        late: positions at the end of the window that depend on padding behind it.
        culprit: what pads behind.
    """

    axis: int
    length: int
    new: int
    rate: int = 1
    lag: int = 0
    field: int | None = 1
    late: int = 0
    culprit: str = ""
    block: int = 1

    def moved(self, axis: int) -> Flow:
        """The same with the axis of time elsewhere."""
        return replace(self, axis=axis)

    @property
    def steps(self) -> int:
        """Steps until the last position of the window is made."""
        return -(-(self.length + self.lag) // self.new)

    @property
    def beyond(self) -> int:
        """Positions that these steps make behind the window."""
        return self.steps * self.new - self.lag - self.length


@dataclass(frozen=True)
class Summary:
    """A value of the whole window: what a step makes is that of the window that ends with it.

    Attributes:
        steps: those after which it is that of the window from the first frame on.
        field: frames that it depends on; None for all that came before.
    """

    steps: int
    field: int | None


@dataclass(frozen=True)
class Window:
    """What an operator reads along an axis for one result.

    Attributes:
        reach: positions from the first to the last that it reads, the first one not counted.
        stride: positions from one result to the next.
        front: padding in front of the first position; negative where positions are left out.
    """

    reach: int
    stride: int
    front: int

    def tail(self, flow: Flow, result: Flow) -> int:
        """Newest positions of the operand that the results of one step do not read."""
        kept = result.lag * self.stride + self.front - flow.lag
        return kept + flow.new - self.needed(result)

    def needed(self, result: Flow) -> int:
        """Positions of the operand that the results of one step read, from the first to the last."""
        return (result.new - 1) * self.stride + self.reach + 1

    def result(self, flow: Flow, length: int, culprit: str) -> Flow:
        """The flow of the result, as early as it can be.

        Args:
            flow: of the operand; a step makes a multiple of the stride of its positions.
            length: positions of the result in the whole window.
            culprit: what to call the operator if it pads behind the window.
        """
        # The last position that result p reads is p·stride − front + reach.
        last_real = flow.length - 1 - flow.late
        on_time = (last_real + self.front - self.reach) // self.stride + 1
        late = length - min(max(on_time, 0), length)
        return Flow(
            flow.axis,
            length,
            flow.new // self.stride,
            flow.rate * self.stride,
            max((flow.lag + self.reach - self.front) // self.stride, 0),
            None if flow.field is None else flow.field + self.reach * flow.rate,
            late,
            (flow.culprit or culprit) if late else "",
        )
