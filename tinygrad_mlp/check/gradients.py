"""``gradcheck``: the derivatives that the engine gives against central differences, element by element."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.arrays import is_floating
from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.errors import DTypeError, GradcheckError, GradientError
from tinygrad_mlp.graph import GRADIENTS, NODES, NOTHING, recording
from tinygrad_mlp.nest import Nest, flatten
from tinygrad_mlp.tensors import Tensor, Value

from .report import Element, GradcheckReport, Verdict

Floats = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
STEP = EPS ** (1 / 3)  # where the errors of truncation, h² f‴/6, and of rounding, ε f/h, are about equal
STEPS = (STEP, STEP / 10, STEP / 100, 10 * STEP)  # shorter ones beside a kink, a longer one for a noisy function
NOISE = 32 * EPS  # the relative error of a computed value: a few dozen roundings


class Leaf(NamedTuple):
    """An input that is varied: its name, the node, and its values, which are restored at the end."""

    name: str
    node: Any
    values: Floats


class Difference(NamedTuple):
    """What changing one element of an input by ±h does to all elements of the output, shape (m,) each."""

    h: float
    central: Floats
    right: Floats
    left: Floats
    noise: Floats


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    raise_exception: bool = True,
    rtol: float = 1e-6,
    sample: int | None = None,
    rng: int | np.random.Generator = 0,
) -> GradcheckReport:
    """Return a report that compares every derivative of ``f`` with a central difference.

    A derivative agrees if it is within ``rtol`` of the larger of both numbers, plus the errors that the difference
    quotient itself has: rounding, 32 ε max|f| / h, and truncation, estimated from two step lengths. Where the slopes
    from the left and from the right differ however short the step, there is no derivative; such a kink is reported, and
    is no failure if the engine's number lies between the slopes.

    Args:
        f: Takes the inputs, or nothing if it reads them itself, as in ``gradcheck(lambda: model.loss(X, y), model)``;
            returns a node of any shape, or a nest of nodes.
        inputs: Numbers, float64 arrays, leaves, modules, and nests of them. ``f`` gets floats and arrays of floats as
            new leaves, and the rest as it is. Leaves and parameters are varied in place and restored. Everything else,
            such as integer arrays and nodes that require no gradient, is passed on.
        raise_exception: Raise if a derivative differs, instead of only reporting it.
        rtol: The relative difference that is allowed.
        sample: How many elements of each input to check, drawn without repetition; None checks all.
        rng: The seed or generator for ``sample``.

    Raises:
        GradcheckError: A derivative differs; the message names the elements.
        GradientError: No input requires a gradient, an input is computed, or ``f`` gives different values for the same
            input.
        DTypeError: An input or output of float32: its difference quotients have two or three right digits.

    >>> report = gradcheck(lambda x: x * x, 3.0)
    >>> report.passed, report.elements[0].analytic
    (True, 6.0)
    """
    arguments, leaves = _leaves(f, inputs)
    before = [(leaf.node._payload, leaf.node.tick) for leaf in leaves]
    call = _without_arguments(f, arguments) or (lambda: f(*arguments))
    generator = np.random.default_rng(rng)
    try:
        outputs, derivatives = _analytic(call, leaves)
        base = _values(call)
        if not np.array_equal(base, _values(call), equal_nan=True):
            raise GradientError(
                "gradcheck: f gives different values for the same input: switch dropout off with model.eval(), or draw "
                "random numbers outside of f"
            )
        elements: list[Element] = []
        for leaf, jacobian in zip(leaves, derivatives, strict=True):
            size = leaf.values.size
            every = sample is None or sample >= size
            for i in range(size) if every else np.sort(generator.choice(size, sample, replace=False)):
                elements += _compare(call, leaf, int(i), base, outputs, jacobian[:, int(i)], rtol)
    finally:
        for leaf, (data, tick) in zip(leaves, before, strict=True):
            leaf.node._payload, leaf.node.tick = data, tick  # what was recorded before is as fresh as it was
    name = getattr(f, "__name__", type(f).__name__)
    report = GradcheckReport(name, tuple((x.name, x.values.shape) for x in leaves), tuple(elements))
    if raise_exception and not report.passed:
        raise GradcheckError(str(report))
    return report


# --------------------------------------------------------------------------------------------------------------- inputs


def _leaves(f: Callable[..., Any], inputs: Sequence[Any]) -> tuple[list[Any], list[Leaf]]:
    """Return the arguments for ``f``, numbers and arrays in them made leaves, and the leaves to be varied."""
    arguments: list[Any] = []
    found: list[Leaf] = []
    for argument, name in zip(inputs, _names(f, len(inputs)), strict=True):
        nest = Nest(argument)
        paths = [name + path for path in nest.paths]
        made = [_as_leaf(value, path) for value, path in zip(nest.leaves, paths, strict=True)]
        arguments.append(nest.refill(made))
        for node, path in zip(made, paths, strict=True):
            if type(node) in NODES and node.requires_grad:
                _check_leaf(node, path)
                if not any(node is leaf.node for leaf in found):
                    found.append(Leaf(node.name or path, node, np.array(node.data, dtype=np.float64)))
    if not found:
        raise GradientError("gradcheck: no input requires a gradient: pass floats, float64 arrays, leaves or a module")
    names = [leaf.name for leaf in found]
    unique = [x if names.count(x.name) == 1 else x._replace(name=f"{x.name} #{i}") for i, x in enumerate(found)]
    return arguments, unique


def _names(f: Callable[..., Any], count: int) -> list[str]:
    """Return what to call the inputs: the names of ``f``'s parameters where it has them."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    return names + [f"input {i}" for i in range(len(names), count)]


