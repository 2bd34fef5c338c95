"""Modules: objects that hold parameters, and find them when asked by looking at their own attributes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DataError, ShapeError, UnsupportedError
from tinygrad_mlp.graph import NODES, Node, current_trace
from tinygrad_mlp.tensors import Tensor, Value

from .calls import scoped
from .description import Summary, describe_layers, is_layer, layer_outputs, summarise


class Parameter(Tensor):
    """A tensor that an optimizer trains.

    Args:
        data: An array or nested lists of floating-point numbers; copied.
        name: For pictures and messages.

    Raises:
        DTypeError: The data are not floating-point numbers.
    """

    __slots__ = ()

    def __init__(self, data: Any, name: str = "") -> None:
        super().__init__(data, requires_grad=True, name=name)


class Module:
    """A part of a network: assign parameters and other modules in ``__init__``, and compute in ``__call__``.

    Attributes may hold ``Parameter``, ``Value`` leaves, modules, and lists, tuples and dicts of these; all are found
    by walking the attributes. A ``Tensor`` that is no ``Parameter`` is a buffer: kept in ``state_dict()``, changed by
    ``buffer.assign(…)``, never trained. What occurs twice counts once, under its first name.

    >>> class Shift(Module):
    ...     def __init__(self):
    ...         self.by = Parameter([1.0, 2.0])
    ...     def __call__(self, x):
    ...         return x + self.by
    >>> [name for name, _ in Shift().named_parameters()]
    ['by']
    """

    _training = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own: Any = cls
        if "__call__" in vars(cls):
            own.__call__ = scoped(vars(cls)["__call__"])

    @scoped
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return ``forward(…)`` of a module that is written as in PyTorch; others define ``__call__`` themselves.

        Raises:
            UnsupportedError: The class defines neither.
        """
        forward = getattr(self, "forward", None)
        if forward is None:
            raise UnsupportedError(f"{type(self).__name__} cannot be called: define __call__(self, x), or forward")
        return forward(*args, **kwargs)

    def members(self) -> Iterator[tuple[str, Any]]:
        """Yield the named attributes that are searched for parameters and modules; a subclass may rename them."""
        yield from vars(self).items()

    def _walk(self) -> Iterator[tuple[str, Any]]:
        """Yield each module, parameter and buffer once with its dotted name, depth first in the order of assignment."""
        seen: set[int] = set()
        stack: list[tuple[str, Any]] = [("", self)]
        while stack:
            name, item = stack.pop()
            if type(item) in NODES:
                # a computed node is no state: it comes anew with each call
                if item.op is None and id(item) not in seen:
                    seen.add(id(item))
                    yield name, item
                continue
            children = _children(item)
            if children is None or id(item) in seen:
                continue
            seen.add(id(item))
            if isinstance(item, Module):
                yield name, item
            prefix = f"{name}." if name else ""
            stack.extend((f"{prefix}{key}", child) for key, child in reversed(children))

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """Yield this module, named "", and every module in it with its dotted name."""
        return ((name, item) for name, item in self._walk() if isinstance(item, Module))

    def modules(self) -> list["Module"]:
        """Return this module and every module in it."""
        return [module for _, module in self.named_modules()]

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Yield each trained leaf once, with its dotted name such as ``hidden1.weight``."""
        return ((name, item) for name, item in self._walk() if isinstance(item, Parameter | Value))

    def parameters(self) -> list[Any]:
        """Return the trained leaves, each once."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """Yield each tensor that is kept but not trained, with its dotted name."""
        return (
            (name, item)
            for name, item in self._walk()
            if isinstance(item, Node) and not isinstance(item, Parameter | Value)
        )

    def buffers(self) -> list[Any]:
        """Return the tensors that are kept but not trained."""
        return [buffer for _, buffer in self.named_buffers()]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to None."""
        for parameter in self.parameters():
            parameter.grad = None

    # -- state

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of every parameter and buffer by its dotted name, as plain arrays."""
        return {name: np.array(item._payload) for name, item in self._walk() if isinstance(item, Node)}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Assign the arrays of ``state`` to the parameters and buffers of the same names; on an error none is changed.

        Args:
            state: What ``state_dict()`` returned.
            strict: Whether the names must be the same on both sides; otherwise those in common are assigned.

        Raises:
            DataError: A name is missing or unknown.
            ShapeError: An array has another shape than what it should replace.
        """
        own: dict[str, Any] = {name: item for name, item in self._walk() if isinstance(item, Node)}
        kind = type(self).__name__
        if strict:
            missing = [name for name in own if name not in state]
            unknown = [name for name in state if name not in own]
            if missing or unknown:
                parts = [
                    f"{what} {', '.join(names)}"
                    for what, names in (("lacks", missing), ("has unknown", unknown))
                    if names
                ]
                raise DataError(
                    f"{kind}.load_state_dict: the state {' and '.join(parts)}; strict=False assigns what is common"
                )
        for name, item in own.items():
            if name in state and np.shape(state[name]) != item.shape:
                raise ShapeError(
                    f"{kind}.load_state_dict: {name} has shape {np.shape(state[name])} in the state, {item.shape} here"
                )
        for name, item in own.items():
            if name in state:
                item.assign(state[name])

    # -- training or evaluation

    @property
    def training(self) -> bool:
        """Whether the module is being trained: dropout drops only then."""
        trace = current_trace()
        if trace is not None:
            trace.watch(self)
        return self._training

    def train(self, mode: bool = True) -> "Module":
        """Switch this module and every module in it to training, and return it."""
        trace = current_trace()
        for module in self.modules():
            if trace is not None:
                trace.keep_mode(module)
            module._training = mode
        return self

    def eval(self) -> "Module":
        """Switch this module and every module in it to evaluation, and return it."""
        return self.train(False)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Switch to evaluation inside a ``with`` block, and every module back to its own mode after it."""
        modes = [(module, module._training) for module in self.modules()]
        self.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module._training = training

    # -- what people and pictures look at

    def describe(self, sample: Any = None) -> dict[str, Any]:
        """Return the layers as the plain record that network diagrams are drawn from.

        Args:
            sample: One row of input numbers, to know the outputs of every layer for it.

        Returns:
            ``{"name": …, "layers": [{"name", "units", "activation", "parameters", "weight", "bias", "weight_grad",
            "bias_grad", "output"}, …]}``, the input first; weights are copies of shape (in, out); what there is not,
            or is not known, is None.

        Raises:
            UnsupportedError: There is no layer in it with inputs and outputs, such as ``Linear``.
            ShapeError: The sample does not fit the first layer.
        """
        stages = self.stages()
        layers = describe_layers(stages)
        if len(layers) < 2:
            raise UnsupportedError(
                f"{type(self).__name__}.describe: it holds no layer with inputs and outputs, such as nn.Linear"
            )
        if sample is not None:
            outputs = layer_outputs(self, [stage for stage in stages if is_layer(stage)], sample)
            for layer, output in zip(layers, outputs, strict=True):
                layer["output"] = output if output is not None and output.size == layer["units"] else None
        return {"name": type(self).__name__, "layers": layers}

    def stages(self) -> list[Any]:
        """Return the modules, and where known the activation functions or their names between them, in order."""
        return [self] if is_layer(self) else [module for module in self.modules() if module is not self]

    def title(self) -> str:
        """Return a heading for tables and pictures."""
        return type(self).__name__

    def summary(self) -> Summary:
        """Return a table of the modules that hold parameters: their shapes and how many numbers they train."""
        count = sum(p.size for p in self.parameters())
        return summarise(self.title(), list(self.named_modules()), self.stages(), count)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({sum(p.size for p in self.parameters()):,} parameters)"


def _children(item: Any) -> list[tuple[Any, Any]] | None:
    """Return the named children of a module or a container, None for anything else."""
    if isinstance(item, Module):
        return list(item.members())
    if isinstance(item, list | tuple):
        return list(enumerate(item))
    if isinstance(item, dict):
        return list(item.items())
    return None
