"""For every row of the op table operands and params that suit it: one line in ``CASES``, unless it just broadcasts."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import DrawFn
from strategies import Call, grid, indices, shapes, wide

from tinygrad_mlp.table import Op

Shape = tuple[int, ...]

# --------------------------------------------------------------------------------------------------------- rows by kind


def axes(draw: DrawFn, ndim: int) -> Any:
    """None, an axis, a negative axis, or several."""
    if ndim == 0:
        return None
    one = st.integers(-ndim, ndim - 1)
    many = st.lists(st.integers(0, ndim - 1), unique=True, max_size=ndim).map(tuple)
    return draw(st.none() | one | many)


def broadcasting(draw: DrawFn, op: Op) -> Call:
    """Operands of an elementwise row."""
    n = op.arity if op.arity is not None else 2 * draw(st.integers(0, 2)) + 1
    return Call(tuple(grid(draw, op, wide(draw, n))), {}, tuple(range(n)))


def choosing(draw: DrawFn, op: Op) -> Call:
    condition, a, b = wide(draw, 3)
    mask = draw(hnp.arrays(bool, condition))
    return Call((mask, *grid(draw, op, [a, b])), {}, (1, 2))


def deciding(draw: DrawFn, op: Op) -> Call:
    """Operands of a logical row: booleans, or numbers of which some are zero."""
    masks = [draw(hnp.arrays(bool, shape)) for shape in wide(draw, op.arity or 1)]
    return Call(tuple(masks if draw(st.booleans()) else (np.asarray(mask * -1.5) for mask in masks)), {}, ())


def given(**values: list[Any]) -> Callable[[DrawFn, Op], Call]:
    """The operands of an elementwise row, with params from among some values."""

    def with_params(draw: DrawFn, op: Op) -> Call:
        return broadcasting(draw, op)._replace(params={name: draw(st.sampled_from(vs)) for name, vs in values.items()})

    return with_params


def clipped(draw: DrawFn, op: Op) -> Call:
    x, lower, upper = grid(draw, op, wide(draw, 3))
    bounds = draw(st.sampled_from([(lower, upper), (None, upper), (lower, None), (None, None)]))
    given = tuple(i for i, bound in enumerate((x, *bounds)) if bound is not None)
    return Call((x, *bounds), {}, given)


def reduced(draw: DrawFn, op: Op, min_side: int = 0, **params: Any) -> Call:
    shape = draw(shapes(min_side=min_side))
    axis = axes(draw, len(shape))
    given = {"axis": axis, "keepdims": draw(st.booleans()), **params}
    return Call(tuple(grid(draw, op, [shape])), given, (0,))


def averaged(draw: DrawFn, op: Op) -> Call:
    return reduced(draw, op, min_side=1)  # the mean of nothing is NaN, with a warning, as in NumPy


def varied(draw: DrawFn, op: Op) -> Call:
    return reduced(draw, op, min_side=2, ddof=0) if draw(st.booleans()) else spread_out(draw, op)


def spread_out(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes(min_dims=1, min_side=2))
    return Call(tuple(grid(draw, op, [shape])), {"axis": draw(st.integers(0, len(shape) - 1)), "ddof": 1}, (0,))


def along(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes(min_dims=1, min_side=1))
    return Call(tuple(grid(draw, op, [shape])), {"axis": draw(st.integers(-len(shape), len(shape) - 1))}, (0,))


def decided(draw: DrawFn, _op: Op) -> Call:
    shape = draw(shapes())
    params = {"axis": axes(draw, len(shape)), "keepdims": draw(st.booleans())}
    return Call((draw(hnp.arrays(bool, shape)),), params, ())


def running(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes())
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1)) if shape else draw(st.sampled_from([None, 0, -1]))
    return Call(tuple(grid(draw, op, [shape])), {"axis": axis}, (0,))


def ordered(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes(min_dims=1))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    return Call(tuple(grid(draw, op, [shape])), {"axis": axis}, ())


def parted(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes(min_dims=1, min_side=1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Call(tuple(grid(draw, op, [shape])), {"kth": 0 if shape[axis] == 1 else 1, "axis": axis}, ())


def ranking(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes(min_dims=1, min_side=1))
    ranks = draw(hnp.arrays(np.intp, st.integers(0, 3), elements=st.integers(0, shape[-1] - 1)))
    return Call((*grid(draw, op, [shape]), ranks), {}, (0,))


def recurring(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes(min_dims=1))
    return Call(tuple(grid(draw, op, [shape, shape])), {"reverse": draw(st.booleans())}, (0, 1))


def found(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes(min_side=1))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1)) if shape else None
    return Call(tuple(grid(draw, op, [shape])), {"axis": axis, "keepdims": draw(st.booleans())}, ())


# ------------------------------------------------------------------------------------------------------ rows by name


def reshaped(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes())
    size = int(np.prod(shape))
    choices: list[Any] = [(size,), (1, *shape[::-1], 1)] + ([-1, (1, -1), size] if size else [])
    return Call(tuple(grid(draw, op, [shape])), {"shape": draw(st.sampled_from(choices))}, (0,))


def permuted(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes())
    order = draw(st.permutations(range(len(shape))))
    negative = tuple(axis - len(shape) for axis in order)
    return Call(tuple(grid(draw, op, [shape])), {"axes": draw(st.sampled_from([None, tuple(order), negative]))}, (0,))


def swapped(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes(min_dims=1))
    axis = st.integers(-len(shape), len(shape) - 1)
    return Call(tuple(grid(draw, op, [shape])), {"axis1": draw(axis), "axis2": draw(axis)}, (0,))


def widened(draw: DrawFn, op: Op) -> Call:
    small, other = wide(draw, 2)
    return Call(tuple(grid(draw, op, [small])), {"shape": np.broadcast_shapes(small, other)}, (0,))


def narrowed(draw: DrawFn, op: Op) -> Call:
    small, other = wide(draw, 2)
    return Call(tuple(grid(draw, op, [np.broadcast_shapes(small, other)])), {"shape": small}, (0,))


def expanded(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes(max_dims=2))
    axis = draw(st.integers(-len(shape) - 1, len(shape)) | st.just((0, -1)) | st.just((0, 1)))
    return Call(tuple(grid(draw, op, [shape])), {"axis": axis}, (0,))


def squeezed(draw: DrawFn, op: Op) -> Call:
    shape = draw(st.lists(st.sampled_from([1, 1, 2, 3]), max_size=4).map(tuple))
    ones = [i for i, n in enumerate(shape) if n == 1]
    choices: list[Any] = [None, tuple(ones), *ones, *(i - len(shape) for i in ones)]
    return Call(tuple(grid(draw, op, [shape])), {"axis": draw(st.sampled_from(choices))}, (0,))


def cast(draw: DrawFn, op: Op) -> Call:
    return Call(tuple(grid(draw, op, wide(draw, 1))), {"dtype": np.float64}, (0,))


def joined(draw: DrawFn, op: Op) -> Call:
    shape = list(draw(shapes(min_dims=1)))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    parts = []
    for n in draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)):
        shape[axis or 0] = n
        parts.append(tuple(shape))
    return Call(tuple(grid(draw, op, parts)), {"axis": axis}, tuple(range(len(parts))))


def stacked(draw: DrawFn, op: Op) -> Call:
    shape, n = draw(shapes(max_dims=2)), draw(st.integers(1, 3))
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    return Call(tuple(grid(draw, op, [shape] * n)), {"axis": axis}, tuple(range(n)))


def indexed(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes())
    return Call(tuple(grid(draw, op, [shape])), {"index": indices(draw, shape)}, (0,))


def scattered(draw: DrawFn, op: Op) -> Call:
    shape = draw(shapes())
    index = indices(draw, shape)
    values = np.zeros(shape)[index]
    return Call(tuple(grid(draw, op, [np.shape(values)])), {"shape": shape, "index": index}, (0,))


def labelled(draw: DrawFn, _op: Op) -> Call:
    n = draw(st.integers(1, 4))
    labels = draw(hnp.arrays(np.int64, shapes(max_dims=2), elements=st.integers(0, n - 1)))
    return Call((labels,), {"n": n}, ())


def multiplied(draw: DrawFn, op: Op) -> Call:
    batch_a, batch_b = wide(draw, 2, max_dims=2, max_side=2)
    m, k, n = draw(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)))
    left = draw(st.sampled_from([(k,), (m, k), (*batch_a, m, k)]))
    right = draw(st.sampled_from([(k,), (k, n), (*batch_b, k, n)]))
    return Call(tuple(grid(draw, op, [left, right])), {}, (0, 1))


def layered(draw: DrawFn, op: Op) -> Call:
    batch, n_in, n_out = draw(shapes(max_dims=2)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    parts = grid(draw, op, [(*batch, n_in), (n_in, n_out), (n_out,)])
    if draw(st.booleans()):
        return Call((*parts[:2], None), {}, (0, 1))
    return Call(tuple(parts), {}, (0, 1, 2))


def classified(draw: DrawFn, op: Op) -> Call:
    batch, n = draw(shapes(max_dims=2, min_side=1)), draw(st.integers(1, 4))
    params = {"reduction": draw(st.sampled_from(["mean", "sum", "none"]))}
    logits, weights = grid(draw, op, [(*batch, n), (*batch, n)])
    if draw(st.booleans()):
        return Call((logits, np.abs(weights)), params, (0, 1))
    return Call((logits, draw(hnp.arrays(np.int64, batch, elements=st.integers(0, n - 1)))), params, (0,))


def masked(draw: DrawFn, op: Op) -> Call:
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    return Call(tuple(grid(draw, op, wide(draw, 1))), {"p": draw(st.sampled_from([0.0, 0.4, 1.0])), "rng": rng}, ())


LETTERS = "ijk"


def contracted(draw: DrawFn, op: Op) -> Call:
    lengths = dict(zip(LETTERS, draw(st.tuples(*[st.integers(0, 3)] * len(LETTERS))), strict=True))
    some = st.lists(st.sampled_from(LETTERS), unique=True, max_size=3).map("".join)
    terms = draw(st.lists(some, min_size=1, max_size=3))
    known = sorted(set("".join(terms)))
    out = "".join(draw(st.lists(st.sampled_from(known), unique=True))) if known else ""
    sides = [tuple(1 if draw(st.integers(0, 4)) == 0 else lengths[c] for c in term) for term in terms]
    return Call(tuple(grid(draw, op, sides)), {"subscripts": f"{','.join(terms)}->{out}"}, tuple(range(len(terms))))


def well_conditioned(draw: DrawFn, *batch: int, rows: int, columns: int) -> np.ndarray:
    """Matrices whose singular values are 1, 2, … and whose vectors are random."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    u, _, vh = np.linalg.svd(rng.normal(size=(*batch, rows, columns)), full_matrices=False)
    largest = np.sort(np.abs(u), axis=-2)[..., -2:, :]  # whose sign that of the whole vector follows: no ties
    assume(np.ptp(largest, axis=-2).min(initial=1.0) > 0.01 if rows > 1 else True)
    return u * np.arange(1.0, min(rows, columns) + 1) @ vh


