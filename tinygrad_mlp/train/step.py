"""One step of training: compiled where that is possible, else eager."""

import math
import random
import warnings
from typing import Any

import numpy as np

from tinygrad_mlp.compiler import compile
from tinygrad_mlp.compiler.attributes import Attributes
from tinygrad_mlp.errors import ShapeError, TinygradError
from tinygrad_mlp.graph import NODES, assume, wrap
from tinygrad_mlp.ops import isfinite

from .metrics import Objective, ReluActivity, active_units, relu_nodes


class Step:
    """A step of training; it leaves the parameters alone if the loss is not finite.

    Args:
        objective: The loss.
        optimizer: What updates the parameters.
        compiled: Whether to record it once and replay it; where that cannot be, a warning says so, and it runs eagerly.
    """

    def __init__(self, objective: Objective, optimizer: Any, compiled: bool) -> None:
        self.objective = objective
        self.optimizer = optimizer
        self._relus: list[Any] = []
        self._before: _Before | None = None  # while something is recorded
        self._fast = compile(self._record, twice=True) if compiled else None

    def __call__(self, xs: Any, ys: Any, activity: ReluActivity | None) -> tuple[float, Any]:
        """Return the loss before the step, and what predicts the labels, for rows and targets, which are arrays."""
        if self._fast is None:
            return self._eager(xs, ys, activity)
        try:
            loss, prediction, active = self._fast(xs, ys)
        except Exception as error:  # noqa: BLE001  (whatever it is, the eager step comes next, and says it better)
            self._fast = None
            if self._before is not None:
                self._before.restore()
            result = self._eager(xs, ys, activity)
            warnings.warn(f"fit: the step runs eagerly, and slower: {error}", stacklevel=5)
            return result
        self._before = None
        if activity is not None and active is not None:
            activity.name(self._relus)
            activity.gather(active)
        return float(loss), prediction

    def _record(self, xs: Any, ys: Any) -> Any:
        """Return the loss, what predicts the labels, and which ReLU units were active: what is compiled."""
        self._before = self._before or _Before(self.objective.model)
        loss, prediction = self.objective(xs, ys)
        check_loss(loss)
        if not assume(isfinite(loss)):
            return loss, prediction, None
        self._move(loss)
        self._relus = relu_nodes(loss)
        return loss, prediction, [active_units(node) for node in self._relus]

    def _eager(self, xs: Any, ys: Any, activity: ReluActivity | None) -> tuple[float, Any]:
        plain = self.objective.plain and self.objective.loss is None
        loss, prediction = self.objective(wrap(xs), wrap(ys) if plain else ys)  # constants of the graph: no copy
        check_loss(loss)
        value = float(loss)
        if math.isfinite(value):
            if activity is not None:
                activity.add(loss)
            self._move(loss)
        return value, prediction

    def _move(self, loss: Any) -> None:
        """Move the parameters down the gradient of ``loss``."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


class _Before:
    """What a recording may change without a trace of it: attributes of modules, and generators used in Python."""

    def __init__(self, model: Any) -> None:
        self._attributes = Attributes(model)
        values = [x for module in model.modules() for x in vars(module).values()]
        self._generators = [(x, x.bit_generator.state) for x in values if isinstance(x, np.random.Generator)]
        self._global = np.random.get_state(), random.getstate()  # noqa: NPY002  (a user's layer may draw from it)

    def restore(self) -> None:
        """Make everything as it was."""
        self._attributes.restore()
        for rng, state in self._generators:
            rng.bit_generator.state = state
        np.random.set_state(self._global[0])  # noqa: NPY002
        random.setstate(self._global[1])


def check_loss(loss: Any) -> None:
    """Raise unless a loss is a scalar node.

    Raises:
        TinygradError, ShapeError: It is not.
    """
    if type(loss) not in NODES or not loss.requires_grad:
        raise TinygradError(
            "fit: the loss does not depend on the model by a graph: compute it with tg's or NumPy's functions of it"
        )
    if loss.size != 1:
        raise ShapeError(f"fit: the loss has shape {loss.shape}: reduce it to one number, for example with tg.mean")
