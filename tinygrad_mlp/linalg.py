"""Linear algebra under the names of ``np.linalg``: ``tg.linalg.det`` and its kin."""

from typing import Any

from numpy.linalg import LinAlgError

from tinygrad_mlp import ops
from tinygrad_mlp.errors import ShapeError
from tinygrad_mlp.ops import (
    cholesky,
    det,
    eigvalsh,
    inv,
    matmul,
    matrix_norm,
    matrix_power,
    matrix_transpose,
    multi_dot,
    norm,
    pinv,
    slogdet,
    solve,
    svdvals,
    tensordot,
    vecdot,
    vector_norm,
)
from tinygrad_mlp.ops.matrices import SlogdetResult
from tinygrad_mlp.ops.shaping import as_array

__all__ = [
    "LinAlgError", "SlogdetResult", "cholesky", "cross", "det", "diagonal", "eigvalsh", "inv", "matmul", "matrix_norm",
    "matrix_power", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "slogdet", "solve", "svdvals",
    "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


def trace(x: Any, *, offset: int = 0) -> Any:
    """Return the sum of a diagonal of the matrices that the last two axes hold.

    >>> trace([[[1.0, 2.0], [3.0, 4.0]]])
    array([5.])
    """
    return ops.trace(x, offset, -2, -1)


def diagonal(x: Any, *, offset: int = 0) -> Any:
    """Return a diagonal of the matrices that the last two axes hold."""
    return ops.diagonal(x, offset, -2, -1)


def outer(a: Any, b: Any) -> Any:
    """Return the product of every element of a vector with every element of another.

    Raises:
        ShapeError: One is not 1-d.
    """
    a, b = as_array(a), as_array(b)
    if len(a.shape) != 1 or len(b.shape) != 1:
        raise ShapeError(
            f"linalg.outer: shapes {tuple(a.shape)} and {tuple(b.shape)} must both be 1-d; tg.outer is free"
        )
    return ops.outer(a, b)


def cross(a: Any, b: Any, *, axis: int = -1) -> Any:
    """Return the cross product of vectors of three elements along ``axis``.

    Raises:
        ShapeError: A vector has another length.
    """
    a, b = as_array(a), as_array(b)
    for x in (a, b):
        if not x.shape or x.shape[axis] != 3:
            raise ShapeError(f"linalg.cross: shape {tuple(x.shape)}: axis {axis} must have length 3")
    return ops.cross(a, b, axis=axis)
