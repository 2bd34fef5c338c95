"""PyTorch's own sample inputs: value, gradient, second order and tangent of what both libraries have."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from torch_cases import (
    ADAPTERS,
    COARSE,
    DIFFERS,
    ELEMENTWISE,
    FIRST_ORDER,
    LEGAL,
    REFUSED,
    VALUE_AND_PLACE,
    VALUES_ONLY,
)

import tinygrad_mlp as tg
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import NODES

torch = pytest.importorskip("torch", reason="PyTorch, an optional oracle, is not installed")
pytest.importorskip("expecttest", reason="expecttest, which PyTorch's samples need, is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # PyTorch's own, and NumPy's where a sample is drawn at a pole
]

MOST = max(6, settings.default.max_examples // 2)  # samples of one operation
LARGEST = 2000  # elements of one array
ABSENT = re.compile("module 'tinygrad_mlp' has no attribute|got an unexpected keyword argument")


@pytest.fixture(scope="module")
def database():
    from torch.testing._internal.common_methods_invocations import op_db

    return {op.name + ("|" + op.variant_test_name if op.variant_test_name else ""): op for op in op_db}


def samples_of(op, name):
    """Some of the operation's samples, evenly spread, without those whose meaning differs, always the same."""
    torch.manual_seed(0)
    differs = DIFFERS.get(name, ("", lambda *_, **__: False))[1]
    state = np.random.get_state()  # PyTorch draws from NumPy's global generator
    found = [
        s
        for s in op.sample_inputs("cpu", torch.float64, requires_grad=True)
        if all(t.numel() <= LARGEST for t in tensors((s.input, s.args, s.kwargs)))
        and not differs(s.input, *s.args, **s.kwargs)
    ]
    np.random.set_state(state)
    step = max(1, len(found) / MOST)
    return [found[int(i * step)] for i in range(min(MOST, len(found)))]


def tensors(nest):
    """The tensors in a nest, in order."""
    if isinstance(nest, torch.Tensor):
        return [nest]
    parts = nest.values() if isinstance(nest, dict) else nest if isinstance(nest, list | tuple) else ()
    return [t for part in parts for t in tensors(part)]


def refilled(nest, f):
    """The nest with each tensor replaced by ``f`` of it."""
    if isinstance(nest, torch.Tensor):
        return f(nest)
    if isinstance(nest, dict):
        return {key: refilled(part, f) for key, part in nest.items()}
    if isinstance(nest, torch.Size) or (isinstance(nest, list | tuple) and hasattr(nest, "_fields")):
        return tuple(refilled(part, f) for part in nest)
    return type(nest)(refilled(part, f) for part in nest) if isinstance(nest, list | tuple) else nest


def flat(result):
    """The outputs of a call, one or several, as a list."""
    return [y for part in result for y in flat(part)] if isinstance(result, list | tuple) else [result]


def random_like(x, seed):
    return np.random.default_rng(seed).uniform(0.5, 1.5, tuple(x.shape))


def called(adapter, x, args, kwargs):
    """What the library gives; skips where it has no such function or argument."""
    try:
        return adapter(x, *args, **kwargs)
    except (AttributeError, TypeError) as error:
        if not ABSENT.search(str(error)):
            raise
        pytest.skip(str(error))


class Both:
    """One call in both libraries, as functions of its floating operands."""

    def __init__(self, name: str, op: Any, sample: Any) -> None:
        self.nest = (sample.input, sample.args, sample.kwargs)
        self.op, self.adapter = op, ADAPTERS[name]
        self.wrt = [t for t in tensors(self.nest) if t.requires_grad]
        self.points = [t.detach().numpy().copy() for t in self.wrt]
        self.name = name
        self.title = f"{name} of {self.nest}"

    def theirs(self):
        """PyTorch's outputs, and its leaves."""
        leaves = [torch.tensor(x, requires_grad=True) for x in self.points]
        given = iter(leaves)
        x, args, kwargs = refilled(self.nest, lambda t: next(given) if t.requires_grad else t)
        outputs = flat(self.op.op(x, *args, **kwargs))
        return (outputs[:1] if self.name in VALUE_AND_PLACE else outputs), leaves

    def ours(self, *leaves):
        """The library's outputs."""
        given = iter(leaves)
        x, args, kwargs = refilled(self.nest, lambda t: next(given) if t.requires_grad else t.numpy())
        return flat(called(self.adapter, x, args, kwargs))

    def loss(self, *leaves):
        """The inner product of the outputs that have a gradient with random cotangents."""
        parts = [
            tg.sum(random_like(y, k) * y)
            for k, y in enumerate(self.ours(*leaves))
            if type(y) in NODES and y.requires_grad
        ]
        return sum(parts, 0.0)

    def slope(self, *leaves):
        """The derivative of the loss along a random direction."""
        gradients = tg.grad(self.loss, range(len(leaves)))(*leaves)
        return sum((tg.sum(random_like(g, k + 50) * g) for k, g in enumerate(gradients)), 0.0)


