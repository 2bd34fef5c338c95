"""Optimizers: the update rules as pure functions, and classes that apply them to the parameters of a model.

The rules take and return plain numbers, arrays or nodes. The classes compute the same with fewer temporary arrays
(tested equal). They never write into an array that ``parameter.data`` showed: each step gives a parameter a new array
and makes it newer than every graph that used the old one, so that a late ``backward()`` is an error and not a wrong
gradient.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DataError, DTypeError, GradientError, ShapeError, TinygradError, UnsupportedError
from tinygrad_mlp.graph import NODES, Trace, current_trace, tick, wrap
from tinygrad_mlp.ops import sqrt

ndarray = np.ndarray

# ------------------------------------------------------------------------------------------------------- update rules


def sgd(x: Any, g: Any, lr: float) -> Any:
    """Return ``x`` after a step of gradient descent: x - lr · g."""
    return x - lr * g


def momentum(x: Any, g: Any, velocity: Any, lr: float, mu: float, nesterov: bool = False) -> tuple[Any, Any]:
    """Return ``x`` and the velocity after a step with momentum: v ← μ v + g, x ← x - lr · v.

    Nesterov's form evaluates the gradient at the point looked ahead to; written in that point's coordinates the step is
    x - lr · (g + μ v). Sources: B. Polyak 1964; Y. Nesterov 1983; I. Sutskever, J. Martens, G. Dahl, G. Hinton, ICML
    2013, section 2. The form with lr outside the velocity is PyTorch's; the first velocity is 0.

    >>> momentum(1.0, 2.0, 0.0, lr=0.5, mu=0.9)
    (0.0, 2.0)
    """
    velocity = mu * velocity + g
    return x - lr * (g + mu * velocity if nesterov else velocity), velocity


def adam(
    x: Any, g: Any, m: Any, v: Any, step: int, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> tuple[Any, Any, Any]:
    """Return ``x`` and both moments after step number ``step``, counted from 1, of Adam.

    Source: D. Kingma, J. Ba, *Adam*, ICLR 2015, algorithm 1, with the corrections of both moments taken out of the
    arrays as at the end of section 2; eps is corrected too, so that the result is that of the algorithm.
    """
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * (g * g)
    scale = sqrt(1 - betas[1] ** step)
    return x - (lr * scale / (1 - betas[0] ** step)) * (m / (sqrt(v) + eps * scale)), m, v


# --------------------------------------------------------------------------------------------------------- optimizers


class Optimizer(ABC):
    """What all optimizers share: parameters, a learning rate, and state with one entry a parameter.

    Attributes:
        params: the leaves that are updated.
        lr: the learning rate; may be set between steps.
    """

    slots: tuple[str, ...] = ()  # attributes that hold one array a parameter, or None before its first step
    fixed: tuple[str, ...] = ("params",)  # attributes of which a recorded step holds

    def __init__(self, params: Any, lr: float) -> None:
        self.params = find_parameters(params, type(self).__name__)
        self.lr = check_number(f"{type(self).__name__}: lr", lr, above=0.0)
        self.steps = 0
        for slot in self.slots:
            setattr(self, slot, [None] * len(self.params))

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to None."""
        traced = current_trace() is not None
        for p in self.params:
            if traced:
                p.grad = None
            else:
                p._grad = None

    @abstractmethod
    def step(self) -> None:
        """Update every parameter that has a gradient."""

    def _record(self, trace: Trace) -> None:
        """Record a step while a function is traced: what is read, and what becomes of it, for each replay anew."""
        again = trace.count(self)
        lr = trace.read((self, "lr"), "lr", lambda: float(self.lr))
        fixed = attrgetter(*self.fixed)
        found = fixed(self)
        trace.conditions.append(lambda: fixed(self) == found)
        for i, p in enumerate(self.params):
            g = trace.gradient(p)
            if g is not None:
                p.assign(self._updated(trace, i, p, g if type(g) in NODES else wrap(g), lr, again))
        trace.after.append(self._count_step)

    def _count_step(self) -> None:
        self.steps += 1

    def _updated(self, trace: Trace, i: int, p: Any, g: Any, lr: Any, again: int) -> Any:  # noqa: ARG002
        """Return what parameter ``i`` becomes, as a node; ``again`` counts the steps that were recorded before."""
        raise UnsupportedError(f"{type(self).__name__}: a compiled step needs _updated(…), or call step() outside")

    def _state(self, trace: Trace, slot: str, i: int, p: Any) -> Any:
        """Return the node of a state of parameter ``i``: zero before its first step."""

        def read() -> Any:
            values = getattr(self, slot)
            if values[i] is None:
                values[i] = 0.0 if type(p._payload) is float else np.zeros_like(p._payload)
            return values[i]

        return trace.read((self, slot, i), f"{slot}{i}", read)

    def _keep(self, trace: Trace, slot: str, i: int, value: Any) -> Any:
        """Let each replay keep ``value`` as the state of parameter ``i``, and return it."""
        trace.write((self, slot, i), lambda new: getattr(self, slot).__setitem__(i, new), value)
        return value

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of what it remembers: the number of steps, the learning rate, and ``slot.i`` of parameter i."""
        state: dict[str, Any] = {"steps": self.steps, "lr": self.lr}
        for slot in self.slots:
            for i, value in enumerate(getattr(self, slot)):
                if value is not None:
                    state[f"{slot}.{i}"] = np.array(value)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict()`` returned, for the same parameters in the same order.

        Raises:
            DataError: An entry is missing or unknown.
            ShapeError: An array does not have its parameter's shape.
        """
        kind = type(self).__name__
        known = {f"{slot}.{i}" for slot in self.slots for i in range(len(self.params))}
        wrong = [name for name in state if name not in known and name not in ("steps", "lr")]
        wrong += [name for name in ("steps", "lr") if name not in state]
        if wrong:
            raise DataError(
                f"{kind}.load_state_dict: {wrong[0]!r} is missing or unknown; the state is of another optimizer"
            )
        for name in known & state.keys():
            p = self.params[int(name.rpartition(".")[2])]
            if np.shape(state[name]) != p.shape and not name.startswith("count."):
                raise ShapeError(
                    f"{kind}.load_state_dict: {name} has shape {np.shape(state[name])}, its parameter {p.shape}"
                )
        self.steps, self.lr = int(state["steps"]), check_number(f"{kind}: lr", state["lr"], above=0.0)
        for slot in self.slots:
            values: list[Any] = [state.get(f"{slot}.{i}") for i in range(len(self.params))]
            for i, (value, p) in enumerate(zip(values, self.params, strict=True)):
                if slot == "count":
                    values[i] = None if value is None else int(value)
                elif value is not None:
                    values[i] = float(value) if type(p._payload) is float else np.array(value, p.dtype)
            setattr(self, slot, values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.params)} parameters, lr={self.lr:g}{self._options()})"

    def _options(self) -> str:
        """Return the options that are not at their defaults, as they were written."""
        return ""


