"""Functions of square matrices and what they are made of: determinants, inverses, factors, eigen- and singular values.

All but the last two axes are batches, as in ``np.linalg``. The derivatives are those of M. Giles, *Collected matrix
derivative results for forward and reverse mode algorithmic differentiation*, 2008, where no other source is named.
"""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.errors import DTypeError, ShapeError, UnsupportedError
from tinygrad_mlp.ops.elementwise import divide, multiply, negative, square, where
from tinygrad_mlp.ops.linalg import matmul
from tinygrad_mlp.ops.reductions import sum
from tinygrad_mlp.ops.shaping import as_array, beside, broadcast_to, expand_dims, squeeze, sum_to, swapaxes
from tinygrad_mlp.table import defvjp, defvjps, primitive


def _mt(x: Any) -> Any:
    return swapaxes(x, axis1=-1, axis2=-2)


def square_matrix(name: str, x: Any) -> None:
    """Raise ``ShapeError`` if the last two axes of ``x`` are not equal."""
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name}: shape {tuple(x.shape)}: the last two axes must be equal, for square matrices")


def _matrices(xp: Any, name: str, x: Any, any_shape: bool = False) -> Any:
    """Return the operand of a forward rule, matrices of floating-point numbers.

    Raises:
        ShapeError: It has fewer than two axes, or the last two differ although the matrices must be square.
    """
    if x.ndim < 2:
        raise ShapeError(f"{name}: shape {tuple(x.shape)} is no matrix: two axes at least are needed")
    if not any_shape:
        square_matrix(name, x)
    return x if getattr(x.dtype, "kind", "f") not in "iub" else xp.astype(x, xp.float64)


def _on_diagonal(x: Any) -> Any:
    """Return which elements of square matrices are on their diagonals."""
    return beside(x, np.eye(x.shape[-1], dtype=bool))


def _trace(x: Any) -> Any:
    """Return the trace of each matrix with two axes that multiply it."""
    return sum(where(_on_diagonal(x), x, 0.0), axis=(-2, -1), keepdims=True)


def _columns(rates: Any) -> Any:
    """Return a number for each column as a row that multiplies them."""
    return expand_dims(rates, axis=-2)


def _numbers(rates: Any) -> Any:
    """Return a number for each matrix with two axes that multiply it."""
    return expand_dims(rates, axis=(-2, -1))


# -------------------------------------------------------------------------------------------------------- determinants


@primitive(symbol="det", latex=r"\det {0}")
def det(xp: Any, x: Any) -> Any:
    """Return the determinant; its derivative, the cofactors, is right at singular matrices too.

    >>> det([[1.0, 2.0], [3.0, 4.0]])
    np.float64(-2.0000000000000004)

    Raises:
        ShapeError: The matrices are not square.
    """
    return xp.linalg.det(_matrices(xp, "det", x))


def _singular_frame(xp: Any, x: Any) -> tuple[Any, ...]:
    """Return u, s, vᵀ and the sign of det(u) det(v); where a matrix is not finite, those of 0, and that it is not."""
    finite = xp.all(xp.isfinite(x), axis=(-2, -1), keepdims=True)
    u, s, vh = xp.linalg.svd(xp.where(finite, x, xp.zeros_like(x)))
    flip = xp.sign(xp.linalg.det(u) * xp.linalg.det(vh))
    return u, s, vh, xp.reshape(flip, (*flip.shape, 1, 1)), finite


def _product_without(xp: Any, s: Any, kept: Any) -> Any:
    """Return the product of the last axis of ``s`` over the places where ``kept`` holds along its own last axis."""
    rows = xp.reshape(s, (*s.shape[:-1], *(1,) * (kept.ndim - 1), s.shape[-1]))
    return xp.prod(xp.where(kept, rows, xp.ones_like(rows)), axis=-1)