def _without_arguments(f: Callable[..., Any], arguments: Sequence[Any]) -> Callable[[], Any] | None:
    """Return ``f`` if it takes no arguments and all inputs are objects that it can hold itself, otherwise None."""
    try:
        inspect.signature(f).bind(*arguments)
    except TypeError:
        try:
            inspect.signature(f).bind()
        except TypeError:
            return None  # calling it raises the error that says which argument is wrong
        return f
    except ValueError:
        return None
    return None


def _as_leaf(value: Any, path: str) -> Any:
    """Return a new leaf for a float or an array of floats, anything else as it is."""
    if type(value) is float:
        return Value(value)
    if isinstance(value, np.ndarray | np.floating) and is_floating(value):
        leaf = Tensor(value)
        _check_leaf(leaf, path)
        return leaf
    return value


def _check_leaf(node: Any, path: str) -> None:
    if node.op is not None:
        raise GradientError(f"gradcheck: {path} is computed ({node.op.name}), so it cannot be varied: pass a leaf")
    if node.dtype != np.float64:
        raise DTypeError(f"gradcheck: {path} is {node.dtype}, too coarse for differences: pass float64")


def _whole(values: Floats) -> Any:
    return values if values.ndim else values[()]


# -------------------------------------------------------------------------------------------------------------- outputs


def _nodes(result: Any) -> list[Any]:
    """Return the outputs of ``f``, checked; a raw number or array has no graph and hence derivatives of 0."""
    outputs, _ = flatten(result)
    for output in outputs:
        dtype = getattr(output, "dtype", np.dtype(type(output)))
        if dtype != np.float64:
            raise DTypeError(f"gradcheck: f returned {dtype}, but differences need float64")
    if not outputs:
        raise GradientError("gradcheck: f returned nothing")
    return outputs


def _raw(output: Any) -> Floats:
    return np.asarray(output.numpy() if type(output) in NODES else output, dtype=np.float64)


def _values(call: Callable[[], Any]) -> Floats:
    """Return all elements of the output, shape (m,), computed without recording."""
    with recording(NOTHING), np.errstate(all="ignore"):
        return np.concatenate([_raw(output).reshape(-1) for output in _nodes(call())])


def _analytic(call: Callable[[], Any], leaves: Sequence[Leaf]) -> tuple[list[str], list[Floats]]:
    """Return the names of the m elements of the output, and for each leaf of n elements its Jacobian (m, n)."""
    with recording(GRADIENTS):
        outputs = _nodes(call())
        names: list[str] = []
        rows: list[list[Floats]] = [[] for _ in leaves]
        for k, output in enumerate(outputs):
            shape = np.shape(_raw(output))
            for index in np.ndindex(*shape):
                place = (k, *index) if len(outputs) > 1 else index
                names.append(f"[{', '.join(map(str, place))}]" if place else "")
                gradients = _gradients(output, shape, index, leaves)
                for row, leaf in zip(rows, leaves, strict=True):
                    row.append(_raw(gradients.get(leaf.node, np.zeros(leaf.values.shape))).reshape(-1))
    return names, [np.array(row).reshape(len(names), leaf.values.size) for row, leaf in zip(rows, leaves, strict=True)]


def _gradients(output: Any, shape: tuple[int, ...], index: tuple[int, ...], leaves: Sequence[Leaf]) -> dict[Any, Any]:
    if type(output) not in NODES or not output.requires_grad:
        return {}
    seed = np.zeros(shape)
    seed[index] = 1.0
    return cotangents(output, seed if shape else 1.0, to=[leaf.node for leaf in leaves])