class SGD(Optimizer):
    """Gradient descent, with momentum and weight decay if wanted.

    Args:
        params: a ``Module``, or an iterable of leaves.
        lr: learning rate, above 0.
        momentum: μ in [0, 1) of ``momentum``.
        nesterov: look ahead; needs momentum.
        weight_decay: λ ≥ 0; λ · x is added to the gradient, as from a penalty λ/2 · ‖x‖².

    >>> from tinygrad_mlp.tensors import Tensor
    >>> w = Tensor([1.0, -2.0])
    >>> optimizer = SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([0., 0.])
    """

    slots = ("velocity",)
    fixed = ("momentum", "nesterov", "weight_decay")
    velocity: list[Any]

    def __init__(
        self, params: Any, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr)
        self.momentum = check_number("SGD: momentum", momentum, least=0.0, below=1.0)
        self.weight_decay = check_number("SGD: weight_decay", weight_decay, least=0.0)
        self.nesterov = bool(nesterov)
        if nesterov and not momentum:
            raise TinygradError("SGD: nesterov=True needs a momentum above 0, such as 0.9")

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        trace = current_trace()
        if trace is not None:
            self._record(trace)
            return
        lr, now = float(self.lr), tick()
        self.steps += 1
        plain = not self.momentum and not self.weight_decay
        for i, p in enumerate(self.params):
            g = p._grad
            if g is None:
                continue
            data = p._payload
            if type(g) in NODES:
                g = g._payload
            if not plain:
                g = self._direction(i, g, data)
            change = lr * g
            if type(change) is ndarray:
                np.subtract(data, change, change)  # the temporary array becomes the parameter's
                p._payload = change
            else:
                p._payload = updated(data, change)
            p.tick = now

    def _updated(self, trace: Trace, i: int, p: Any, g: Any, lr: Any, again: int) -> Any:  # noqa: ARG002
        if self.weight_decay:
            g = g + self.weight_decay * p
        if not self.momentum:
            return sgd(p, g, lr)
        new, velocity = momentum(p, g, self._state(trace, "velocity", i, p), lr, self.momentum, self.nesterov)
        self._keep(trace, "velocity", i, velocity)
        return new

    def _options(self) -> str:
        given = {"momentum": self.momentum, "nesterov": self.nesterov, "weight_decay": self.weight_decay}
        return "".join(f", {name}={value}" for name, value in given.items() if value)

    def _direction(self, i: int, g: Any, data: Any) -> Any:
        """Return where parameter ``i`` moves: its gradient with decay and momentum."""
        if self.weight_decay:
            g = g + self.weight_decay * data
        if not self.momentum:
            return g
        velocity = self.velocity[i]
        if velocity is None:
            velocity = +g  # a copy: the gradient itself may be added to
        else:
            velocity *= self.momentum
            velocity += g
        self.velocity[i] = velocity
        return g + self.momentum * velocity if self.nesterov else velocity


