"""Errors say what is wrong and where, in one line."""

from decimal import Decimal

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.errors import (
    AxisError,
    DTypeError,
    IndexingError,
    ShapeError,
    TinygradError,
    UnsupportedError,
)
from tinygrad_mlp.tensors import neurons

X = np.arange(6.0).reshape(2, 3)


class OnADevice:
    """An array of a library that does not let NumPy read it."""

    def __array__(self, *_args, **_kwargs):
        raise RuntimeError("copy it to the host first")


# -------------------------------------------------------------------------------------------------------- errors

MESSAGES = [
    (lambda x: x @ np.ones((4, 5)), ShapeError, r"matmul: \(2, 3\) @ \(4, 5\): inner lengths 3 and 4 differ"),
    (lambda x: x @ 2.0, ShapeError, "a scalar has no inner axis"),
    (lambda x: x @ np.ones(4), ShapeError, "inner lengths 3 and 4 differ"),
    (lambda x: tg.broadcast_to(x, (4, 2, 3)) @ np.ones((5, 3, 1)), ShapeError, "the leading axes do not broadcast"),
    (lambda x: x + np.ones(4), ShapeError, r"add: shapes \(2, 3\) and \(4,\) do not broadcast"),
    (lambda x: np.ones(4) * x, ShapeError, r"multiply: shapes \(4,\) and \(2, 3\) do not broadcast"),
    (lambda x: tg.where(np.ones(4) > 0, x, 0.0), ShapeError, "where: shapes"),
    (lambda x: tg.elu(x, alpha=tg.Tensor(0.5)), DTypeError, "elu: a Tensor as a parameter: .* no gradient"),
    (lambda x: tg.hardtanh(x, 0.0, tg.Value(1.0)), DTypeError, "hardtanh: a Tensor as a parameter"),
    (lambda x: tg.elu(x.numpy(), 1j), DTypeError, "elu: gives ndarray of complex128"),
    (lambda _: tg.exp(10**400), DTypeError, "exp of numbers: int too large"),
    (lambda _: tg.sum(10**40), DTypeError, "dtype object"),
    (lambda x: tg.concatenate([x, [[10**40] * 3]]), DTypeError, "dtype object"),
    (lambda x: tg.moveaxis(x, None, 0), DTypeError, "an axis or a length is an integer, not None"),
    (lambda x: tg.topk(x, None), DTypeError, "topk: k is an integer, not None"),
    (lambda x: tg.diagonal(x, 0.5), DTypeError, "diagonal: the offset is an integer, not 0.5"),
    (lambda x: tg.diag(x[0], "a"), DTypeError, "diag: k is an integer, not 'a'"),
    (lambda x: tg.float_power([[1.0], [1.0, 2.0]], x), DTypeError, "a list that is no array"),
    (lambda _: tg.vstack(3.0), DTypeError, "vstack: takes a list or tuple of arrays, not 3.0"),
    (lambda _: tg.multi_dot(None), DTypeError, "multi_dot: takes a list or tuple of arrays, not None"),
    (lambda x: tg.insert(x, True, 1.0), DTypeError, "insert: "),
    (lambda x: tg.repeat(x, np.inf), TinygradError, "repeat: "),
    (lambda x: tg.linear(x, np.ones((4, 5))), ShapeError, "the last axis of the input must have length 4"),
    (lambda x: tg.linear(x, np.ones((3, 5)), np.ones(4)), ShapeError, r"the bias must have shape \(5,\)"),
    (lambda x: tg.linear(x, np.ones(3)), ShapeError, r"the weight must have two axes, \(in, out\)"),
    (lambda x: x.sum(axis=2), AxisError, "2"),
    (lambda x: x.sum(axis=(0, 5)), AxisError, "5"),
    (lambda x: x.swapaxes(0, 3), AxisError, "axis 3 does not exist: the array has 2 dimensions"),
    (lambda x: tg.softmax(x, axis=2), AxisError, "2"),
    (lambda x: tg.squeeze(x, 1), ShapeError, r"squeeze: axis 1 of shape \(2, 3\) has length 3, not 1"),
    (lambda x: x.reshape(4, 2), ShapeError, r"reshape of \(2, 3\)"),
    (lambda x: tg.broadcast_to(x, (2, 2)), ShapeError, r"broadcast_to of \(2, 3\)"),
    (lambda x: tg.transpose(x, (0, 0)), ShapeError, "transpose"),
    (lambda x: tg.concatenate([x, np.ones((3, 2))]), ShapeError, "concatenate"),
    (lambda x: tg.stack([x, np.ones(3)]), ShapeError, "stack"),
    (lambda x: tg.concatenate(x.sum()), DTypeError, "takes a list or tuple"),
    (lambda x: tg.sum(x, axes=1), UnsupportedError, "sum: no argument 'axes'"),
    (lambda x: tg.exp(x, out=None), UnsupportedError, "exp: no argument 'out'"),
    (lambda x: tg.softmax(x, dim=1), UnsupportedError, r"softmax: no argument 'dim' \(use axis=\)"),
    (lambda x: x.sum(axis=1, keepdim=True), UnsupportedError, r"sum: no argument 'keepdim' \(use keepdims=\)"),
    (lambda x: x.std(unbiased=False), UnsupportedError, r"std: no argument 'unbiased' \(use ddof=\)"),
    (lambda x: tg.clip(x, a_min=0), UnsupportedError, r"clip: no argument 'a_min' \(use min=\)"),
    (lambda x: tg.clip(x, lower=0), UnsupportedError, r"clip: no argument 'lower' \(it takes: min, max\)"),
    (lambda x: tg.exp(x, dim=0), UnsupportedError, r"exp: no argument 'dim' \(it takes: none\)"),
    (lambda x: f"{x:.2f}", ShapeError, r"format: '.2f' is for one number, and this tensor has shape \(2, 3\)"),
    (tg.add, TypeError, "add"),
    (lambda _x: tg.add(), TypeError, "add"),
    (lambda x: tg.add(x, x, x), TypeError, "add"),
    (lambda x: tg.exp(x, x), TypeError, "exp"),
    (lambda x: x + "a", DTypeError, "str"),
    (lambda x: x * 1j, DTypeError, "complex"),
    (lambda x: x * np.ones(3, complex), DTypeError, "complex"),
    (lambda x: np.array(["a"]) + x, DTypeError, "not numbers"),
    (lambda x: x * [1.0, [2.0]], DTypeError, "list"),
    (lambda _x: tg.exp(OnADevice()), DTypeError, "a OnADevice that is no array: copy it to the host first"),
    (lambda _x: tg.power([2, 3], [[-1]]), ShapeError, "Integers to negative integer powers are not allowed"),
    (lambda x: x * np.ma.array(np.ones(3), mask=[0, 0, 1]), DTypeError, "a masked array has no numbers under its mask"),
    (lambda _x: tg.Tensor(np.ma.masked), DTypeError, "a masked array has no numbers under its mask"),
    (lambda x: x.astype(complex), DTypeError, "complex"),
    (lambda x: x.astype("U3"), DTypeError, "no dtype of real numbers"),
    (lambda x: tg.dropout(x, 1.5, rng=0), TinygradError, "a probability lies in"),
    (lambda x: tg.dropout(x, 0.5, rng=None), TinygradError, "pass a seed"),
    (lambda _x: tg.dropout(np.arange(3), 0.4, rng=0), DTypeError, "dropout: int64 cannot hold x"),
    (lambda x: tg.affine([x, x]), ShapeError, "affine: takes n weights, n values and a bias, 2 operands were given"),
    (lambda _x: tg.affine([]), ShapeError, "affine: .* 0 operands were given"),
    (lambda x: tg.cross_entropy(x, [0, 3]), IndexingError, "labels run from 0 to 3, with 3 classes"),
    (lambda x: tg.cross_entropy(x, [-1, 0]), IndexingError, "-1"),
    (lambda x: tg.cross_entropy(x, [0.0, 1.0]), DTypeError, "labels must be integers"),
    (lambda x: tg.cross_entropy(x, [0]), ShapeError, r"give labels of shape \(2,\)"),
    (lambda x: tg.cross_entropy(x[0], 3), IndexingError, "with 3 classes"),
    (lambda x: tg.cross_entropy(x[0], 1.0), DTypeError, "labels must be integers"),
    (lambda _x: tg.cross_entropy(1.0, 0), ShapeError, "the prediction is a scalar"),
    (lambda _x: tg.cross_entropy(tg.Value(1.0), 0), ShapeError, "the prediction is a scalar"),
    (lambda _x: neurons([((tg.Value(1.0),), tg.Value(2.0))], ("a",)), DTypeError, "str 'a': not a real number"),
    (lambda _x: neurons([((tg.Value(1.0),), tg.Value(2.0))], (Decimal(1),)), DTypeError, "Decimal is no number"),
    (lambda x: x[[[0], [0, 1]]], IndexingError, "a list that is no index"),
    (lambda x: tg.squared_error(x, X[0]), ShapeError, "the shapes must be the same"),
    (lambda x: tg.squared_error(x, X, reduction="avg"), UnsupportedError, "choose one of mean, sum, none"),
]