# ----------------------------------------------------------------------------------------------------------- comparison


def _compare(
    call: Callable[[], Any], leaf: Leaf, i: int, base: Floats, outputs: list[str], analytic: Floats, rtol: float
) -> list[Element]:
    """Return the derivatives of all m outputs in element ``i`` of a leaf, compared with differences."""
    x = float(leaf.values.reshape(-1)[i])
    tried: list[Difference] = []
    allowed: list[Floats] = []
    for h in [step * max(1.0, abs(x)) for step in STEPS] + [STEP * abs(x)] * (0 < abs(x) < 1):
        tried.append(_difference(call, leaf, i, base, h))
        allowed.append(_allowance(tried, analytic, rtol))
        if (_near(tried[-1], analytic, allowed[-1]) & ~_bends(tried[-1])).all():
            break
    index = tuple(int(k) for k in np.unravel_index(i, leaf.values.shape))
    elements = []
    for j, output in enumerate(outputs):
        close = [k for k, d in enumerate(tried) if _near(d, analytic, allowed[k])[j]]
        smooth = [k for k in close if not _bends(tried[k])[j]]
        kink = not smooth and len(tried) > 2 and _at_kink(tried[0], tried[2], j, float(analytic[j]), rtol)
        verdict: Verdict = "kink" if kink else "agrees" if close else "differs"
        k = (smooth or close or [0])[0]
        numbers = float(analytic[j]), float(tried[k].central[j]), float(allowed[k][j])
        elements.append(Element(leaf.name, index, output, *numbers, verdict))
    return elements


def _near(difference: Difference, analytic: Floats, allowed: Floats) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.abs(analytic - difference.central) <= allowed


def _allowance(tried: Sequence[Difference], analytic: Floats, rtol: float) -> Floats:
    """Return how far the last difference may lie from the analytic derivative: ``rtol``, rounding and truncation.

    Truncation shrinks with the square of the step, so a ten times longer step shows it a hundred times enlarged.
    """
    last = tried[-1]
    allowed = rtol * np.fmax(np.abs(analytic), np.abs(last.central)) + last.noise
    if len(tried) > 1 and tried[-2].h > last.h:
        with np.errstate(invalid="ignore"):
            truncation = np.abs(tried[-2].central - last.central) / 50
        allowed = allowed + np.where(np.isfinite(truncation), truncation, 0.0)
    return np.asarray(allowed)


def _difference(call: Callable[[], Any], leaf: Leaf, i: int, base: Floats, h: float) -> Difference:
    """Return the difference quotients for one step length; the leaf's values are left changed."""
    x = float(leaf.values.reshape(-1)[i])
    above, below = x + h, x - h
    up, down = (_moved(call, leaf, i, value) for value in (above, below))
    with np.errstate(all="ignore"):
        noise = NOISE * np.fmax(np.abs(up), np.abs(down)) / h
        central = (up - down) / (above - below)  # the steps as they were taken, after rounding
        return Difference(h, central, (up - base) / (above - x), (base - down) / (x - below), noise)


def _moved(call: Callable[[], Any], leaf: Leaf, i: int, value: float) -> Floats:
    """Return the output with element ``i`` of a leaf replaced."""
    changed = leaf.values.copy()
    changed.reshape(-1)[i] = value
    leaf.node.assign(_whole(changed))
    try:
        return _values(call)
    finally:
        leaf.node.assign(_whole(leaf.values))


def _bends(difference: Difference) -> NDArray[np.bool_]:
    """Say for which outputs the slopes from both sides are so different that a kink is possible."""
    with np.errstate(invalid="ignore"):
        slope = np.maximum(np.abs(difference.left), np.abs(difference.right))
        return np.abs(difference.right - difference.left) > 0.01 * slope + 20 * difference.noise


def _at_kink(wide: Difference, narrow: Difference, j: int, analytic: float, rtol: float) -> bool:
    """Say whether the slopes on both sides differ however short the step, with ``analytic`` between them.

    At a smooth point their distance is proportional to the step, at a kink it stays; ``narrow`` is 100 times shorter.
    """
    slopes = sorted((float(narrow.left[j]), float(narrow.right[j])))
    jump, before = slopes[1] - slopes[0], abs(float(wide.right[j] - wide.left[j]))
    slack = rtol * max(map(abs, slopes)) + 2 * float(narrow.noise[j])
    return jump > 10 * slack and jump > before / 10 and slopes[0] - slack <= analytic <= slopes[1] + slack
