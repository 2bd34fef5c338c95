"""``check_formula`` takes functions and formulas of PyTorch, JAX and plain NumPy: all that gives numbers."""

import math
import warnings

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.check.derivations import check_formula
from tinygrad_mlp.check.formulas import sigmoid, softmax

X = np.array([[0.3, -1.2, 2.0], [0.1, 0.4, -0.7]])


def report_of(f, by_hand, *inputs):
    return check_formula(f, by_hand, *inputs, raise_exception=False)


# ---------------------------------------------------------------------------------------------------------------- NumPy


def cubes(W):
    return sum(float(w) ** 3 for w in W.reshape(-1))


def test_a_program_of_numbers_has_no_autograd():
    report = check_formula(cubes, lambda W: 3 * W**2, X)
    assert (report.hand, report.autograd) == ("right", None)
    assert "the formula by hand and numbers agree" in str(report)
    assert "no autograd: f is plain NumPy" in str(report)


@pytest.mark.parametrize(
    ("by_hand", "kind"),
    [
        (lambda W: -3 * W**2, "sign"),
        (lambda W: W**2, "constant factor"),
        (lambda W: (3 * W**2).T, "transposed"),
        (lambda W: np.roll(3 * W**2, 1, axis=1), "shifted"),
        (lambda W: 3 * W, "missing factor"),
    ],
)
def test_slips_in_the_formula_of_such_a_program_are_named(by_hand, kind):
    report = report_of(cubes, by_hand, X)
    assert report.verdict == "wrong"
    assert report.slips[0].kind == kind


def test_functions_of_the_math_module_and_numbers():
    assert check_formula(lambda a: math.sin(a) ** 2, lambda a: 2 * math.sin(a) * math.cos(a), 1.3).verdict == "right"
    assert report_of(lambda a: math.sin(a) ** 2, lambda a: math.sin(a) * math.cos(a), 1.3).slips[0].kind == (
        "constant factor"
    )


def test_numpy_functions_that_record_have_our_autograd():
    assert check_formula(lambda W: np.sum(np.tanh(W)), lambda W: 1 - np.tanh(W) ** 2, X).autograd == "right"


def test_an_error_of_the_function_itself_is_raised_as_it_is():
    with pytest.raises(tg.errors.ShapeError, match="inner lengths 3 and 2 differ"):
        check_formula(lambda x: tg.sum(x @ np.ones(2)), lambda x: x, X)


def test_a_formula_may_return_nodes():
    assert check_formula(lambda x: tg.sum(tg.exp(x)), lambda x: tg.exp(tg.tensor(x)), X).verdict == "right"


# -------------------------------------------------------------------------------------------------------------- PyTorch


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def test_a_function_of_pytorch_is_set_against_its_autograd(torch):
    def f(z):
        return torch.logsumexp(z, -1).sum()

    for inputs in (X, torch.tensor(X), torch.tensor(X, dtype=torch.float32)):
        report = check_formula(f, softmax, inputs)
        assert (report.verdict, report.autograd) == ("right", "right")
        assert "autograd is PyTorch's" in str(report)
    assert report_of(f, lambda z: softmax(z) / 2, X).slips[0].kind == "constant factor"


def test_a_sum_for_a_mean_over_samples_of_pytorch_names_them(torch):
    data = torch.tensor(np.arange(15.0).reshape(5, 3))
    by_hand = lambda w: 2 * data.numpy().T @ (data.numpy() @ w - 1)  # noqa: E731
    report = report_of(lambda w: ((data @ w - 1) ** 2).mean(), by_hand, X[0])
    assert report.slips[0].kind == "sum for mean"
    assert report.slips[0].text.startswith("5 times too large: the batch size N = 5, the length of axis 0 of data")


def test_it_is_said_that_slips_inside_are_not_looked_for(torch):
    def f(w):
        return torch.tanh(torch.sigmoid(w)).sum()

    report = report_of(f, lambda w: 1 - np.tanh(sigmoid(w)) ** 2, X)
    assert report.slips == ()
    assert report.notes == (
        "no slip is recognised in w: slips inside the chain rule are looked for only where f records: write f with "
        "NumPy's or tg's operations to have them named",
    )


def test_a_tensor_around_the_function_meets_our_arrays_silently(torch):
    data = torch.tensor(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = check_formula(lambda w: torch.relu(data @ w).sum(), lambda w: X.T @ (X @ w > 0), X[0])
    assert report.verdict == "right"


def test_a_formula_may_be_one_of_pytorch(torch):
    assert check_formula(lambda z: torch.logsumexp(z, -1).sum(), lambda z: torch.softmax(z, -1), X).verdict == "right"


def test_a_slope_that_misses_a_factor_is_named_without_our_graph(torch):
    report = report_of(torch.sigmoid, sigmoid, torch.tensor(X))
    assert report.slips[0].text == "the factor 1 − h of f is missing, the slope is h (1 − h)"


def test_a_module_of_pytorch_is_a_dict_of_its_parameters_and_stays_as_it_was(torch):
    model = torch.nn.Linear(3, 2)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}

    def by_hand(p, x):
        slope = 1 - np.tanh(x @ p["weight"].T + p["bias"]) ** 2
        return {"weight": slope.T @ x, "bias": slope.sum(axis=0)}, None

    report = check_formula(lambda m, x: torch.tanh(m(x)).sum(), by_hand, model, torch.tensor(X))
    assert (report.verdict, report.total) == ("right", 8)
    for name, p in model.named_parameters():
        assert p.dtype == before[name].dtype
        assert torch.equal(p, before[name])


def test_a_wrong_backward_of_pytorch_is_found(torch):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] ** 2 * g

    report = report_of(lambda x: Cube.apply(x).sum(), lambda x: 3 * x**2, torch.tensor(X))
    assert "autograd is wrong: the formula by hand and numbers agree" in str(report)


def test_what_pytorch_does_not_record_is_set_against_numbers(torch):
    report = check_formula(lambda z: 2 * torch.detach(z).sum(), lambda z: 2 + 0 * z, torch.tensor(X))
    assert report.autograd is None
    assert "f is a function that PyTorch does not differentiate" in str(report)


# ------------------------------------------------------------------------------------------------------------------ JAX


@pytest.fixture
def jax():
    return pytest.importorskip("jax", reason="JAX is not installed")


def test_a_function_of_jax_is_set_against_its_autograd(jax):
    def f(z):
        return jax.nn.logsumexp(z, axis=-1).sum()

    for by_hand in (softmax, lambda z: jax.nn.softmax(z, -1)):
        for inputs in (X, jax.numpy.asarray(X)):
            report = check_formula(f, by_hand, inputs)
            assert (report.verdict, report.autograd) == ("right", "right")
            assert "autograd is JAX's" in str(report)
    assert report_of(jax.jit(f), lambda z: -softmax(z), X).slips[0].kind == "sign"


def test_jax_computes_in_single_precision_again_afterwards(jax):
    before = jax.numpy.ones(2).dtype
    check_formula(lambda z: jax.numpy.sum(z**2), lambda z: 2 * z, jax.numpy.asarray(X))
    assert jax.numpy.ones(2).dtype == before
