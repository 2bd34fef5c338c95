"""Products of matrices and sums of products: what BLAS computes in one pass, and what to multiply by first."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import DOT, Program, Term, ordered, uses


def products_by_blas(program: Program, roots: Sequence[Any]) -> list[Any]:
    """Return terms equal to ``roots``: sums of products are dot products, and numbers multiply the smallest matrix."""
    order = ordered(roots)
    count = uses(order, roots)
    new: dict[int, Term] = {}
    for term in order:
        inputs = tuple(x if x is None else new[id(x)] for x in term.inputs)
        made = _dot(program, term, new, count)
        if made is None:
            made = _scaled(program, term, new, count)
        if made is None:
            made = _turned(program, term, new, count)
        if made is None:
            same = all(x is y for x, y in zip(inputs, term.inputs, strict=True))
            made = term if same else program.put(term.op, inputs, term.params)
        if made is not term:
            made.inner = term.inner
            if term.name and made.op is not None and not made.name:
                made.name = term.name
        new[id(term)] = made
    return [new[id(root)] for root in roots]


def _dot(program: Program, term: Term, new: dict[int, Term], count: Counter[int]) -> Any:
    """Return the sum of all elements of a product, used once, as a dot product."""
    if term.op is not ops.sum or term.shape or not term.inputs[0].ndim:
        return None
    x = term.inputs[0]
    if (x.op is not ops.multiply and x.op is not ops.square) or count[id(x)] > 1 or x.dtype.char not in "fd":
        return None
    if not all(y.shape == x.shape and y.dtype == x.dtype for y in x.inputs):
        return None
    a, b = (x.inputs * 2)[:2]
    return program.put(DOT, (new[id(a)], new[id(b)]), {}, (term.shape, term.dtype))


def _turned(program: Program, term: Term, new: dict[int, Term], count: Counter[int]) -> Any:
    """Return ``(A B)ᵀ``, the product used once, as ``Bᵀ Aᵀ``: in BLAS these are flags, and the result is in order."""
    x = term.inputs[0] if term.op is ops.transpose else None
    if x is None or x.op is not ops.matmul or count[id(x)] > 1 or any(y.ndim != 2 for y in x.inputs):
        return None
    a, b = (program.make(ops.transpose, new[id(y)], axes=(1, 0)) for y in x.inputs)
    return program.put(ops.matmul, (b, a), {}, (term.shape, term.dtype))


def _scaled(program: Program, term: Term, new: dict[int, Term], count: Counter[int]) -> Any:
    """Return ``c (A B)``, the product used once, as ``A (c B)`` where a factor is less than half as large."""
    if term.op is not ops.multiply:
        return None
    for number, product in (term.inputs, term.inputs[::-1]):
        if number.shape or product.op is not ops.matmul or count[id(product)] > 1 or product.dtype != term.dtype:
            continue
        a, b = product.inputs
        least = min(a, b, key=lambda x: x.size)
        if product.ndim == 2 and least.ndim == 2 and 2 * least.size < product.size and least.dtype == term.dtype:
            smaller = program.make(ops.multiply, new[id(number)], new[id(least)])
            factors = tuple(smaller if x is least else new[id(x)] for x in (a, b))
            return program.put(ops.matmul, factors, {}, (term.shape, term.dtype))
    return None