class Adam(Optimizer):
    """Adam: a step of about ``lr`` in each coordinate, by running means of the gradient and of its square.

    Args:
        params: a ``Module``, or an iterable of leaves.
        lr: learning rate, above 0.
        betas: how slowly the two means move, each in [0, 1).
        eps: keeps the division finite, above 0.
    """

    slots = ("first", "second", "count")
    fixed = ("betas",)
    first: list[Any]
    second: list[Any]
    count: list[int | None]  # steps of each parameter: one that gets its first gradient late is corrected from then on

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        super().__init__(params, lr)
        if len(betas) != 2:
            raise TinygradError(f"Adam: betas is {betas!r}; give two numbers in [0, 1)")
        self.betas = (
            check_number("Adam: betas[0]", betas[0], least=0.0, below=1.0),
            check_number("Adam: betas[1]", betas[1], least=0.0, below=1.0),
        )
        self.eps = check_number("Adam: eps", eps, above=0.0)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        trace = current_trace()
        if trace is not None:
            self._record(trace)
            return
        now = tick()
        self.steps += 1
        beta1, beta2 = self.betas
        for i, p in enumerate(self.params):
            g = p._grad
            if g is None:
                continue
            if type(g) in NODES:
                g = g._payload
            lr, eps = self._corrected(i)
            self._count_parameter(i)
            m, v = self.first[i], self.second[i]
            if type(g) is ndarray and g.ndim:
                if m is None:
                    m, v = self.first[i], self.second[i] = np.zeros_like(g), np.zeros_like(g)
                change = _adam_change(m, v, g, beta1, beta2, eps)
                change *= lr
                p._payload = np.subtract(p._payload, change, change)
            else:
                self.first[i] = m = beta1 * (0.0 if m is None else m) + (1 - beta1) * g
                self.second[i] = v = beta2 * (0.0 if v is None else v) + (1 - beta2) * (g * g)
                p._payload = updated(p._payload, lr * m / (sqrt(v) + eps))
            p.tick = now

    def _updated(self, trace: Trace, i: int, p: Any, g: Any, lr: Any, again: int) -> Any:
        beta1, beta2 = self.betas
        m = self._keep(trace, "first", i, beta1 * self._state(trace, "first", i, p) + (1 - beta1) * g)
        v = self._keep(trace, "second", i, beta2 * self._state(trace, "second", i, p) + (1 - beta2) * (g * g))
        count = self.count[i] or 0
        first = self.count.index(self.count[i])  # parameters with equally many steps share the corrections
        if first != i:
            trace.conditions.append(lambda: self.count[i] == self.count[first])
        lr = trace.read((self, "lr", count, again), "lr", lambda: self._corrected(first, again)[0])
        eps = trace.read((self, "eps", count, again), "eps", lambda: self._corrected(first, again)[1])
        trace.after.append(lambda: self._count_parameter(i))
        return p - lr * (m / (sqrt(v) + eps))

    def _corrected(self, i: int, again: int = 0) -> tuple[float, float]:
        """Return lr and eps with the corrections of both means, which are taken out of the arrays."""
        count = (self.count[i] or 0) + 1 + again
        scale = math.sqrt(1 - self.betas[1] ** count)
        return float(self.lr) * scale / (1 - self.betas[0] ** count), self.eps * scale

    def _count_parameter(self, i: int) -> None:
        self.count[i] = (self.count[i] or 0) + 1


