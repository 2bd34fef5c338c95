"""Sums of products: what BLAS computes in one pass instead of an array of products and its sum."""

from collections.abc import Sequence
from typing import Any

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import DOT, Program, Term, ordered, uses


def products_summed(program: Program, roots: Sequence[Any]) -> list[Any]:
    """Return terms equal to ``roots`` in which the sum of all elements of a product, used once, is a dot product."""
    order = ordered(roots)
    count = uses(order, roots)
    if not any(_is_summed(term, count) for term in order):
        return list(roots)
    new: dict[int, Term] = {}
    for term in order:
        if term.op is None or all(x is None or new[id(x)] is x for x in term.inputs):
            new[id(term)] = term
        else:
            new[id(term)] = program.put(term.op, tuple(x if x is None else new[id(x)] for x in term.inputs), term.params)
        if _is_summed(term, count):
            product = term.inputs[0]
            a, b = (product.inputs * 2)[:2]
            new[id(term)] = program.put(DOT, (new[id(a)], new[id(b)]), {}, (term.shape, term.dtype))
        made = new[id(term)]
        if term.name and made.op is not None and not made.name:
            made.name = term.name
    return [new[id(root)] for root in roots]


def _is_summed(term: Term, count: Any) -> bool:
    if term.op is not ops.sum or term.shape or not term.inputs[0].ndim:
        return False
    x = term.inputs[0]
    if x.op not in (ops.multiply, ops.square) or count[id(x)] > 1 or x.dtype.char not in "fd":
        return False
    return all(y.shape == x.shape and y.dtype == x.dtype for y in x.inputs)
