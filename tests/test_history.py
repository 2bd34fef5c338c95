"""A random history of nodes made, leaves overwritten and gradients taken, against a shadow that nobody overwrites."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_mutation import write_in_place

import tinygrad_mlp as tg
from tinygrad_mlp.errors import StaleError

STEP = st.tuples(st.sampled_from(["slice", "multiply", "add", "tanh", "write", "backward"]), st.integers(0, 9))


@pytest.mark.parametrize("in_place", [True, False])
@given(steps=st.lists(STEP, max_size=20))
def test_a_random_history_gives_the_right_gradient_or_an_error(in_place, steps):
    """Each node has a shadow over leaves that nobody overwrites: a new leaf for every version of the data."""
    w = tg.Tensor([0.5, -1.0, 2.0])
    versions = [tg.Tensor(w.data)]
    made = [(w, lambda: versions[-1])]
    for step, which in steps:
        node, shadow = made[which % len(made)]
        if step == "write":
            write_in_place(w, w._payload * 0.5 + 0.1) if in_place else w.assign(w.data * 0.5 + 0.1)
            versions.append(tg.Tensor(w.data))
        elif step == "slice":
            fixed = shadow()[::-1]
            made.append((node[::-1], (lambda f=shadow: f()[::-1]) if in_place else (lambda y=fixed: y)))
        elif step == "backward":
            w.grad = None
            try:
                node.sum().backward()
            except StaleError:
                assert len(versions) > 1
                assert w.grad is None
                continue
            for v in versions:
                v.grad = None
            shadow().sum().backward()
            assert np.allclose(w.grad, sum(v.grad for v in versions if v.grad is not None))
        else:
            other, g = made[-1]
            steps_of = {"multiply": lambda a, b: a * b, "add": lambda a, _b: a + 1.0, "tanh": lambda a, _b: tg.tanh(a)}
            compute = steps_of[step]
            fixed = compute(shadow(), g())
            made.append((compute(node, other), lambda y=fixed: y))