def invertible(draw: DrawFn, _op: Op) -> Call:
    n = draw(st.integers(0, 3))
    return Call((well_conditioned(draw, *draw(shapes(max_dims=1, max_side=2)), rows=n, columns=n),), {}, (0,))


def any_square(draw: DrawFn, _op: Op) -> Call:
    """Square matrices, some of them singular."""
    n, rng = draw(st.integers(0, 4)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rank = draw(st.integers(0, n))
    batch = draw(shapes(max_dims=1, max_side=2))
    return Call((rng.uniform(-1, 1, (*batch, n, rank)) @ rng.uniform(-1, 1, (*batch, rank, n)),), {}, (0,))


def along_another(draw: DrawFn, op: Op) -> Call:
    (x,) = invertible(draw, op).operands
    return Call((x, np.random.default_rng(draw(st.integers(0, 99))).uniform(-1, 1, x.shape)), {}, (0, 1))


def solved(draw: DrawFn, op: Op) -> Call:
    n, k = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    batch_a, batch_b = wide(draw, 2, max_dims=2, max_side=2)
    return Call((well_conditioned(draw, *batch_a, rows=n, columns=n), *grid(draw, op, [(*batch_b, n, k)])), {}, (0, 1))


def oblong(draw: DrawFn, _op: Op) -> Call:
    rows, columns = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    batch = draw(shapes(max_dims=1, max_side=2))
    return Call((well_conditioned(draw, *batch, rows=rows, columns=columns),), {}, (0,))


def positive_definite(draw: DrawFn, op: Op) -> Call:
    (x,) = invertible(draw, op).operands
    return Call((x @ np.swapaxes(x, -1, -2),), {"upper": draw(st.booleans())}, (0,))


def symmetric_operand(draw: DrawFn, op: Op) -> Call:
    return positive_definite(draw, op)._replace(params={"UPLO": draw(st.sampled_from("LU"))})


def symmetric(x: Any) -> Any:
    return (x + x.swapaxes(-1, -2)) / 2


def direction(op: Op, v: Any) -> Any:
    """The part of ``v`` along which ``op`` has the derivative of its rule: that of symmetric matrices is symmetric."""
    return symmetric(v) if op.symmetric else v


def picked(draw: DrawFn, op: Op) -> Call:
    """An array and indices that broadcast but for one axis, or flat ones."""
    shape = draw(shapes(min_dims=1))
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    if axis is None:
        n = int(np.prod(shape))
        places = st.integers(-n, n - 1) if n else st.just(0)
        index = draw(hnp.arrays(np.intp, draw(st.integers(0, 4)) if n else 0, elements=places))
        return Call((*grid(draw, op, [shape]), index), {"axis": None}, (0,))
    n = shape[axis]
    wide = [draw(st.sampled_from([m, 1])) for m in shape]
    wide[axis] = draw(st.integers(0, 4)) if n else 0
    index = draw(hnp.arrays(np.int64, tuple(wide), elements=st.integers(-n, n - 1) if n else st.just(0)))
    return Call((*grid(draw, op, [shape]), index), {"axis": axis}, (0,))


def picked_back(draw: DrawFn, op: Op) -> Call:
    (x, index), params, _ = picked(draw, op)
    y = np.take_along_axis(x, index, params["axis"])
    return Call((*grid(draw, op, [y.shape]), index), {"shape": x.shape, **params}, (0,))


# One line for each row that needs more than broadcasting operands.
CASES: dict[str, Callable[[DrawFn, Op], Call]] = {
    "add_along_axis": picked_back,
    "all": decided,
    "any": decided,
    "argmax": found,
    "argmin": found,
    "argpartition": parted,
    "argsort": ordered,
    "astype": cast,
    "broadcast_to": widened,
    "celu": given(alpha=[1.0, 0.5]),
    "cholesky": positive_definite,
    "clip": clipped,
    "cofactors": invertible,
    "cofactors_slope": along_another,
    "concatenate": joined,
    "contraction": contracted,
    "cumprod": running,
    "cumsum": running,
    "det": any_square,
    "determinant_sign": invertible,
    "dropout_mask": masked,
    "eigenvectors": symmetric_operand,
    "eigvalsh": symmetric_operand,
    "elu": given(alpha=[1.0, 0.5]),
    "euclidean_norm": averaged,
    "expand_dims": expanded,
    "gelu": given(approximate=["none", "tanh"]),
    "getitem": indexed,
    "hardtanh": given(min_val=[-1.1, -0.4], max_val=[0.7, 1.1]),
    "inv": invertible,
    "leaky_relu": given(negative_slope=[0.01, 0.3, 0.0]),
    "left_vectors": oblong,
    "linear": layered,
    "log_abs_determinant": invertible,
    "log_softmax": along,
    "logcumsumexp": running,
    "logical_and": deciding,
    "logical_not": deciding,
    "logical_or": deciding,
    "logical_xor": deciding,
    "logit": given(eps=[None, 0.15]),
    "logsumexp": averaged,
    "matmul": multiplied,
    "max": averaged,
    "mean": averaged,
    "min": averaged,
    "nanmax": averaged,
    "nanmin": averaged,
    "one_hot": labelled,
    "pinv": oblong,
    "prod": reduced,
    "ranked": ranking,
    "recurrence": recurring,
    "reshape": reshaped,
    "right_vectors": oblong,
    "round": given(decimals=[0, 1, -1]),
    "running_max": running,
    "running_min": running,
    "scatter": scattered,
    "softmax": along,
    "softmax_cross_entropy": classified,
    "solution": solved,
    "squeeze": squeezed,
    "stack": stacked,
    "std": varied,
    "sum": reduced,
    "sum_to": narrowed,
    "svdvals": oblong,
    "swapaxes": swapped,
    "take_along_axis": picked,
    "transpose": permuted,
    "var": varied,
    "where": choosing,
}


@st.composite
def samples(draw: DrawFn, op: Op) -> Call:
    """A call of ``op`` at a point where it is smooth."""
    return CASES.get(op.name, broadcasting)(draw, op)