@pytest.mark.parametrize(("f", "kind", "message"), MESSAGES, ids=[str(i) for i in range(len(MESSAGES))])
def test_errors_say_what_is_wrong(f, kind, message):
    with pytest.raises(kind, match=message) as caught:
        f(tg.Tensor(X))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, TinygradError | TypeError)


@pytest.mark.parametrize(
    "f",
    [
        lambda: tg.sum(None), lambda: tg.exp(None), lambda: tg.concatenate([None]), lambda: tg.where(True, None, 1.0),
        lambda: tg.where(np.array([True]), np.array([1.0]), None), lambda: tg.maximum(np.ones(3), None),
        lambda: tg.stack([np.ones(2), None]), lambda: tg.cross_entropy(None, [1]), lambda: tg.squared_error(1.0, None),
        lambda: tg.einsum("i->", None), lambda: tg.add(tg.Value(1.0), None),
    ],
)  # fmt: skip
def test_nothing_is_no_operand(f):
    with pytest.raises(DTypeError, match="None"):
        f()


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("rollaxis", (5,)), ("roll", (1, 5)), ("repeat", (2, 5)), ("delete", (0, 5)), ("split", (1, 5)),
        ("diff", (1, 5)), ("unstack", (5,)), ("take", ([0], 5)), ("gather", (5, [[0]])), ("normalize", (2.0, 5)),
        ("sort", (5,)), ("topk", (1, 5)), ("tensordot", (X, (5, 0))), ("swapaxes", (5, 0)), ("glu", (5,)),
        ("trapezoid", (None, 1.0, 5)), ("moveaxis", (5, 0)), ("flip", (5,)), ("sum", (5,)), ("median", (5,)),
        ("norm", (2, 5)), ("softmax", (5,)), ("expand_dims", (9,)), ("squeeze", (5,)), ("cumsum", (5,)),
        ("argmax", (5,)), ("pad", ({5: 1},)),
    ],
)  # fmt: skip
def test_an_axis_that_does_not_exist_is_told_with_the_name_of_the_function(name, args):
    with pytest.raises(AxisError, match=rf"{name}\b.*axis [59]"):
        getattr(tg, name)(X, *args)
