"""Rows that say they are analytic: their derivative to the last digits, by a step into the complex plane."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import samples
from strategies import ROWS, call, leaves

from tinygrad_mlp.arrays import NUMPY
from tinygrad_mlp.backward import cotangents

STEP = 1e-30  # its square is lost beside 1, so that nothing is rounded off
ANALYTIC = {name: op for name, op in ROWS.items() if op.analytic}


def noise(seed, like):
    return np.random.default_rng(seed).uniform(-1, 1, np.shape(like))


def output(op, operands, params):
    """What the forward rule gives on complex arrays, which a call of the op would refuse."""
    y = op.forward(NUMPY, *operands, **params)
    return y[0] if op.saves else y


def test_the_table_has_analytic_rows():
    assert len(ANALYTIC) > 50
    assert all(op.differentiable for op in ANALYTIC.values())


@pytest.mark.parametrize("op", ANALYTIC.values(), ids=ANALYTIC)
@given(data=st.data())
def test_the_vjp_agrees_with_the_complex_step(op, data):
    sample = data.draw(samples(op))
    seed = data.draw(st.integers(0, 1000))
    operands = leaves(sample)
    y = call(op, operands, sample.params)
    u = noise(seed, y.data)
    found = cotangents(y, u)
    for i in sample.wrt:
        moved = [np.asarray(x, complex) if j in sample.wrt else x for j, x in enumerate(sample.operands)]
        v = noise(seed + 1 + i, moved[i])
        moved[i] = moved[i] + 1j * STEP * v
        z = output(op, moved, sample.params)
        assert np.allclose(np.real(z), y.data, rtol=1e-13, atol=1e-13)
        measured, derived = np.sum(u * np.imag(z) / STEP), np.sum(found[operands[i]] * v)
        scale = np.sum(np.abs(u)) + np.sum(np.abs(found[operands[i]]))
        assert abs(measured - derived) <= 1e-12 * (1 + scale), (i, measured, derived)
