"""Where a loss that is no number came from: the first node of its graph that holds NaN or infinity."""

from typing import Any

import numpy as np

from tinygrad_mlp.graph import NODES, Node, toposort
from tinygrad_mlp.nn import Module

from .metrics import layer_of


def culprit(loss: Node, model: Module) -> str:
    """Return what is the first node, inputs before results, that is not finite, with its layer or parameter."""
    names = {id(p): name for name, p in model.named_parameters()}
    for node in reversed(toposort(loss)):
        for i, x in enumerate(node.inputs):
            if not (type(x) in NODES and x.requires_grad) and not finite(x):
                return f"operand {i} of {node.op.name}{_layer(node, names)}, a constant, holds {_kinds(x)}"
        if not finite(node):
            if node.op is None:
                return _parameter(node, names.get(id(node), node.name or "unnamed"))
            return f"{node.op.name}{_layer(node, names)} gives {_kinds(node)} from finite operands"
    return "no node that records gradients holds it"


def broken_parameter(model: Module) -> str:
    """Return what is wrong with the first parameter that is not finite; empty if all are."""
    for name, p in model.named_parameters():
        if not finite(p):
            return _parameter(p, name)
    return ""


def _parameter(node: Node, name: str) -> str:
    gradient = node._grad
    why = (
        "its last gradient was not finite"
        if gradient is not None and not finite(gradient)
        else "the last step overshot"
    )
    return f"parameter {name} holds {_kinds(node)}: {why}"


def _layer(node: Node, names: dict[int, str]) -> str:
    layer = layer_of(node, names)
    where = "in" if any(id(x) in names for x in node.inputs) else "after"
    return f" {where} layer {layer}" if layer else ""


def finite(x: Any) -> bool:
    """Return whether every number of a node, an array or a number is finite."""
    data = x._payload if type(x) in NODES else x
    return data is None or bool(np.all(np.isfinite(data)))


def _kinds(x: Any) -> str:
    """Return which of nan, inf and -inf occur, and how often."""
    data = np.asarray(x._payload if type(x) in NODES else x)
    counts = {"nan": np.isnan(data).sum(), "inf": np.isposinf(data).sum(), "-inf": np.isneginf(data).sum()}
    found = [f"{n if data.size > 1 else ''} {name}".strip() for name, n in counts.items() if n]
    return " and ".join(found) + (f" among {data.size} numbers" if data.size > 1 else "")
