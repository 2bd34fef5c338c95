"""Matplotlib on nodes: what would lose a gradient says so; ``.data`` and constants are drawn."""

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GradientError

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib, of the extra viz, is not installed")
Y = np.array([1.0, 3.0, 2.0])
DRAWN = {
    "plot": plt.plot,
    "plot of two": lambda y: plt.plot(y, y),
    "plot of a list": lambda y: plt.plot([y, y]),
    "scatter": lambda y: plt.scatter(y, y),
    "bar": lambda y: plt.bar([1, 2, 3], y),
    "hist": plt.hist,
    "fill_between": lambda y: plt.fill_between([1, 2, 3], y),
    "imshow": lambda y: plt.imshow(y.reshape(1, 3)),
}
each_drawing = pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@each_drawing
def test_a_tensor_with_gradient_is_not_drawn_silently(draw):
    with pytest.raises(GradientError, match=r"use \.data or \.numpy\(\)"):
        draw(tg.Tensor(Y))


@each_drawing
def test_data_and_constants_are_drawn(draw):
    for y in (tg.Tensor(Y).data, tg.Tensor(Y).detach(), tg.Tensor(Y, requires_grad=False)):
        draw(y)
        plt.gcf().canvas.draw()
        plt.clf()


def test_values_in_lists_and_a_line_at_a_value():
    v = tg.Value(2.0)
    for draw in (lambda: plt.plot([v, v]), lambda: plt.axhline(v)):
        with pytest.raises(GradientError):
            draw()
    (line,) = plt.plot([v.data, float(v)])
    assert np.array_equal(line.get_ydata(), [2.0, 2.0])
