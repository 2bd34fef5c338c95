"""Whatever one does with graphs, in whatever order: the gradients are those of a naive model, or there is an error."""

import copy
import gc
import pickle
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from random_graphs import FUNCTIONS, SCALAR, Step, apply, constants, draw_step, gradient, values, variables

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GradientError, ShapeError, StaleError, TinygradError
from tinygrad_mlp.graph import NODES

WAYS = ["assign", "setter", "augmented", "a node"]
QUARTERS = st.integers(-8, 8).map(lambda k: k / 4)
COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}


def refusal(kind: type[Exception], f: Callable[[], Any]) -> str:
    """The message of the error that ``f`` raises; unlike pytest's record of it, this keeps no frames alive."""
    try:
        f()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


class Entry:
    """What the model knows of a node: its dual numbers, and from which versions of which nodes it was computed.

    A leaf that is overwritten has a new version. A node whose rules read a leaf can no more be differentiated through
    once that leaf's version is another, be it read directly or through views.
    """

    def __init__(self, duals: Any, grad: bool, step: Step | None = None, inputs: tuple["Entry", ...] = ()) -> None:
        self.duals = duals
        self.grad = grad
        self.step = step
        self.inputs = inputs
        self.version = 0
        self.read = [(base, base.version) for x in self._read() for base in x.bases()]
        self.gradient: Any = None

    def _read(self) -> list["Entry"]:
        if self.step is None:
            return []
        rows = FUNCTIONS[self.step.name].reads
        wanted = [row for x, row in zip(self.inputs, rows, strict=True) if x.grad]
        return [self.inputs[i] for i in {i for row in wanted for i in row}]

    def bases(self) -> list["Entry"]:
        """The entries whose memory this one may show."""
        if self.step is None or not FUNCTIONS[self.step.name].view:
            return [self]
        return [base for x in self.inputs for base in x.bases()]

    def before(self) -> list["Entry"]:
        """This entry, and all that its gradient flows to."""
        found: dict[int, Entry] = {}
        pending = [self]
        while pending:
            entry = pending.pop()
            if entry.grad and id(entry) not in found:
                found[id(entry)] = entry
                pending += entry.inputs
        return list(found.values())

    def is_stale(self) -> bool:
        return any(base.version != version for entry in self.before() for base, version in entry.read)