@primitive(symbol="cof", latex=r"\operatorname{{cof}} {0}")
def cofactors(xp: Any, x: Any) -> Any:
    """Return the cofactors of a square matrix, the derivative of its determinant; the matrix may be singular.

    In the frame of the singular vectors the cofactors are products of all singular values but one.

    >>> cofactors([[1.0, 2.0], [2.0, 4.0]]).round(12)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    u, s, vh, flip, finite = _singular_frame(xp, x)
    products = _product_without(xp, s, xp.asarray(~np.eye(x.shape[-1], dtype=bool)))
    y = flip * xp.matmul(u * xp.expand_dims(products, axis=-2), vh)
    return xp.where(finite, y, xp.full_like(y, float("nan")))


@primitive(symbol="Dcof", latex=r"D \operatorname{{cof}}({0})[{1}]")
def cofactors_slope(xp: Any, x: Any, t: Any) -> Any:
    """Return the derivative of the cofactors of ``x`` along ``t``; the matrix may be singular.

    It is linear in ``t`` and its own transpose. With m = uᵀ t v and p the products of all singular values but two, in
    their frame it is diag(p diag(m)) - p ∘ mᵀ.
    """
    u, s, vh, flip, finite = _singular_frame(xp, x)
    n = x.shape[-1]
    i, j, k = np.arange(n)[:, None, None], np.arange(n)[:, None], np.arange(n)
    p = _product_without(xp, s, xp.asarray((k != i) & (k != j)))
    identity = xp.asarray(np.eye(n, dtype=bool))
    p = xp.where(identity, xp.zeros_like(p), p)
    m = xp.matmul(xp.matmul(xp.matrix_transpose(u), t), xp.matrix_transpose(vh))
    diagonals = xp.sum(xp.where(identity, m, xp.zeros_like(m)), axis=-1, keepdims=True)
    inside = xp.where(identity, xp.matmul(p, diagonals), -p * xp.matrix_transpose(m))
    y = flip * xp.matmul(xp.matmul(u, inside), vh)
    return xp.where(finite, y, xp.full_like(y, float("nan")))


def _cofactors_slope_vjp(g: Any, _y: Any, x: Any, t: Any) -> Any:
    """Return the third derivative of the determinant along ``g`` and ``t``, of an invertible matrix.

    det(x) times (tr(a) tr(b) - tr(a b)) is to be differentiated, with a = x⁻¹ t and b = x⁻¹ g.
    """
    inverse = inv(x)
    a, b, down = matmul(inverse, t), matmul(inverse, g), _mt(inverse)
    ab, tr_a, tr_b = matmul(a, b), _trace(a), _trace(b)
    whole = multiply(multiply(tr_a, tr_b) - _trace(ab), down)
    apart = matmul(down, multiply(tr_b, _mt(a)) + multiply(tr_a, _mt(b)))
    both = matmul(down, _mt(ab) + _mt(matmul(b, a)))
    return multiply(_numbers(det(x)), whole - apart + both)


defvjp(det, lambda g, _y, x: multiply(_numbers(g), cofactors(x)))
defvjp(cofactors, lambda g, _y, x: cofactors_slope(x, g))
defvjp(cofactors_slope, _cofactors_slope_vjp, lambda g, _y, x, _t: cofactors_slope(x, g))


@primitive(symbol="sign det", latex=r"\operatorname{{sign}} \det {0}")
def determinant_sign(xp: Any, x: Any) -> Any:
    """Return the sign of the determinant; the derivative is 0 everywhere."""
    return xp.linalg.slogdet(_matrices(xp, "slogdet", x))[0]


@primitive(symbol="log|det|", latex=r"\log \lvert \det {0} \rvert")
def log_abs_determinant(xp: Any, x: Any) -> Any:
    """Return the logarithm of the absolute value of the determinant, -inf for a singular matrix."""
    return xp.linalg.slogdet(_matrices(xp, "slogdet", x))[1]


defvjp(determinant_sign, lambda g, _y, _x: broadcast_to(_numbers(where(False, g, 0.0)), shape=tuple(_x.shape)))


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


def slogdet(x: Any) -> SlogdetResult:
    """Return the sign of the determinant, and the logarithm of its absolute value without overflow or underflow.

    >>> slogdet([[1.0, 0.0], [0.0, -1.0]])
    SlogdetResult(sign=np.float64(-1.0), logabsdet=np.float64(0.0))

    Raises:
        ShapeError: The matrices are not square.
    """
    x = as_array(x)
    return SlogdetResult(determinant_sign(x), log_abs_determinant(x))


# ----------------------------------------------------------------------------------------------- inverses and equations


@primitive(symbol="⁻¹", latex="{0}^{{-1}}", defined=r"\det x \ne 0")
def inv(xp: Any, x: Any) -> Any:
    """Return the inverse of a square matrix.

    Raises:
        ShapeError: The matrices are not square.
        MatrixError: One is singular.
    """
    return xp.linalg.inv(_matrices(xp, "inv", x))


defvjp(log_abs_determinant, lambda g, _y, x: multiply(_numbers(g), _mt(inv(x))))
defvjp(inv, lambda g, y, _x: negative(matmul(matmul(_mt(y), g), _mt(y))))


def _explain_solve(a: Any, b: Any) -> str:
    return f"solve: {tuple(a.shape)} and {tuple(b.shape)}: the rows of both must be as many, and leading axes broadcast"


@primitive(symbol="solve", latex="{0}^{{-1}} {1}", defined=r"\det a \ne 0", explain=_explain_solve)
def solution(xp: Any, a: Any, b: Any) -> Any:
    """Return the solution x of ``a x = b`` for matrices ``a`` and ``b``; what ``solve`` comes down to."""
    return xp.linalg.solve(a, b)


def _solution_vjp(wanted: Any, g: Any, y: Any, a: Any, _b: Any, **_: Any) -> Any:
    to_b = solution(_mt(a), g)  # one solution for both operands
    to_a = sum_to(negative(matmul(to_b, _mt(y))), shape=tuple(a.shape)) if wanted[0] else None
    return to_a, sum_to(to_b, shape=tuple(_b.shape)) if wanted[1] else None


defvjps(solution, _solution_vjp)


def solve(a: Any, b: Any) -> Any:
    """Return the solution x of ``a x = b``; leading axes broadcast.

    Args:
        a: square matrices, of shape (…, n, n).
        b: a vector if it is 1-d, otherwise matrices of shape (…, n, k), as in NumPy 2.

    Raises:
        ShapeError: ``a`` is not square, or the shapes do not fit.
        MatrixError: A matrix is singular.

    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    array([1. , 0.5])
    """
    a, b = as_array(a), as_array(b)
    square_matrix("solve", a)
    n = a.shape[-1]
    if not b.shape or b.shape[0 if len(b.shape) == 1 else -2] != n:
        raise ShapeError(
            f"solve: {tuple(a.shape)} and {tuple(b.shape)}: the second needs {n} rows: shape ({n},) or (…, {n}, k)"
        )
    if len(b.shape) == 1:
        return squeeze(solution(a, expand_dims(b, axis=-1)), axis=-1)
    return solution(a, b)


def matrix_power(x: Any, n: int) -> Any:
    """Return the ``n``-th power of a square matrix: by squaring; of the inverse where ``n`` is negative.

    Raises:
        DTypeError: ``n`` is no integer.
        ShapeError: The matrices are not square.
        MatrixError: ``n`` is negative and a matrix singular.

    >>> matrix_power([[1.0, 1.0], [0.0, 1.0]], 5)
    array([[1., 5.],
           [0., 1.]])
    """
    x = as_array(x)
    square_matrix("matrix_power", x)
    if not isinstance(n, (int, np.integer)):
        raise DTypeError(f"matrix_power: the exponent is {n!r}; it must be an integer")
    if n < 0:
        return matrix_power(inv(x), -n)
    if n == 0:
        one = np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)
        return where(np.ones((), bool), one, x)  # a node where x is one, with gradient zero
    power, base = None, x
    while True:
        if n % 2:
            power = base if power is None else matmul(power, base)
        n //= 2
        if not n:
            return power
        base = matmul(base, base)


@primitive(symbol="⁺", latex="{0}^{{+}}")
def pinv(xp: Any, x: Any, /, rcond: Any = None, *, rtol: Any = None) -> Any:
    """Return the pseudo-inverse of matrices (…, m, n), which are (…, n, m).

    Args:
        x: matrices, whose rank does not change nearby where the derivative is taken.
        rcond, rtol: singular values below this share of the largest count as 0; NumPy's default.

    Raises:
        ShapeError: ``x`` has fewer than two axes.

    Source: G. Golub, V. Pereyra, *The differentiation of pseudo-inverses and nonlinear least squares*, 1973.
    """
    x = _matrices(xp, "pinv", x, any_shape=True)
    if rcond is not None and rtol is not None:
        raise UnsupportedError("pinv: rcond= and rtol= mean the same: give one")
    share = rcond if rtol is None else rtol
    return xp.linalg.pinv(x) if share is None else xp.linalg.pinv(x, rtol=share)


def _pinv_vjp(g: Any, y: Any, x: Any, **_: Any) -> Any:
    back, down = _mt(y), _mt(g)
    near = negative(matmul(matmul(back, g), back))
    left = matmul(down, matmul(y, back))
    right = matmul(matmul(back, y), down)
    return near + (left - matmul(x, matmul(y, left))) + (right - matmul(matmul(right, y), x))


defvjp(pinv, _pinv_vjp)


# ------------------------------------------------------------------------------------------------ factors, eigenvalues


@primitive(
    symbol="cholesky",
    latex=r"\operatorname{{chol}} {0}",
    defined=r"x = x^{\top} \text{ with positive eigenvalues}",
    symmetric=True,
)
def cholesky(xp: Any, x: Any, /, *, upper: bool = False) -> Any:
    """Return the triangular factor L of symmetric positive definite matrices L Lᵀ, or its transpose if ``upper``.

    One triangle of ``x`` is read; the derivative is symmetric, as if it were known that ``x`` stays so (PyTorch's).

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]])
    array([[2., 0.],
           [1., 2.]])

    Raises:
        ShapeError: The matrices are not square.
        MatrixError: One is not positive definite.

    Source: I. Murray, *Differentiation of the Cholesky decomposition*, 2016.
    """
    return xp.linalg.cholesky(_matrices(xp, "cholesky", x), upper=upper)


def _cholesky_vjp(g: Any, y: Any, _x: Any, upper: bool = False) -> Any:
    if upper:
        g, y = _mt(g), _mt(y)
    lower = beside(y, np.tri(y.shape[-1], dtype=bool))
    inside = where(lower, matmul(_mt(y), where(lower, g, 0.0)), 0.0)
    inside = where(_on_diagonal(y), multiply(inside, 0.5), inside)
    half = solution(_mt(y), inside)
    s = solution(_mt(y), _mt(half))  # the transpose of y⁻ᵀ inside y⁻¹
    return _symmetric(s)


def _symmetric(x: Any) -> Any:
    return multiply(x + _mt(x), 0.5)


defvjp(cholesky, _cholesky_vjp)


def _symmetric_part_read(xp: Any, x: Any, uplo: str) -> Any:
    """Return symmetric matrices made of the triangle of ``x`` that NumPy would read."""
    n = x.shape[-1]
    i, j = np.arange(n)[:, None], np.arange(n)
    return xp.where(xp.asarray(i >= j if uplo in "Ll" else i <= j), x, xp.matrix_transpose(x))


@primitive(symbol="eigvecs", latex=r"\operatorname{{eigvecs}} {0}", symmetric=True)
def eigenvectors(xp: Any, x: Any, /, UPLO: str = "L") -> Any:
    """Return the eigenvectors of symmetric matrices as columns, signed so that the largest element is positive."""
    v = xp.linalg.eigh(_symmetric_part_read(xp, x, UPLO))[1]
    return v * _signs(xp, v)


def _signs(xp: Any, v: Any) -> Any:
    """Return the sign of the largest element of each column."""
    if v.shape[-1] == 0 or v.shape[-2] == 0:
        return xp.ones((*v.shape[:-2], 1, v.shape[-1]), dtype=v.dtype)
    at = xp.expand_dims(xp.argmax(xp.abs(v), axis=-2), axis=-2)
    return xp.sign(xp.take_along_axis(v, at, axis=-2))


def _gaps(values: Any) -> Any:
    """Return how far each value lies from each other one, and 1 on the diagonal."""
    gaps = expand_dims(values, axis=-2) - expand_dims(values, axis=-1)
    return where(_on_diagonal(gaps), 1.0, gaps)


def _eigenvectors_vjp(g: Any, y: Any, x: Any, UPLO: str = "L") -> Any:
    turned = matmul(_mt(y), g)
    inside = divide(turned - _mt(turned), multiply(_gaps(eigvalsh(x, UPLO=UPLO)), 2.0))  # turned with itself: no effect
    return _symmetric(matmul(matmul(y, inside), _mt(y)))


defvjp(eigenvectors, _eigenvectors_vjp)


@primitive(symbol="eigvals", latex=r"\operatorname{{eigvals}} {0}", saves=True, symmetric=True)
def eigvalsh(xp: Any, x: Any, /, UPLO: str = "L") -> Any:
    """Return the eigenvalues of symmetric matrices in ascending order.

    One triangle of ``x`` is read, the lower by default; the derivative is symmetric, as if it were known that ``x``
    stays so (PyTorch's). Second derivatives need eigenvalues that differ.

    Raises:
        ShapeError: The matrices are not square.
        UnsupportedError: ``UPLO`` is neither "L" nor "U".

    >>> eigvalsh([[2.0, 1.0], [1.0, 2.0]])
    array([1., 3.])
    """
    x = _matrices(xp, "eigvalsh", x)
    if UPLO not in ("L", "U", "l", "u"):
        raise UnsupportedError(f"eigvalsh: UPLO={UPLO!r}: choose 'L' or 'U'")
    values, vectors = xp.linalg.eigh(_symmetric_part_read(xp, x, UPLO))
    return values, vectors


def _eigvalsh_vjp(_wanted: Any, g: Any, _y: Any, x: Any, saved: Any = None, **params: Any) -> Any:
    v = eigenvectors(x, **params) if saved is None else saved
    return (matmul(multiply(v, _columns(g)), _mt(v)),)


defvjps(eigvalsh, _eigvalsh_vjp)


# ----------------------------------------------------------------------------------------------------- singular values


def _thin(xp: Any, x: Any) -> tuple[Any, Any, Any]:
    """Return u, s, v of the thin singular value decomposition, the largest element of each left vector positive."""
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    signs = _signs(xp, u)
    return u * signs, s, xp.matrix_transpose(vh) * signs


@primitive(symbol="left vecs", latex=r"\operatorname{{leftvecs}} {0}")
def left_vectors(xp: Any, x: Any) -> Any:
    """Return the left singular vectors as columns."""
    return _thin(xp, x)[0]


@primitive(symbol="right vecs", latex=r"\operatorname{{rightvecs}} {0}")
def right_vectors(xp: Any, x: Any) -> Any:
    """Return the right singular vectors as columns."""
    return _thin(xp, x)[2]


def _turned(x: Any, y: Any, g: Any) -> tuple[Any, Any, Any]:
    """Return the singular values, how ``g`` turns the vectors ``y`` among themselves, and what leaves their span."""
    s = svdvals(x)
    turned = matmul(_mt(y), g)
    return s, divide(turned - _mt(turned), _gaps(square(s))), g - matmul(y, turned)


def _left_vectors_vjp(g: Any, y: Any, x: Any) -> Any:
    v = right_vectors(x)
    s, inside, leaving = _turned(x, y, g)
    found = matmul(matmul(y, multiply(inside, _columns(s))), _mt(v))
    if x.shape[-2] > x.shape[-1]:
        found = found + matmul(divide(leaving, _columns(s)), _mt(v))
    return found


def _right_vectors_vjp(g: Any, y: Any, x: Any) -> Any:
    u = left_vectors(x)
    s, inside, leaving = _turned(x, y, g)
    found = matmul(matmul(multiply(u, _columns(s)), inside), _mt(y))
    if x.shape[-1] > x.shape[-2]:
        found = found + matmul(divide(u, _columns(s)), _mt(leaving))
    return found


defvjp(left_vectors, _left_vectors_vjp)
defvjp(right_vectors, _right_vectors_vjp)


@primitive(symbol="svdvals", latex=r"\operatorname{{svdvals}} {0}", saves=True, kinks="0 at a singular value 0")
def svdvals(xp: Any, x: Any) -> Any:
    """Return the singular values of matrices (…, m, n) in descending order.

    Where one is exactly 0, as the absolute value of a number is, its derivative is 0 too. Second derivatives need
    singular values that differ.

    >>> svdvals([[3.0, 0.0], [0.0, -4.0]])
    array([4., 3.])

    Raises:
        ShapeError: ``x`` has fewer than two axes.
    """
    u, s, v = _thin(xp, _matrices(xp, "svdvals", x, any_shape=True))
    return s, (u, v)


def _svdvals_vjp(_wanted: Any, g: Any, y: Any, x: Any, saved: Any = None, **_: Any) -> Any:
    u, v = (left_vectors(x), right_vectors(x)) if saved is None else saved
    return (matmul(multiply(u, _columns(where(y == 0, 0.0, g))), _mt(v)),)


defvjps(svdvals, _svdvals_vjp)