def close(ours, theirs, rtol, what):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, not {theirs.shape}"
    finite = np.abs(theirs[np.isfinite(theirs)])
    atol = rtol * max(1.0, float(finite.max()) if finite.size else 1.0)
    assert np.allclose(ours, theirs, rtol=rtol, atol=atol, equal_nan=True), f"{what}: {ours}, not {theirs}"


def plain(y):
    return y.numpy() if type(y) in NODES else y


@pytest.mark.parametrize("name", ADAPTERS)
def test_samples(name, database):
    op = database[name]
    found = samples_of(op, name)
    assert found
    for sample in found:
        compare(Both(name, op, sample))


def compare(both):
    ours, (theirs, leaves) = both.ours(*[tg.Tensor(x) for x in both.points]), both.theirs()
    for y, z in zip(ours, theirs, strict=True):
        close(plain(y), z.detach().numpy(), 1e-9, f"{both.title}: value")
        smooth = z.requires_grad and z.dtype == torch.float64
        assert (type(y) in NODES and y.requires_grad) or not smooth, f"{both.title}: no gradient"
    losses = [(torch.tensor(random_like(z, k)) * z).sum() for k, z in enumerate(theirs) if z.requires_grad]
    if not losses or both.name in VALUES_ONLY:
        return
    everything, rtol = range(len(leaves)), COARSE.get(both.name, 1e-9)
    expected = derivative(sum(losses), leaves, create_graph=True)
    for g, h in zip(tg.grad(both.loss, everything)(*both.points), expected, strict=True):
        close(g, h.detach().numpy(), rtol, f"{both.title}: gradient")
    tangents = [random_like(x, i + 50) for i, x in enumerate(both.points)]
    slope = sum((torch.tensor(t) * h).sum() for t, h in zip(tangents, expected, strict=True))
    close(tg.jvp(both.loss, both.points, tangents)[1], slope.item(), rtol, f"{both.title}: tangent")
    if slope.requires_grad and both.name not in FIRST_ORDER:
        for g, h in zip(tg.grad(both.slope, everything)(*both.points), derivative(slope, leaves), strict=True):
            close(g, h.numpy(force=True), 100 * rtol, f"{both.title}: second order")


def derivative(y, leaves, create_graph=False):
    """PyTorch's gradient of ``y`` in each leaf, zeros where there is no path."""
    return torch.autograd.grad(y, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("name", REFUSED)
def test_what_pytorch_refuses_is_refused(name, database):
    op = database[name]
    state = np.random.get_state()
    found = list(op.error_inputs("cpu"))
    np.random.set_state(state)
    for sample in [error.sample_input for error in found]:
        nest = (sample.input, sample.args, sample.kwargs)
        mixed = len({t.dtype for t in tensors(nest) if t.is_floating_point()}) > 1
        numbers = name in ELEMENTWISE and not all(isinstance(x, torch.Tensor) for x in (sample.input, *sample.args))
        if (
            mixed
            or numbers
            or "out" in sample.kwargs
            or "dtype" in sample.kwargs
            or any(t.ndim > 64 for t in tensors(nest))
        ):
            continue  # dtypes mix here, numbers are operands, and there is no out=
        x, args, kwargs = refilled(nest, as_ours)
        with pytest.raises((TinygradError, ValueError, TypeError, IndexError)):
            called(ADAPTERS[name], x, args, kwargs)


def as_ours(tensor):
    """A tensor of PyTorch as the library's, or as the array that it takes for a constant."""
    array = tensor.detach().numpy()
    return tg.Tensor(array) if array.dtype.kind == "f" else array


def test_pytorchs_wrong_calls_are_all_looked_at(database):
    known = {name for name in ADAPTERS if database[name].error_inputs_func is not None}
    assert known == {*REFUSED, *LEGAL}
