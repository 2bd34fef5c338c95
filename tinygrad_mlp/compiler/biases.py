"""Biases as one more row of a product of matrices, where rows are few and long.

To add a bias to each row of a (few, long) matrix takes NumPy twice as long as a product of such matrices, and so does
the sum of each row, which is the bias's gradient. With a row of ones below the inputs, and the bias beside the weights,
the products do both.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import BESIDE, COPY, WITH_ONES, Program, Term, ordered, uses

from .layout import FEW, LONG
from .lines import has_out


class Affine(NamedTuple):
    """A product with a bias: ``weights @ inputs + bias``, or minus that."""

    weights: Term
    inputs: Term
    bias: Term
    negated: bool


def biases_by_blas(program: Program, roots: Sequence[Any]) -> list[Any]:
    """Return terms equal to ``roots`` in which products add the biases, and sum their gradients."""
    order = ordered(roots)
    count = uses(order, roots)
    affine = {id(term): found for term in order if (found := _affine(term, count)) is not None}
    if not affine:
        return list(roots)
    work = _Biases(program, affine, count, {id(root) for root in roots})
    for term in order:
        work.add(term, order)
    return [work.new[id(root)] for root in roots]


def _affine(term: Term, count: Any) -> Affine | None:
    """Return the parts of a product with a bias, if it is one, and small."""
    x = term.inputs[0] if term.op is ops.negative else term
    if x.op is not ops.add or x.ndim != 2 or x.shape[1] < LONG or max(x.shape[0], 1) >= FEW:
        return None
    for product, bias in (x.inputs, x.inputs[::-1]):
        if product.op is ops.matmul and count[id(product)] == 1 and bias.shape == (x.shape[0], 1):
            a, b = product.inputs
            if a.ndim == b.ndim == 2 and b.shape[0] < FEW and a.dtype == b.dtype == bias.dtype == x.dtype:
                return Affine(a, b, bias, x is not term)
    return None


class _Biases:
    """The terms, and those that stand for them."""

    def __init__(self, program: Program, affine: dict[int, Affine], count: Any, roots: set[int]) -> None:
        self.program = program
        self.affine = affine
        self.count = count
        self.roots = roots
        self.inner = {id(found.inputs) for found in affine.values()}
        self.new: dict[int, Term] = {}
        self.ones: dict[int, Term] = {}
        self.parts: dict[int, tuple[Term, Any]] = {}  # what is part of a product: the product, and the index

    def add(self, term: Term, order: Sequence[Term]) -> None:
        """Take in a term whose operands are known."""
        made = self._made(term, order) if term.op is not None else term
        self.new[id(term)] = made
        if made is not term and made.op is not None:
            made.inner = term.inner
            made.name = made.name or term.name

    def _made(self, term: Term, order: Sequence[Term]) -> Term:
        """Return what stands for a term."""
        found = self.affine.get(id(term))
        if found is not None:
            beside = self.program.make(
                BESIDE, self.new[id(found.weights)], self.new[id(found.bias)], negated=found.negated
            )
            return self.program.make(ops.matmul, beside, self._with_ones(found.inputs))
        if term.op is ops.matmul and id(term.inputs[0]) in self.inner and term.inputs[1].op is ops.transpose:
            self._split(term, order)
        if id(term) in self.parts:
            return self._part(term)
        if term.op is ops.multiply:
            scaled = self._scaled(term)
            if scaled is not None:
                return scaled
        return self.program.put(term.op, tuple(x if x is None else self.new[id(x)] for x in term.inputs), term.params)

    def _with_ones(self, x: Term) -> Term:
        """Return the inputs of a product with a row of ones below, and let everything else read them there."""
        if id(x) not in self.ones:
            inside = self.new[id(x)]
            if not has_out(inside) or id(x) in self.roots:
                inside = self.program.put(COPY, (inside,), {}, (x.shape, x.dtype))
            self.ones[id(x)] = self.program.make(WITH_ONES, inside)
        return self.ones[id(x)]

    def _split(self, term: Term, order: Sequence[Term]) -> None:
        """Note that a product of inputs and slopes, and the sum of the slopes' rows, are parts of one product."""
        x, slopes = term.inputs[0], term.inputs[1].inputs[0]
        sums = [t for t in order if t.op is ops.sum and t.inputs[0] is slopes and t.params["axis"] == (1,)]
        if id(x) not in self.ones or not sums or sums[0].ndim != 1 or id(slopes) not in self.new:
            return
        whole = self.program.make(ops.matmul, self._with_ones(x), self.new[id(term.inputs[1])])
        self.parts[id(term)] = whole, (slice(0, x.shape[0]),)
        self.parts[id(sums[0])] = whole, (x.shape[0],)

    def _part(self, term: Term) -> Term:
        whole, index = self.parts[id(term)]
        return self.program.make(ops.getitem, whole, index=index)

    def _scaled(self, term: Term) -> Term | None:
        """Return a number times a part, used once, as a part of the number times the whole."""
        for number, x in (term.inputs, term.inputs[::-1]):
            if not number.shape and id(x) in self.parts and self.count[id(x)] == 1 and x.dtype == term.dtype:
                whole, index = self.parts[id(x)]
                product = self.program.make(ops.multiply, self.new[id(number)], whole)
                return self.program.make(ops.getitem, product, index=index)
        return None
