"""One node, or several that were folded, as a record: names, shapes, values and gradients as text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.errors import TinygradError, TracingError
from tinygrad_mlp.graph import Node
from tinygrad_mlp.viz.chain.written import Writer
from tinygrad_mlp.viz.labels import argument, clean, norm, number, shorten, summary
from tinygrad_mlp.viz.records import NodeView, Row

from .closing import Closed
from .naming import Names

UNKNOWN = "known when it runs"  # the value of a node that is being traced
MISSING = "grad: not computed"


class Describer:
    """Makes records of the nodes of one graph.

    Args:
        precision: Significant digits of every number.
        names: What nodes are called.
        graded: Whether a gradient is known anywhere.
        gradients: Those of nodes, instead of what ``backward()`` has left on them.
        writer: Writes what operations compute; None leaves that out.
    """

    def __init__(
        self,
        precision: int,
        names: Names,
        graded: bool,
        gradients: Mapping[Any, Any] | None = None,
        writer: Writer | None = None,
    ) -> None:
        """Keep all."""
        self.precision, self.names, self.graded, self.gradients = precision, names, graded, gradients
        self.writer = writer

    def one(self, key: str, x: Any, is_output: bool) -> NodeView:
        """Return the record of a node or constant."""
        shape, dtype = _form(x)
        value = self._value(lambda: _payload(x))
        single = _single(x)
        if not isinstance(x, Node):
            name = shorten(clean(self.names.of(x)))
            return NodeView(key, "constant", name, shape=shape, dtype=dtype, value=value, number=single)
        leaf = "parameter" if x.requires_grad else "input"
        grad, sign, slope = self._gradient([x])
        return NodeView(
            key,
            leaf if x.op is None else "output" if is_output else "op",
            shorten(clean(self.names.of(x))),
            op=clean(x.op.name) if x.op is not None else "",
            symbol=clean(x.op.symbol) if x.op is not None else "",
            params=self._params(x.params),
            shape=shape,
            dtype=dtype,
            value=value,
            grad=grad,
            sign=sign,
            number=single,
            slope=slope,
            requires_grad=bool(x.requires_grad),
            formula=self.writer.remark(x) if self.writer is not None else "",
            source=clean(x.source),
        )

    def many(self, key: str, members: Sequence[Any], is_output: bool) -> NodeView:
        """Return the record of nodes that are computed alike."""
        nodes = [x for x in members if isinstance(x, Node)]
        first = self.one(key, members[0], is_output)
        grad, _, _ = self._gradient(nodes)
        names = dict.fromkeys(name for name in map(self.names.of, members[:1000]) if name)
        few = ", ".join(list(names)[:3]) + (", …" if len(names) > 3 else "")
        return NodeView(
            key,
            first.kind,
            clean(next(iter(names))) if len(names) == 1 else "",
            op=first.op,
            symbol=first.symbol,
            params=first.params if len({repr(x.params) for x in nodes[:1000]}) == 1 else "",
            shape=first.shape,
            dtype=first.dtype,
            value=self._value(lambda: _joined([_payload(x) for x in members])),
            grad=grad,
            requires_grad=any(x.requires_grad for x in nodes),
            count=len(members),
            lines=(Row(shorten(clean(few), 40)),) if len(names) > 1 else (),
        )

    def module(self, key: str, members: Sequence[Any], which: Closed) -> NodeView:
        """Return the record of a module, or of several alike, shown as one node."""
        nodes = [x for x in members if isinstance(x, Node)]
        count = sum(1 for x in nodes if x.op is not None)
        trained = sum({frame.scope.path: frame.scope.parameters for frame in which.frames}.values())  # not once a call
        lines = [shorten(clean(which.where), 40), f"{count:,} operation{'s' * (count != 1)}"]
        if trained:
            lines.append(f"{trained:,} parameter{'s' * (trained != 1)}")
        leaves = [x for x in nodes if x.op is None and x.requires_grad]
        grad = self._gradient(leaves)[0] if leaves else ""
        return NodeView(
            key,
            "group",
            shorten(clean(which.title), 40),
            grad=grad,
            requires_grad=any(x.requires_grad for x in nodes),
            count=1,
            lines=tuple(Row(line) for line in lines if line),
        )

    def _value(self, read: Callable[[], Any]) -> str:
        try:
            data = read()
        except TracingError:
            return UNKNOWN
        try:
            return summary(data, self.precision)
        except (TypeError, ValueError, TinygradError):
            return clean(shorten(argument(data, self.precision)))  # no number: a slice, a list, a generator

    def _gradient(self, nodes: Sequence[Node]) -> tuple[str, int, float | None]:
        """Return the text of a gradient, its sign and number; no text where none can be, or where it was not kept."""
        nodes = [x for x in nodes if x.requires_grad]
        if not nodes:
            return "", 0, None
        find = gradient_of if self.gradients is None else self.gradients.get
        grads = [g for g in map(find, nodes) if g is not None]
        if len(grads) < len(nodes):
            # backward() keeps the gradients of leaves: one note says so, instead of a line on every inner node.
            return ("", 0, None) if self.graded and nodes[0].op is not None else (MISSING, 0, None)
        grad = grads[0]
        if len(grads) == 1 and np.size(grad) == 1:
            g = float(np.asarray(grad).reshape(-1)[0])
            text = f"grad {number(g, self.precision, signed=True)}"
            return text, 0 if np.isnan(g) else int(np.sign(g)), g
        size = norm(grad if len(grads) == 1 else _joined(grads))
        return f"grad norm {number(size, self.precision)}", 0, None

    def _params(self, params: dict[str, Any]) -> str:
        shown = {name: x for name, x in params.items() if x is not None and x is not False}
        return shorten(clean(", ".join(f"{name}={argument(x, self.precision)}" for name, x in shown.items())), 48)


def gradient_of(node: Node) -> Any:
    """Return the gradient that ``backward()`` left on a node, as a number or array; None if there is none."""
    grad = getattr(node, "grad", None)
    return _payload(grad) if isinstance(grad, Node) else grad


def is_graded(nodes: Sequence[Any]) -> bool:
    """Return whether ``backward()`` has left a gradient on a leaf, or on the output, which is the first."""
    leaves = (x for i, x in enumerate(nodes) if isinstance(x, Node) and (x.op is None or not i))
    return any(gradient_of(x) is not None for x in leaves)


def _payload(x: Any) -> Any:
    return x.data if isinstance(x, Node) else x  # type: ignore[attr-defined]


def _joined(values: Sequence[Any]) -> Any:
    """Return the elements of several numbers or arrays in one array."""
    if all(type(value) is float for value in values):
        return np.array(values)
    return np.concatenate([np.ravel(np.asarray(value)) for value in values])


def _single(x: Any) -> float | None:
    """Return a number as it is, None for anything with several elements or none."""
    try:
        data = _payload(x)
        return float(data) if np.shape(data) == () and np.asarray(data).dtype.kind in "biuf" else None
    except (TracingError, TypeError, ValueError):
        return None


def _form(x: Any) -> tuple[tuple[int, ...], str]:
    shape = tuple(getattr(x, "shape", ()))
    return shape, clean(getattr(x, "dtype", "")) if shape else ""