def _adam_change(m: Any, v: Any, g: Any, beta1: float, beta2: float, eps: float) -> Any:
    """Return a new array m / (√v + eps), after moving both means in place."""
    change = (1 - beta1) * g
    m *= beta1
    m += change
    np.multiply(g, g, change)
    change *= 1 - beta2
    v *= beta2
    v += change
    np.sqrt(v, change)
    change += eps
    return np.divide(m, change, change)


# ------------------------------------------------------------------------------------------------------------- checks


def updated(data: Any, change: Any) -> Any:
    """Return ``data - change`` in the kind of ``data``: a float, a 0-d array, or an array of another library."""
    new = data - change
    if type(new) is type(data):
        return new
    return float(new) if type(data) is float else np.asarray(new, data.dtype)


def find_parameters(params: Any, name: str) -> list[Any]:
    """Return the leaves to update, each once.

    Args:
        params: an object with ``parameters()``, or an iterable of leaves.
        name: of the optimizer, for messages.

    Raises:
        TinygradError: There are none.
        DTypeError: One is no node.
        GradientError: One is computed, not a leaf.
    """
    if hasattr(params, "parameters"):
        params = params.parameters()
    elif type(params) in NODES or not isinstance(params, Iterable):
        raise DTypeError(f"{name}: params is {type(params).__name__}; give a Module or a list of parameters")
    found: dict[int, Any] = {}
    for i, p in enumerate(params):
        if type(p) not in NODES:
            raise DTypeError(f"{name}: parameter {i} is {type(p).__name__}, not a Parameter, Tensor or Value")
        if p.op is not None:
            raise GradientError(f"{name}: parameter {i} is computed ({p.op.name}); only a leaf can be updated")
        found[id(p)] = p
    if not found:
        raise TinygradError(f"{name}: there are no parameters to update")
    return list(found.values())


def check_number(
    what: str, x: Any, *, above: float = -math.inf, least: float = -math.inf, below: float = math.inf
) -> float:
    """Return ``x`` as a float.

    Raises:
        TinygradError: It is no number in the range.
    """
    try:
        number = float(x)
    except (TypeError, ValueError):
        raise TinygradError(f"{what} is {x!r}, not a number") from None
    if not (above < number < below and number >= least):
        bounds = [f"above {above:g}"] * (above > -math.inf) + [f"at least {least:g}"] * (least > -math.inf)
        bounds += [f"below {below:g}"] if below < math.inf else ["finite"]
        raise TinygradError(f"{what} is {x!r}; it must be {' and '.join(bounds)}")
    return number
