"""What the tests of the op table draw from: numbers, shapes that broadcast, arrays, indices; the rows themselves."""

from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn, SearchStrategy

import tinygrad_mlp as tg
from tinygrad_mlp.table import OPS, Op

ROWS = {name: op for name, op in OPS.items() if op.__module__.startswith("tinygrad_mlp.ops")}
SMOOTH = {name: op for name, op in ROWS.items() if op.differentiable}
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -2.0, 1000.0, -1000.0, np.inf, -np.inf, np.nan)
FEW = settings(max_examples=max(5, settings.default.max_examples // 10))  # for what random inputs vary little

Shape = tuple[int, ...]


class Call(NamedTuple):
    """The operands and params of one call, and which operands are differentiated."""

    operands: tuple[np.ndarray, ...]
    params: dict[str, Any]
    wrt: tuple[int, ...]


def call(op: Op, operands: Any, params: dict[str, Any]) -> Any:
    """Call an op on operands given as one sequence, as it takes them."""
    return op(list(operands), **params) if op.arity is None else op(*operands, **params)


def leaves(sample: Call, dtype: Any = np.float64) -> list[Any]:
    """The operands of a sample, as tensors where they are differentiated and as raw arrays elsewhere."""
    return [tg.Tensor(x.astype(dtype)) if i in sample.wrt else x for i, x in enumerate(sample.operands)]


# ------------------------------------------------------------------------------------------------------------- numbers


def grid(draw: DrawFn, op: Op, shapes: list[Shape]) -> list[np.ndarray]:
    """Arrays in the domain of ``op`` whose elements all differ, between arrays too, and are far from zero: no kinks."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    low, high = op.domain
    order = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).permutation(sum(sizes))
    values = low + (high - low) * (order + 0.37) / max(sum(sizes), 1)
    parts = np.split(values, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> SearchStrategy[Shape]:
    """Shapes of few elements, 0-d and zero-size ones included."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def axis_near(ndim: int) -> SearchStrategy[int]:
    """An axis of an array; now and then one that does not exist."""
    return st.sampled_from([*range(-ndim, ndim)] * 2 + [ndim, -ndim - 1])


def axes_near(ndim: int) -> SearchStrategy[Any]:
    """None, an axis, or several in any order; now and then one that does not exist, or that comes twice."""
    several = [axes for n in range(ndim + 1) for axes in permutations(range(ndim), n)]
    negative = [tuple(axis - ndim for axis in axes) for axes in several]
    return axis_near(ndim) | st.sampled_from([None, *several, *negative, (0, -ndim), (ndim,)])


def wide(draw: DrawFn, n: int, **limits: int) -> list[Shape]:
    """Return ``n`` shapes that broadcast against each other."""
    given = {"max_dims": 3, "max_side": 3, "min_side": 0, **limits}
    return list(draw(hnp.mutually_broadcastable_shapes(num_shapes=n, **given)).input_shapes)


def special_arrays(dtype: Any = np.float64, **limits: int) -> SearchStrategy[np.ndarray]:
    """Arrays in which zeros, ties, infinities and NaN are frequent."""
    return hnp.arrays(dtype, shapes(**limits), elements=st.sampled_from(SPECIAL))


def indices(draw: DrawFn, shape: Shape) -> Any:
    """What NumPy reads as an index of an array of ``shape``: basic, integer arrays with repeats, masks, mixtures."""
    kinds = [hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True), hnp.arrays(bool, shape)]
    if shape and min(shape) > 0:
        kinds.append(hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=4)))
        first = hnp.arrays(np.intp, st.integers(1, 4), elements=st.integers(-shape[0], shape[0] - 1))
        kinds += [first, first.map(lambda i: (i, Ellipsis, None)), first.map(lambda i: (None, i))]
        kinds.append(hnp.arrays(bool, shape[:1]).map(lambda mask: (mask, Ellipsis)))
    return draw(st.one_of(kinds))
