"""Dtypes: results have NumPy's, gradients their operand's; no number widens an array, and no gradient is narrowed."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from op_cases import samples
from strategies import FEW, ROWS, call, leaves

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DTypeError
from tinygrad_mlp.tensors.protocols import UFUNCS

FLOATS = (np.float16, np.float32, np.float64, np.longdouble)
DTYPES = (np.bool_, np.int8, np.uint8, np.int32, np.int64, np.uint64, *FLOATS)
ELEMENTWISE = {
    f.__name__: (f, row) for f, row in UFUNCS.items() if getattr(row, "elementwise", False) or row is tg.float_power
}
each_ufunc = pytest.mark.parametrize(("ufunc", "row"), ELEMENTWISE.values(), ids=ELEMENTWISE)


def dtype_of(f, *operands):
    """The dtype of what a function gives; None where NumPy has no such function."""
    try:
        with np.errstate(all="ignore"):
            return f(*operands).dtype
    except TypeError:
        return None


@each_ufunc
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@FEW
@given(data=st.data())
def test_a_result_has_the_dtype_that_numpy_gives_it(ufunc, row, data):
    """Arrays of any two dtypes of which one is floating, and arrays beside Python's numbers."""
    kinds = [data.draw(st.sampled_from(DTYPES)) for _ in range(ufunc.nin)]
    operands = [np.array([1, 1], kind) for kind in kinds]
    if ufunc.nin == 2:
        i = data.draw(st.sampled_from([0, 1, None]))
        if i is not None:
            operands[i] = data.draw(st.sampled_from([1, 1.0, True]))
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    assume(any(x.dtype.kind == "f" for x in arrays))
    expected = dtype_of(ufunc, *operands)
    assert dtype_of(row, *operands) == expected
    nodes = [tg.Tensor(x) if isinstance(x, np.ndarray) else x for x in operands]
    assert dtype_of(row, *nodes) == expected
    if expected is None or expected.kind != "f" or not row(*nodes).requires_grad:
        return
    row(*nodes).backward(np.ones(2))
    for x in nodes:
        if isinstance(x, tg.Tensor) and x.dtype.kind == "f":
            assert x.grad.dtype == x.dtype
        elif isinstance(x, tg.Tensor):
            assert x.grad is None


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
@pytest.mark.parametrize("op", ROWS.values(), ids=ROWS)
@FEW
@given(data=st.data())
def test_every_row_keeps_half_and_extended_precision(op, dtype, data):
    sample = data.draw(samples(op))
    if op.name == "astype":
        return
    floats = tuple(x.astype(dtype) if x is not None and x.dtype.kind == "f" else x for x in sample.operands)
    sample = sample._replace(operands=floats)
    if op.__module__.endswith("matrices"):
        assume(floats[0].size)
        with pytest.raises(DTypeError, match=f"{op.name} of .* unsupported in linalg"):  # NumPy's LAPACK has no such
            call(op, floats, sample.params)
        return
    plain = np.asarray(call(op, floats, sample.params))
    assert (
        plain.dtype.kind != "f" or plain.dtype == dtype or not any(x is not None and x.dtype == dtype for x in floats)
    )
    if not op.differentiable:
        return
    operands = leaves(sample, dtype)
    y = call(op, operands, sample.params)
    assert y.dtype == dtype
    with np.errstate(all="ignore"):
        y.backward(np.ones(y.shape))
    assert [operands[i].grad.dtype for i in sample.wrt] == [dtype] * len(sample.wrt)


def test_extended_precision_is_not_lost_on_the_way():
    """A third to the last digit of a long double, through a graph and into the gradient."""
    third = np.longdouble(1) / 3
    x = tg.Tensor(np.array([third, 2 * third]))
    y = (x * third / 3.0 + x.reshape(2)[::-1] * 2).sum() * third
    y.backward(third)
    assert np.allclose(x.grad, third * third * (third / 3 + 2), rtol=4 * np.finfo(np.longdouble).eps, atol=0)
    v = tg.jvp(lambda z: z * third, (x.numpy(),), (np.full(2, third),))[1]
    assert np.array_equal(v, np.full(2, third * third))


@given(data=st.data())
def test_a_leaf_of_low_precision_gets_the_sum_of_its_uses_in_its_own_dtype(data):
    a, b, c = (data.draw(st.sampled_from(FLOATS)) for _ in range(3))
    x = tg.Tensor(np.array([0.5, 2.0], a))
    (x * np.ones(2, b) + x * np.ones(2, c) * 2.0 + x.astype(c)).sum().backward()
    assert (x.grad.dtype, x.grad.tolist()) == (a, [4.0, 4.0])


COMPLEX = {
    "number": 1j,
    "scalar": np.complex64(1j),
    "array": np.array([1j, 2.0]),
    "list": [1j, 2.0],
}
PLACES = {
    "leaf": tg.Tensor,
    "tensor": tg.tensor,
    "left": lambda z: z * tg.Tensor([1.0, 2.0]),
    "right": lambda z: tg.Tensor([1.0, 2.0]) + z,
    "value": lambda z: tg.Value(1.0) * z,
    "exponent": lambda z: tg.Tensor([1.0, 2.0]) ** z,
    "raw": tg.exp,
    "sum": tg.sum,
    "where": lambda z: tg.where(np.array([True, False]), tg.Tensor([1.0, 2.0]), z),
    "stack": lambda z: tg.stack([tg.Tensor([1.0, 2.0]), z]),
    "assign": lambda z: tg.Tensor([1.0, 2.0]).assign(z),
    "gradient": lambda z: setattr(tg.Tensor([1.0, 2.0]), "grad", z),
    "seed": (tg.Tensor([1.0, 2.0]) * 2).backward,
    "grad": tg.grad(tg.sum),
    "tangent": lambda z: tg.jvp(tg.sum, (np.array([1.0, 2.0]),), (np.asarray(z),)),
    "numpy": lambda z: np.multiply(z, tg.Tensor([1.0, 2.0])),
}


@pytest.mark.parametrize("z", COMPLEX.values(), ids=COMPLEX)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_complex_numbers_are_refused_wherever_they_come(place, z):
    with pytest.raises((DTypeError, tg.errors.ShapeError), match=r"complex|real number|shape"):
        place(z)


def test_xlogy_of_float32_and_a_number_stays_float32():
    assert tg.xlogy(np.ones(2, np.float32), 2.5).dtype == np.float32
    assert np.allclose(tg.xlogy(np.array([1, 0]), 2.5), [np.log(2.5), 0.0])
