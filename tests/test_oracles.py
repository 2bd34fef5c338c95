"""Reductions, losses and networks agree with PyTorch's, and programs with micrograd's, where these are installed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from op_cases import samples
from strategies import FEW, SMOOTH, SPECIAL, call

import tinygrad_mlp as tg

NO_TORCH = "PyTorch, an optional oracle, is not installed"
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason=NO_TORCH)


def ours_and_theirs(torch, f, g, arrays, seed=None):
    """Values and gradients of ``f`` by the library and of ``g`` by PyTorch."""
    ours, theirs = [tg.Tensor(x) for x in arrays], [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = f(*ours), g(*theirs)
    u = np.random.default_rng(0).uniform(0.5, 1.5, y.shape) if seed is None else seed
    y.backward(u)
    z.backward(torch.tensor(u))
    return [(y.numpy(), z.detach().numpy()), *((a.grad, b.grad.numpy()) for a, b in zip(ours, theirs, strict=True))]


FINITE = tuple(x for x in SPECIAL if np.isfinite(x))


REDUCTIONS = [
    (lambda x: tg.sum(x, axis=1), lambda t, x: t.sum(x, dim=1)),
    (lambda x: tg.mean(x, axis=0), lambda t, x: t.mean(x, dim=0)),
    (lambda x: tg.var(x, axis=1, ddof=1), lambda t, x: t.var(x, dim=1)),
    (tg.var, lambda t, x: t.var(x, correction=0)),
    (lambda x: tg.max(x, axis=1), lambda t, x: t.amax(x, dim=1)),
    (lambda x: tg.min(x, axis=(0, 1)), lambda t, x: t.amin(x, dim=(0, 1))),
    (lambda x: tg.logsumexp(x, axis=1), lambda t, x: t.logsumexp(x, dim=1)),
    (lambda x: tg.softmax(x, axis=0), lambda t, x: t.softmax(x, dim=0)),
    (lambda x: tg.log_softmax(x, axis=1), lambda t, x: t.log_softmax(x, dim=1)),
    (lambda x: tg.clip(x, -1.0, 2.0), lambda t, x: t.clamp(x, -1.0, 2.0)),
    (lambda x: x[:, [0, 0, 2]], lambda _t, x: x[:, [0, 0, 2]]),
]


@pytest.mark.parametrize(("f", "g"), REDUCTIONS)
@FEW
@given(x=hnp.arrays(np.float64, (3, 4), elements=st.sampled_from(FINITE)))
def test_reductions_with_ties(torch, f, g, x):
    for ours, theirs in ours_and_theirs(torch, f, lambda z: g(torch, z), [x]):
        assert np.allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@FEW
@given(data=st.data())
def test_losses(torch, reduction, data):
    z = data.draw(hnp.arrays(np.float64, (4, 3), elements=st.sampled_from(FINITE[:-2]) | st.floats(-30, 30)))
    t = data.draw(hnp.arrays(np.float64, (4, 3), elements=st.floats(0, 1)))
    labels = data.draw(hnp.arrays(np.int64, 4, elements=st.integers(0, 2)))
    signs = np.where(t > 0.5, 1.0, -1.0)
    F, T = torch.nn.functional, torch.tensor
    p = 1 / (1 + np.exp(-z))
    cases = [
        (lambda x: tg.cross_entropy(x, labels, reduction=reduction),
         lambda x: F.cross_entropy(x, T(labels), reduction=reduction), z),
        (lambda x: tg.cross_entropy(x, t, reduction=reduction),
         lambda x: F.cross_entropy(x, T(t), reduction=reduction), z),
        (lambda x: tg.cross_entropy(x, labels, from_logits=False, reduction=reduction),
         lambda x: F.nll_loss(x.log(), T(labels), reduction=reduction), p + 0.1),
        (lambda x: tg.cross_entropy(x, t, from_logits=False, reduction="none"),
         lambda x: -(T(t) * x.log()).sum(dim=-1), p + 0.1),
        (lambda x: tg.binary_cross_entropy_with_logits(x, t, reduction=reduction),
         lambda x: F.binary_cross_entropy_with_logits(x, T(t), reduction=reduction), z),
        (lambda x: tg.binary_cross_entropy(x, t, reduction=reduction),
         lambda x: F.binary_cross_entropy(x, T(t), reduction=reduction), np.clip(p, 1e-3, 1 - 1e-3)),
        (lambda x: tg.squared_error(x, t, reduction=reduction),
         lambda x: F.mse_loss(x, T(t), reduction=reduction), z),
        (lambda x: tg.absolute_error(x, t, reduction=reduction),
         lambda x: F.l1_loss(x, T(t), reduction=reduction), z),
        (lambda x: tg.hinge(x, signs, reduction="sum"),
         lambda x: (1 - T(signs) * x).clamp(min=0).sum(), z + 1e-4),
    ]  # fmt: skip
    for f, g, x in cases:
        for ours, theirs in ours_and_theirs(torch, f, g, [x]):
            assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def torch_affine(_torch, xs, **_):
    n = len(xs) // 2
    return sum((w * x for w, x in zip(xs[:n], xs[n:-1], strict=True)), xs[-1])


def torch_concatenate(torch, xs, axis):
    return torch.cat([x.reshape(-1) for x in xs] if axis is None else xs, dim=axis or 0)


TORCHS = {
    "matmul": lambda torch, xs: torch.matmul(*xs),
    "linear": lambda _torch, xs: xs[0] @ xs[1] + (xs[2] if len(xs) == 3 else 0.0),
    "broadcast_to": lambda torch, xs, shape: torch.broadcast_to(xs[0], shape),
    "concatenate": torch_concatenate,
    "stack": lambda torch, xs, axis: torch.stack(xs, dim=axis),
    "affine": torch_affine,
}


@pytest.mark.parametrize("name", TORCHS)
@FEW
@given(data=st.data())
def test_rows_of_several_shapes(torch, name, data):
    sample = data.draw(samples(SMOOTH[name]))
    xs = [x for x in sample.operands if x is not None]

    def theirs(*tensors):
        return TORCHS[name](torch, list(tensors), **sample.params)

    pairs = ours_and_theirs(torch, lambda *nodes: call(SMOOTH[name], nodes, sample.params), theirs, xs)
    for ours, other in pairs:
        assert np.allclose(ours, other, rtol=1e-12, atol=1e-12)


def test_a_network_of_everything(torch):
    rng = np.random.default_rng(1)
    shapes = [(8, 4), (4, 6), (6,), (6, 3), (3,)]
    arrays = [rng.normal(size=s) for s in shapes]
    labels = rng.integers(0, 3, 8)

    def ours(X, W, b, V, c):
        H = tg.tanh(tg.linear(X, W, b))
        H = tg.where(H > 0, H, 0.1 * H) * tg.sigmoid(H).mean(axis=0)
        return (
            tg.cross_entropy(H @ V + c, labels) + 0.01 * tg.square(W).sum() + tg.logsumexp(V.T[::2] * 2, axis=1).max()
        )

    def theirs(X, W, b, V, c):
        H = torch.tanh(X @ W + b)
        H = torch.where(H > 0, H, 0.1 * H) * torch.sigmoid(H).mean(dim=0)
        loss = torch.nn.functional.cross_entropy(H @ V + c, torch.tensor(labels)) + 0.01 * W.square().sum()
        return loss + torch.logsumexp(V.T[::2] * 2, dim=1).amax()

    for a, b in ours_and_theirs(torch, ours, theirs, arrays, np.asarray(1.0)):
        assert np.allclose(a, b, rtol=1e-11)


# ---------------------------------------------------------------------------------------------------------- micrograd

PROGRAM = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: a - b,
    lambda a, b: a / (b * b + 1),
    lambda a, _b: a**2,
    lambda a, _b: (a * a + 1) ** -0.5,
    lambda a, _b: a.relu(),
    lambda a, _b: -a,
    lambda a, _b: 2 * a + 1,
    lambda a, _b: 3 - a,
]


@given(
    starts=st.lists(st.floats(-2, 2), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=12),
)
def test_programs_written_for_micrograd(starts, steps):
    engine = pytest.importorskip("micrograd.engine", reason="micrograd, an optional oracle, is not installed")

    def run(kind):
        leaves = [kind(x) for x in starts]
        found = list(leaves)
        for which, i, j in steps:
            y = PROGRAM[which](found[i % len(found)], found[j % len(found)])
            found.append(y if abs(y.data) < 100 else y * 0.001)
        found[-1].backward()
        return found[-1].data, [x.grad for x in leaves]

    (y, grads), (z, expected) = run(tg.Value), run(engine.Value)
    assert y == pytest.approx(z, rel=1e-12)
    assert [g or 0.0 for g in grads] == pytest.approx(expected, rel=1e-9, abs=1e-12)