class Graphs(RuleBasedStateMachine):
    """Nodes of the library in ``nodes``, and their models, under the same numbers, in ``entries``."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[int, Any] = {}
        self.entries: dict[int, Entry] = {}
        self.count = 0
        self.made: list[weakref.ref[Any]] = []
        gc.collect()
        gc.disable()  # what is dropped has to go by reference counting

    def add(self, node: Any, entry: Entry) -> None:
        self.nodes[self.count], self.entries[self.count] = node, entry
        self.count += 1
        if type(node) is tg.Tensor:
            self.made.append(weakref.ref(node))

    def pick(self, data: st.DataObject, *, leaf: bool | None = None, kind: Any = None) -> int | None:
        """The number of some node; None if there is none of that kind."""
        chosen = [
            i
            for i, node in self.nodes.items()
            if (leaf is None or (self.entries[i].step is None) is leaf) and kind in (None, type(node))
        ]
        return data.draw(st.sampled_from(chosen)) if chosen else None

    def leaf_values(self, data: st.DataObject, shape: tuple[int, ...]) -> Any:
        return np.array([data.draw(QUARTERS) for _ in range(int(np.prod(shape)))]).reshape(shape)

    # -- making

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.make_leaf(data, True, True)
        self.make_leaf(data, False, True)

    @precondition(lambda self: len(self.nodes) < 12)
    @rule(data=st.data(), scalar=st.booleans(), grad=st.booleans())
    def make_leaf(self, data: st.DataObject, scalar: bool, grad: bool) -> None:
        shape = () if scalar else data.draw(st.sampled_from([(), (2,), (1, 2), (2, 2), (2, 1), (0,), (0, 2), (3,)]))
        x = self.leaf_values(data, shape)
        node = tg.Value(x) if scalar else tg.Tensor(x, requires_grad=grad)
        grad = grad or scalar
        self.add(node, Entry(variables(x, self.count) if grad else constants(x), grad))

    @rule(data=st.data(), steps=st.integers(1, 4), quiet=st.sampled_from([False, False, False, True]))
    def compute(self, data: st.DataObject, steps: int, quiet: bool) -> None:
        for _ in range(steps):
            self.compute_once(data, quiet)

    def compute_once(self, data: st.DataObject, quiet: bool) -> None:
        numbers = list(self.nodes)
        scalar = all(type(node) is tg.Value for node in self.nodes.values()) or data.draw(st.booleans())
        step = self.drawn(data, numbers, list(SCALAR if scalar else FUNCTIONS))
        if step is None:
            return
        operands = [self.nodes[numbers[i]] for i in step.operands]
        if quiet:
            with tg.no_grad():
                node = apply(step, operands)
        else:
            node = apply(step, operands)
        self.record(node, step, tuple(self.entries[numbers[i]] for i in step.operands), quiet)

    def drawn(self, data: st.DataObject, numbers: list[int], names: list[str]) -> Step | None:
        known = [values(self.entries[i].duals) for i in numbers]
        return data.draw(st.composite(lambda draw: draw_step(draw, known, names))())

    def record(self, node: Any, step: Step, inputs: tuple[Entry, ...], quiet: bool) -> None:
        duals = apply(step, [entry.duals for entry in inputs], naive=True)
        if quiet or not any(entry.grad for entry in inputs):
            self.add(node, Entry(constants(values(duals)), False))
        else:
            self.add(node, Entry(duals, True, step, inputs))

    @rule(data=st.data())
    def compute_and_go_backward(self, data: st.DataObject) -> None:
        self.compute(data, 4, False)
        self.backward(data, "leaves", False)

    @rule(data=st.data(), how=st.sampled_from(WAYS))
    def compute_overwrite_and_go_backward(self, data: st.DataObject, how: str) -> None:
        self.compute(data, 3, False)
        self.overwrite(data, how)
        self.compute(data, 1, False)
        self.backward(data, "leaves", False)

    @rule(data=st.data(), name=st.sampled_from(["add", "multiply", "divide", "maximum"]), swapped=st.booleans())
    def compute_with_an_array_that_its_owner_overwrites(self, data: st.DataObject, name: str, swapped: bool) -> None:
        i = self.pick(data)
        if i is None:
            return
        entry = self.entries[i]
        raw = np.array([0.5, -1.5])[: entry.duals.shape[-1] if entry.duals.ndim else 2]
        operands, inputs = (self.nodes[i], raw), (entry, Entry(constants(raw), False))
        at = (1, 0) if swapped else (0, 1)
        xs = [values(inputs[k].duals) for k in at]
        if not FUNCTIONS[name].fits(*xs):
            return
        step = Step(name, at, {})
        node = apply(step, [operands[k] for k in at])
        raw[...] = 99.0
        self.record(node, step, tuple(inputs[k] for k in at), False)

    @rule(data=st.data())
    def detach(self, data: st.DataObject) -> None:
        i = self.pick(data)
        if i is not None:
            self.add(self.nodes[i].detach(), Entry(constants(values(self.entries[i].duals)), False))

    # -- changing

    def overwritten(self, i: int, new: Any) -> None:
        entry = self.entries[i]
        for d, x in zip(entry.duals.ravel(), np.ravel(new), strict=True):
            d.value = float(x)
        entry.version += 1

    @rule(data=st.data(), how=st.sampled_from(WAYS))
    def overwrite(self, data: st.DataObject, how: str) -> None:
        i = self.pick(data, leaf=True)
        if i is None:
            return
        node, entry = self.nodes[i], self.entries[i]
        shift = data.draw(QUARTERS)
        new = np.asarray(values(entry.duals) * 0.5 + shift)
        entry.duals = copy.deepcopy(entry.duals)  # what was computed before keeps the old numbers
        given = new.copy()
        if how == "assign":
            node.assign(given)
        elif how == "setter":
            node.data = given
        elif how == "augmented":
            node.data *= 0.5
            node.data += shift
            self.entries[i].version += 1
        else:
            node.data = tg.Tensor(given) if type(node) is tg.Tensor else tg.Value(given)
        given[...] = 99.0
        self.overwritten(i, new)

    @rule(data=st.data(), kind=st.sampled_from([tg.optim.SGD, tg.optim.Adam]))
    def step_of_an_optimizer(self, data: st.DataObject, kind: Any) -> None:
        i = self.pick(data, leaf=True)
        if i is None or not self.entries[i].grad or self.entries[i].gradient is None:
            return
        node, entry = self.nodes[i], self.entries[i]
        kind([node], lr=0.125).step()
        if kind is tg.optim.SGD:
            assert np.allclose(node.data, values(entry.duals) - 0.125 * entry.gradient)
        entry.duals = copy.deepcopy(entry.duals)
        self.overwritten(i, node.data)

    @rule(data=st.data())
    def a_failing_op_and_an_overwritten_result(self, data: st.DataObject) -> None:
        """Neither records anything, and what is computed cannot be assigned."""
        i = self.pick(data, leaf=False)
        if i is None:
            return
        node = self.nodes[i]
        assert "broadcast" in refusal(ShapeError, lambda: tg.sum(node) * np.ones(2) + np.ones(3))
        assert "is fixed" in refusal(TinygradError, lambda: node.assign(0.0))

    @rule(data=st.data(), scale=st.sampled_from([0.0, 2.0]))
    def write_into_a_gradient(self, data: st.DataObject, scale: float) -> None:
        i = self.pick(data, leaf=True, kind=tg.Tensor)
        if i is not None and self.entries[i].gradient is not None:
            self.nodes[i].grad[...] *= scale
            self.entries[i].gradient = self.entries[i].gradient * scale

    @rule(data=st.data())
    def zero_grad(self, data: st.DataObject) -> None:
        i = self.pick(data, leaf=True)
        if i is not None:
            self.nodes[i].grad = None
            self.entries[i].gradient = None

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        i = self.pick(data)
        if i is not None and len(self.nodes) > 1:
            del self.nodes[i], self.entries[i]

    @rule(how=st.sampled_from(sorted(COPIES)))
    def go_on_with_a_copy(self, how: str) -> None:
        """All at once: leaves, results and what lies between them still belong together."""
        self.nodes = COPIES[how](self.nodes)
        assert [ref() for ref in self.made if ref() is not None] == []
        self.made = [weakref.ref(node) for node in self.nodes.values() if type(node) is tg.Tensor]

    # -- differentiating

    @rule(data=st.data(), keep=st.sampled_from(["leaves", "all"]), twice=st.booleans())
    def backward(self, data: st.DataObject, keep: str, twice: bool) -> None:
        i = self.pick(data, leaf=data.draw(st.sampled_from([False, False, None])))
        if i is None:
            return
        node, entry = self.nodes[i], self.entries[i]
        seed = self.leaf_values(data, node.shape)
        given = seed.copy()
        if not entry.grad:
            assert "has no gradient" in refusal(GradientError, lambda: node.backward(given))
        elif entry.is_stale():
            assert "was overwritten after its use" in refusal(StaleError, lambda: node.backward(given))
        else:
            for _ in range(1 + twice):
                node.backward(given, keep=keep)
                self.accumulate(entry, seed)
        given[...] = 99.0

    def accumulate(self, root: Entry, seed: Any) -> None:
        reached = root.before()
        for i, entry in self.entries.items():
            if entry.step is None and any(entry is x for x in reached):
                g = gradient(root.duals, seed, i, entry.duals.shape)
                if g is None:  # a path that leads to none of its elements
                    g = np.zeros(entry.duals.shape)
                entry.gradient = g if entry.gradient is None else entry.gradient + g

    @precondition(lambda self: any(type(node) is tg.Value for node in self.nodes.values()))
    @rule(data=st.data())
    def interior_gradients_of_values_are_those_of_the_last_sweep(self, data: st.DataObject) -> None:
        i = self.pick(data, leaf=False, kind=tg.Value)
        if i is None or self.entries[i].is_stale():
            return
        self.nodes[i].backward(0.5)
        self.accumulate(self.entries[i], np.array(0.5))
        assert self.nodes[i].grad == 0.5

    # -- what always holds

    @invariant()
    def data_and_gradients_are_those_of_the_model(self) -> None:
        for i, node in self.nodes.items():
            entry = self.entries[i]
            assert type(node) in NODES
            assert node.requires_grad == entry.grad
            assert np.allclose(node.data, values(entry.duals), rtol=1e-9, atol=1e-9)
            if entry.step is None:
                assert (node.grad is None) == (entry.gradient is None), (i, node.grad, entry.gradient)
                if node.grad is not None:
                    scale = 1 + np.abs(entry.gradient).max(initial=0.0)
                    assert np.shape(node.grad) == node.shape
                    assert np.allclose(node.grad, entry.gradient, rtol=1e-9, atol=1e-9 * scale)

    def teardown(self) -> None:
        self.nodes.clear()
        alive = [ref() for ref in self.made if ref() is not None]
        gc.enable()
        assert alive == [] or sys.exception() is not None  # no cycle keeps a graph; a traceback would


Graphs.TestCase.settings = settings(stateful_step_count=30, max_examples=min(300, settings.default.max_examples))
TestGraphs = Graphs.TestCase
