"""Functions of square matrices: NumPy's values, slopes to second order, the limits where matrices are singular."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import symmetric
from strategies import FEW

import tinygrad_mlp as tg
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import DTypeError, MatrixError, ShapeError, TinygradError, UnsupportedError

NO_TORCH = "PyTorch, an optional oracle, is not installed"
RNG = np.random.default_rng(3)
SQUARE = RNG.normal(size=(3, 3))
STACK = RNG.normal(size=(2, 1, 3, 3))
POSITIVE = STACK @ np.swapaxes(STACK, -1, -2) + 0.1 * np.eye(3)
OBLONG = RNG.normal(size=(2, 4, 3))
CASES = [
    *[("det", x, {}) for x in (SQUARE, STACK, np.zeros((0, 0)), np.zeros((2, 0, 0)), np.zeros((0, 2, 2)), [[4.0]])],
    *[("slogdet", x, {}) for x in (SQUARE, STACK, np.zeros((0, 0)), np.zeros((2, 2)), -np.eye(3), [[2, 1], [1, 2]])],
    *[("inv", x, {}) for x in (SQUARE, STACK, np.zeros((0, 0)), [[2, 1], [1, 2]])],
    *[("matrix_power", x, {"n": n}) for x in (SQUARE, STACK) for n in (-3, -1, 0, 1, 2, 3, 7, 10)],
    ("matrix_power", [[1, 1], [1, 0]], {"n": 30}),
    ("matrix_power", [[1, 1], [1, 0]], {"n": -1}),
    ("matrix_power", [[1, 1], [1, 0]], {"n": 0}),
    *[("cholesky", x, {"upper": upper}) for x in (POSITIVE, np.zeros((0, 0))) for upper in (False, True)],
    ("cholesky", [[4, 2], [2, 5]], {}),
    *[("pinv", x, {}) for x in (OBLONG, np.swapaxes(OBLONG, -1, -2), SQUARE, np.zeros((0, 3)), np.zeros((3, 0)))],
    ("pinv", [[1.0, 2.0], [2.0, 4.0]], {}),
    ("pinv", [[1.0, 0.0], [0.0, 0.01]], {"rcond": 0.1}),
    ("pinv", [[1.0, 0.0], [0.0, 0.01]], {"rtol": 0.1}),
    *[("eigvalsh", x, {"UPLO": uplo}) for x in (STACK, SQUARE, np.zeros((0, 0))) for uplo in "LU"],
    ("eigvalsh", [[2, 1], [1, 2]], {}),
    *[("svdvals", x, {}) for x in (OBLONG, np.swapaxes(OBLONG, -1, -2), np.zeros((0, 3)), [[3, 0], [0, -4]])],
]  # fmt: skip
numbers = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(("name", "x", "params"), CASES, ids=[f"{case[0]}-{i}" for i, case in enumerate(CASES)])
def test_values_are_numpys(name, x, params):
    theirs = getattr(np.linalg, name)
    expected = theirs(x, **params)
    tensor = tg.Tensor(np.asarray(x))
    for y in (getattr(tg, name)(x, **params), getattr(tg.linalg, name)(tensor, **params), theirs(tensor, **params)):
        for ours, values in zip(y, expected, strict=True) if name == "slogdet" else [(y, expected)]:
            ours = ours.data if isinstance(ours, tg.Tensor) else ours
            assert np.allclose(ours, values, rtol=1e-10, atol=1e-12)
            assert (ours.shape, ours.dtype) == (values.shape, values.dtype)


def slope(f, x, v, h=1e-4):
    near, far = f(x + h * v) - f(x - h * v), f(x + 2 * h * v) - f(x - 2 * h * v)
    return (8 * near - far) / (12 * h)


@given(n=st.integers(0, 5), data=st.data(), seed=numbers)
def test_det_has_its_slopes_at_singular_matrices(n, data, seed):
    """det is a polynomial: measured slopes are right at any rank."""
    rank = data.draw(st.integers(0, n))
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (2, n, rank)) @ rng.uniform(-1, 1, (2, rank, n))
    u, v, w = rng.uniform(-1, 1, 2), *rng.uniform(-1, 1, (2, *x.shape))

    def gradient(z):
        return tg.grad(lambda t: (tg.det(t) * u).sum())(z)

    assert np.allclose(np.sum(gradient(x) * v), slope(lambda z: (np.linalg.det(z) * u).sum(), x, v), atol=1e-8)
    pushed = tg.jvp(gradient, (x,), (v,))[1]
    assert np.allclose(pushed, slope(gradient, x, v), atol=1e-8)
    assert np.allclose(tg.hvp(lambda t: (tg.det(t) * u).sum(), x, w), tg.jvp(gradient, (x,), (w,))[1], atol=1e-12)


@given(n=st.integers(1, 5), seed=numbers)
def test_the_cofactors_of_an_invertible_matrix_are_its_transposed_inverse_times_det(n, seed):
    x = np.random.default_rng(seed).normal(size=(n, n)) + 3 * np.eye(n)
    assert np.allclose(tg.grad(tg.det)(x), np.linalg.det(x) * np.linalg.inv(x).T)


def test_the_third_derivative_of_det_is_that_of_its_polynomial():
    third = tg.jacobian(tg.hessian(tg.det))(SQUARE)
    sign = np.zeros((3, 3, 3))
    for (i, j, k), s in zip(
        [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2)], [1] * 3 + [-1] * 3, strict=True
    ):
        sign[i, j, k] = s
    assert np.allclose(third, np.einsum("ikm,jln->ijklmn", sign, sign))


def test_a_matrix_that_is_not_finite_spoils_only_its_own_gradient():
    x = np.stack([np.eye(2), np.full((2, 2), np.nan), [[np.inf, 0.0], [0.0, 1.0]]])
    with np.errstate(invalid="ignore"):
        g = tg.grad(lambda t: tg.det(t).sum())(x)
    assert np.array_equal(g[0], np.eye(2))
    assert np.isnan(g[1:]).all()


def test_the_sign_of_a_determinant_has_the_gradient_zero():
    x = tg.Tensor(STACK)
    sign, logarithm = tg.slogdet(x)
    sign.backward(np.ones(sign.shape))
    assert np.array_equal(x.grad, np.zeros(STACK.shape))
    found = cotangents(logarithm, np.ones(logarithm.shape))[x]
    assert np.allclose(found, np.swapaxes(np.linalg.inv(STACK), -1, -2))


@given(data=st.data(), seed=numbers)
def test_solve_is_numpys_for_vectors_matrices_and_batches(data, seed):
    rng = np.random.default_rng(seed)
    n, k = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 3))
    batch = st.sampled_from([(), (2,), (1,), (3, 1), (0,)])
    a = rng.uniform(-1, 1, (*data.draw(batch), n, n)) + 4 * np.eye(n)
    b = rng.normal(size=data.draw(st.sampled_from([(n,), (n, k), (2, n, k), (3, 2, n, k), (2, n), (n + 1, k)])))
    try:
        expected = np.linalg.solve(a, b)
    except ValueError:
        with pytest.raises(ShapeError, match="solve: "):
            tg.solve(a, b)
        return
    x, z = tg.Tensor(a), tg.Tensor(b)
    y = tg.solve(x, z)
    assert y.shape == expected.shape
    assert np.allclose(y.data, expected)
    assert np.allclose(np.linalg.solve(x, b).data, expected)
    u = rng.normal(size=y.shape)
    y.backward(u)
    va, vb = rng.normal(size=a.shape), rng.normal(size=b.shape)
    measured = slope(lambda s: np.sum(u * np.linalg.solve(a + s * va, b + s * vb)), 0.0, 1.0)
    assert np.isclose(np.sum(x.grad * va) + np.sum(z.grad * vb), measured, rtol=1e-7, atol=1e-7)


FUNCTIONS = {
    "log|det|": lambda x: tg.slogdet(x).logabsdet,
    "inv": tg.inv,
    "solve": lambda x: tg.solve(x, x @ x),
    "solve a vector": lambda x: tg.solve(x, x[0, 0, :, 1]),
    "solve constants": lambda x: tg.solve(STACK, x),
    **{f"power {n}": (lambda x, n=n: tg.matrix_power(x, n)) for n in (-2, -1, 0, 1, 2, 5)},
    "pinv": tg.pinv,
    "pinv of rank one": lambda x: tg.pinv(x[..., :1] * x[..., :1, :]),
    "pinv of tall": lambda x: tg.pinv(x[..., :2]),
    "pinv of wide": lambda x: tg.pinv(x[..., :2, :]),
    "svdvals": tg.svdvals,
    "svdvals of tall": lambda x: tg.svdvals(x[..., :2]),
    "svdvals of wide": lambda x: tg.svdvals(x[..., :2, :]),
    "cholesky": lambda x: tg.cholesky(x @ tg.matrix_transpose(x)),
    "upper cholesky": lambda x: tg.cholesky(x @ tg.matrix_transpose(x), upper=True),
    "eigvalsh": lambda x: tg.eigvalsh(x + tg.matrix_transpose(x)),
    "eigvalsh of upper": lambda x: tg.eigvalsh(x + tg.matrix_transpose(x), UPLO="U"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@FEW
@given(seed=numbers)
def test_first_second_and_third_derivatives_agree_with_differences(name, seed):
    f = FUNCTIONS[name]
    rng = np.random.default_rng(seed)
    x = STACK + 0.1 * rng.uniform(-1, 1, STACK.shape)
    u = rng.uniform(-1, 1, np.shape(f(x)))
    v, w = rng.uniform(-1, 1, (2, *x.shape))

    def first(z):
        return tg.grad(lambda t: (f(t) * u).sum())(z)

    def second(z):
        return tg.grad(lambda t: (tg.grad(lambda s: (f(s) * u).sum())(t) * w).sum())(z)

    value = slope(lambda z: np.sum(u * f(z)), x, v)
    assert np.isclose(np.sum(first(x) * v), value, rtol=1e-5, atol=1e-5)
    assert np.allclose(tg.jvp(lambda t: (f(t) * u).sum(), (x,), (v,))[1], value, rtol=1e-5, atol=1e-5)
    scale = 1e-5 * (1 + np.abs(second(x)).max())
    assert np.isclose(np.sum(second(x) * v), np.sum(slope(first, x, v) * w), atol=scale)
    pushed = tg.jvp(second, (x,), (v,))[1]
    assert np.allclose(pushed, slope(second, x, v), atol=1e-4 * (1 + np.abs(pushed).max()))


@given(seed=numbers, uplo=st.sampled_from("LU"))
def test_eigenvalues_and_their_slopes_read_one_triangle(seed, uplo):
    rng = np.random.default_rng(seed)
    x, u, v = rng.uniform(-1, 1, (3, 3)) + np.diag([0.0, 3.0, 6.0]), rng.uniform(-1, 1, 3), rng.uniform(-1, 1, (3, 3))
    triangle = np.tril(x) if uplo == "L" else np.triu(x)
    whole = triangle + triangle.T - np.diag(np.diag(x))

    def f(z):
        return tg.sum(tg.eigvalsh(z, UPLO=uplo) * u)

    assert np.allclose(tg.grad(f)(x), tg.grad(f)(whole), rtol=1e-10, atol=1e-12)
    assert np.allclose(f(x), np.sum(np.linalg.eigvalsh(whole) * u))
    g = tg.grad(lambda z: tg.sum(tg.grad(f)(z) * v))
    assert np.allclose(g(x), g(whole), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("upper", [False, True])
def test_one_triangle_is_read_and_the_gradient_is_symmetric(upper):
    read = np.tri(3, dtype=bool).T if upper else np.tri(3, dtype=bool)
    spoiled = np.where(read, POSITIVE, 1e3)
    factor = tg.cholesky(spoiled, upper=upper)
    assert np.array_equal(factor, np.linalg.cholesky(POSITIVE, upper=upper))
    assert np.allclose(tg.eigvalsh(spoiled, UPLO="U" if upper else "L"), np.linalg.eigvalsh(POSITIVE))
    for f in (lambda t: tg.cholesky(t, upper=upper), tg.eigvalsh):
        u = RNG.normal(size=np.shape(f(POSITIVE)))
        g = tg.grad(lambda t, f=f, u=u: (f(t) * u).sum())(POSITIVE)
        assert np.allclose(g, symmetric(g), rtol=1e-12)


@pytest.mark.parametrize("name", ["cholesky", "eigvalsh", "det", "slogdet", "pinv", "svdvals", "inv"])
def test_gradients_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    theirs = getattr(torch.linalg, name)
    x, z = tg.Tensor(POSITIVE), torch.tensor(POSITIVE, requires_grad=True)
    y, t = getattr(tg, name)(x), theirs(z)
    y, t = (y[1], t[1]) if name == "slogdet" else (y, t)
    u = RNG.normal(size=y.shape)
    y.backward(u)
    t.backward(torch.tensor(u))
    assert np.allclose(x.grad, z.grad.numpy(), rtol=1e-8, atol=1e-10)


def test_a_singular_value_zero_has_the_slope_zero():
    assert np.array_equal(tg.grad(lambda t: tg.svdvals(t).sum())(np.zeros((2, 2))), np.zeros((2, 2)))
    assert np.array_equal(tg.grad(lambda t: tg.svdvals(t).sum())(np.diag([3.0, 0.0])), np.diag([1.0, 0.0]))


def test_equal_eigenvalues_have_first_derivatives():
    assert np.allclose(tg.grad(lambda t: tg.eigvalsh(t).sum())(np.eye(3)), np.eye(3))
    assert np.allclose(tg.grad(lambda t: tg.svdvals(t).sum())(np.eye(3)), np.eye(3))


def test_a_power_zero_is_one_and_has_the_gradient_zero():
    x = tg.Tensor(SQUARE)
    y = tg.matrix_power(x, 0)
    y.backward(np.ones((3, 3)))
    assert np.array_equal(y.data, np.eye(3))
    assert np.array_equal(x.grad, np.zeros((3, 3)))


@pytest.mark.parametrize("name", ["det", "slogdet", "inv", "cholesky", "eigvalsh"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (4, 3, 2)])
def test_what_is_not_square_is_refused(name, shape):
    with pytest.raises(ShapeError, match=f"{name}: shape"):
        getattr(tg, name)(np.ones(shape))


@pytest.mark.parametrize(
    ("f", "kind", "words"),
    [
        (lambda: tg.inv([[1.0, 1.0], [1.0, 1.0]]), MatrixError, r"inv of \(2, 2\): Singular matrix"),
        (lambda: tg.inv(tg.Tensor(np.zeros((2, 2, 2)))), MatrixError, "Singular matrix"),
        (lambda: tg.solve(np.zeros((2, 2)), np.ones(2)), MatrixError, "Singular matrix"),
        (lambda: tg.matrix_power(np.zeros((2, 2)), -1), MatrixError, "Singular matrix"),
        (lambda: tg.cholesky(-np.eye(2)), MatrixError, "not positive definite"),
        (lambda: tg.grad(lambda t: tg.slogdet(t)[1])(np.ones((2, 2))), MatrixError, "Singular matrix"),
        (lambda: tg.solve(np.ones((2, 3)), np.ones(2)), ShapeError, r"solve: shape \(2, 3\): the last two axes"),
        (lambda: tg.solve(np.ones((2, 2)), 1.0), ShapeError, "the second needs 2 rows"),
        (lambda: tg.solve(np.ones((2, 2)), np.ones(3)), ShapeError, "the second needs 2 rows"),
        (lambda: tg.solve(np.ones((2, 3, 3)), np.ones((4, 3, 1))), ShapeError, "leading axes broadcast"),
        (lambda: tg.matrix_power(np.ones((2, 3)), 2), ShapeError, "matrix_power: shape"),
        (lambda: tg.matrix_power(np.eye(2), 1.5), DTypeError, "matrix_power: the exponent is 1.5"),
        (lambda: tg.pinv(np.ones(3)), ShapeError, "pinv: shape"),
        (lambda: tg.pinv(np.eye(3), rcond=0.1, rtol=0.1), UnsupportedError, "rcond= and rtol="),
        (lambda: tg.svdvals(np.ones(3)), ShapeError, "svdvals: shape"),
        (lambda: tg.eigvalsh(np.eye(2), UPLO="X"), UnsupportedError, "UPLO='X'"),
        (lambda: tg.det(np.eye(2, dtype=np.float16)), DTypeError, "float16"),
        (lambda: tg.det(np.eye(2, dtype=complex)), DTypeError, "complex"),
        (lambda: np.linalg.pinv(tg.Tensor(np.eye(2)), hermitian=True), UnsupportedError, "hermitian="),
        (lambda: np.linalg.svd(tg.Tensor(np.eye(2))), UnsupportedError, "np.linalg.svd of a Tensor is not recorded"),
    ],
)
def test_what_cannot_be_is_said(f, kind, words):
    with pytest.raises(kind, match=words):
        f()


def test_a_singular_matrix_is_numpys_error_too():
    with pytest.raises(tg.linalg.LinAlgError) as caught:
        tg.inv(np.zeros((2, 2)))
    assert isinstance(caught.value, TinygradError)
