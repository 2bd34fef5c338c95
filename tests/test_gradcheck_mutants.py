"""Corrupt each row of the table in turn, inside a network of twenty operations: the checker fails and names that row.

With nothing corrupted it passes, at every scale and in float32. ``python -m benchmarks.gradcheck_mutants`` counts.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import samples
from planted import CORRUPTIONS, corrupted, gradients, network, tells_apart
from strategies import SMOOTH, Call

from tinygrad_mlp.check import gradcheck

ONCE = settings(max_examples=4)  # a few points for each of a thousand mutants; the benchmark has more
each_smooth_row = pytest.mark.parametrize("op", SMOOTH.values(), ids=SMOOTH)


def some_elements(sample: Call) -> bool:
    return bool(sample.wrt) and all(sample.operands[i].size for i in sample.wrt)


@each_smooth_row
@ONCE
@given(data=st.data())
def test_a_corrupted_row_is_named(op, data):
    sample = data.draw(samples(op))
    if not some_elements(sample):
        return
    f, inputs = network(op, sample)
    before = gradients(f, inputs)
    for what in CORRUPTIONS:
        with corrupted(op, what):
            if not tells_apart(before, gradients(f, inputs)):
                continue  # the same numbers here: nobody could see a difference
            report = gradcheck(f, *inputs, raise_exception=False)
        assert report.verdict == "wrong", (what, report)
        assert report.culprits, (what, report)
        assert report.culprits[0].op == op.name, (what, report)


@each_smooth_row
@ONCE
@given(data=st.data())
def test_nothing_corrupted_passes_at_every_scale(op, data):
    sample = data.draw(samples(op))
    if not some_elements(sample):
        return
    scale = 10.0 ** data.draw(st.integers(-8, 8))
    size = 10.0 ** data.draw(st.integers(-8, 8))
    f, inputs = network(op, sample, scale, size)
    report = gradcheck(f, *inputs, raise_exception=False, blame=True)
    assert report.verdict == "right", report


@each_smooth_row
@ONCE
@given(data=st.data())
def test_nothing_corrupted_passes_in_float32(op, data):
    sample = data.draw(samples(op))
    if not some_elements(sample):
        return
    f, inputs = network(op, sample)
    report = gradcheck(f, *(x.astype(np.float32) for x in inputs), raise_exception=False, blame=True)
    assert report.verdict == "right", report
