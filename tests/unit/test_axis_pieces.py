"""One transpose for two around a reshape: every way gives the values of the two."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgeq.passes.axis_pieces import Perm, Shape, join_transposes


@st.composite
def cases(draw: st.DrawFn) -> tuple[Shape, Perm, Shape, Perm]:
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4)))
    cuts = sorted(draw(st.lists(st.sampled_from([n for n in range(1, prod(shape) + 1) if prod(shape) % n == 0]))))
    divisors = [1]
    for cut in cuts:
        if cut % divisors[-1] == 0:
            divisors.append(cut)
    middle = tuple(behind // front for front, behind in pairwise([*divisors, prod(shape)]))
    first, second = (tuple(draw(st.permutations(range(len(each))))) for each in (shape, middle))
    return shape, first, middle, second


@given(cases())
def test_every_way_gives_the_values_of_both_transposes(case: tuple[Shape, Perm, Shape, Perm]) -> None:
    shape, first, middle, second = case
    x = np.arange(prod(shape)).reshape(shape)
    wanted = x.transpose(first).reshape(middle).transpose(second)
    for way in join_transposes(shape, first, middle, second, 5):
        found = (x if way.before is None else x.reshape(way.before)).transpose(way.perm)
        assert found.shape == wanted.shape or not way.ends
        assert (found.reshape(wanted.shape) == wanted).all()


def test_extents_that_cut_each_other_have_no_way() -> None:
    assert join_transposes((4, 6), (1, 0), (8, 3), (1, 0), 5) == []


def test_what_moves_too_many_axes_stays_two_transposes() -> None:
    shape = (2,) * 5
    backwards = tuple(reversed(range(5)))
    assert join_transposes(shape, backwards, shape, tuple(range(5)), 4) == []
    assert join_transposes(shape, backwards, shape, tuple(range(5)), 5)
