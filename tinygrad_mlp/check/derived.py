"""What the engine derives, whole: Jacobians by reverse mode and by forward mode, as plain arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp.backward import cotangents
from tinygrad_mlp.graph import GRADIENTS, NODES, recording
from tinygrad_mlp.transforms import push

from .differences import Floats
from .subject import Subject, raw


def jacobians(subject: Subject, outputs: Sequence[Any], rows: Sequence[int] | None = None) -> list[Floats]:
    """Return for each leaf of n elements the Jacobian (m, n) that reverse mode gives, or some of its rows."""
    wanted = None if rows is None else set(rows)
    count_ = len(subject.base) if wanted is None else len(wanted)
    found = [np.zeros((count_, leaf.size)) for leaf in subject.leaves]
    nodes = [leaf.node for leaf in subject.leaves]
    at = row = 0
    with recording(GRADIENTS), np.errstate(all="ignore"):
        for output in outputs:
            shape = np.shape(raw(output))
            seed = np.zeros(shape, raw(output).dtype)
            for index in np.ndindex(*shape):
                if wanted is None or at in wanted:
                    if type(output) in NODES and output.requires_grad:
                        seed[index] = 1.0
                        gradients = cotangents(output, seed if shape else 1.0, to=nodes)
                        seed[index] = 0.0
                        for k, node in enumerate(nodes):
                            if node in gradients:
                                found[k][row] = np.asarray(raw(gradients[node])).reshape(-1)
                    row += 1
                at += 1
    return found


def pushed(subject: Subject) -> list[Floats]:
    """Return for each leaf of n elements the Jacobian (m, n) that forward mode gives."""
    outputs = subject.record()
    found = [np.zeros((len(subject.base), leaf.size)) for leaf in subject.leaves]
    for k, leaf in enumerate(subject.leaves):
        for i in range(leaf.size):
            tangent = np.zeros(leaf.size, leaf.node.dtype)
            tangent[i] = 1.0
            t = 1.0 if type(leaf.node._payload) is float else tangent.reshape(leaf.values.shape)
            parts = [push(y, {leaf.node: t}) if type(y) in NODES and y.requires_grad else None for y in outputs]
            column = [np.zeros(np.shape(raw(y))) if p is None else raw(p) for y, p in zip(outputs, parts, strict=True)]
            found[k][:, i] = np.concatenate([np.asarray(c).reshape(-1) for c in column])
    return found


def projected(outputs: Sequence[Any], u: Sequence[Floats], subject: Subject) -> list[Floats]:
    """Return the gradient of ``Σ u y`` in each leaf."""
    totals = [np.zeros(leaf.values.shape) for leaf in subject.leaves]
    nodes = [leaf.node for leaf in subject.leaves]
    for output, seed in zip(outputs, u, strict=True):
        if type(output) in NODES and output.requires_grad:
            gradients = cotangents(output, seed.astype(output.dtype) if seed.shape else float(seed), to=nodes)
            for total, node in zip(totals, nodes, strict=True):
                if node in gradients:
                    total += np.asarray(raw(gradients[node]))
    return totals
