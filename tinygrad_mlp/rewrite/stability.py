"""Rules for what overflows as it is written, softmax, sigmoid, their logarithms and gradients, and has a stable form.

They give numbers where the original gives NaN or infinities, and what the original gives, to rounding, elsewhere. Only
where an exponent is +inf, of which there is no softmax, a softmax is NaN throughout, and not just in that place.
"""

from typing import Any

import numpy as np

from tinygrad_mlp import ops

from .ruling import addends, both_ways, combined, instead, is_, is_float, is_one, rule, signed
from .terms import Program, Term, freeze

# ---------------------------------------------------------------------------------------------------------- logarithms


@rule("log of softmax", ops.log, kind="stable")
def _log_softmax(program: Program, x: Term) -> Any:
    """``log(softmax(x))`` is ``log_softmax(x)``, also of a part of it, such as ``Y[rows, labels]``."""
    if is_(x, ops.softmax):
        return program.put(ops.log_softmax, x.inputs, x.params)
    if is_(x, ops.getitem) and is_(x.inputs[0], ops.softmax) and len(x.inputs) == 1:
        y = x.inputs[0]
        return program.put(ops.getitem, (program.put(ops.log_softmax, y.inputs, y.params),), x.params)
    return None


@rule("log of exp", ops.log, kind="stable")
def _log_of_exp(_program: Program, x: Term) -> Any:
    """``log(exp(x))`` is ``x``."""
    return x.inputs[0] if is_(x, ops.exp) and is_float(x.inputs[0]) else None


@rule("log of 1 + exp", ops.log, kind="stable")
def _softplus(program: Program, x: Term) -> Any:
    """``log(1 + exp(x))`` is ``softplus(x)``."""
    e = _beside_one(x)
    return program.make(ops.softplus, e.inputs[0]) if e is not None else None


@rule("log of 1 + exp, as log1p", ops.log1p, kind="stable")
def _softplus_of_log1p(program: Program, x: Term) -> Any:
    """``log1p(exp(x))`` is ``softplus(x)``."""
    return program.make(ops.softplus, x.inputs[0]) if is_(x, ops.exp) and is_float(x.inputs[0]) else None


@rule("log of a sum of exp", ops.log, kind="stable")
def _logsumexp(program: Program, x: Term) -> Any:
    """``log(Σ exp(x))`` is ``logsumexp(x)``."""
    e: Any = x.inputs[0] if is_(x, ops.sum) else None
    if is_(e, ops.exp) and is_float(e.inputs[0]) and not e.is_number:
        return program.put(ops.logsumexp, e.inputs, x.params)
    return None


@rule("log of sigmoid", ops.log, kind="stable")
def _log_sigmoid(program: Program, x: Term) -> Any:
    """``log(σ(x))`` is ``log_sigmoid(x)``, and ``log(1 - σ(x))`` is ``log_sigmoid(-x)``."""
    if is_(x, ops.sigmoid) and is_float(x.inputs[0]):
        return program.make(ops.log_sigmoid, x.inputs[0])
    h: Any = x.inputs[1] if is_(x, ops.subtract) and is_one(x.inputs[0]) else None
    if is_(h, ops.sigmoid) and is_float(h.inputs[0]):
        return program.make(ops.log_sigmoid, program.make(ops.negative, h.inputs[0]))
    return None


@rule("exp of log softmax", ops.exp)
def _exp_of_log(program: Program, x: Term) -> Any:
    """``exp(log_softmax(x))`` is ``softmax(x)``."""
    return program.put(ops.softmax, x.inputs, x.params) if is_(x, ops.log_softmax) else None


def _beside_one(x: Any) -> Any:
    """Return ``e`` of ``1 + e``, where it is a call of exp, else None."""
    if is_(x, ops.add):
        for one, e in both_ways(*x.inputs):
            if is_one(one) and is_(e, ops.exp) and e.shape == x.shape and is_float(e.inputs[0]):
                return e
    return None


# ------------------------------------------------------------------------------------------------------------- softmax


@rule("softmax written out", ops.divide, kind="stable")
def _softmax(program: Program, a: Term, b: Term) -> Any:
    """``exp(x) / Σ exp(x)`` is ``softmax(x)``."""
    axis = _softmax_axis(a, b)
    return None if axis is None else program.make(ops.softmax, a.inputs[0], axis=axis)


def _softmax_axis(e: Term, total: Term) -> Any:
    """Return the axis along which ``total`` is the sum of ``e``, a call of exp, and can divide it; else None."""
    if not (is_(e, ops.exp) and is_(total, ops.sum) and total.inputs[0] is e and e.ndim and is_float(e.inputs[0])):
        return None
    axes = ops.reductions.reduced_axes(total.params.get("axis"), e.ndim)
    return axes[0] if len(axes) == 1 and (total.params.get("keepdims") or axes[0] == 0) else None


@rule("softmax less its maximum", ops.softmax, ops.log_softmax)
def _less_maximum(program: Program, x: Term, axis: int = -1) -> Any:
    """``softmax(x - max(x))`` is ``softmax(x)``, which subtracts the maximum itself."""
    if not is_(x, ops.subtract) or not x.ndim:
        return None
    y, top = x.inputs
    if y.shape != x.shape or not _is_maximum(top, y, axis % x.ndim):
        return None
    return program.put(program.calling, (y,), {"axis": axis})


@rule("logsumexp less its maximum", ops.add, kind="stable")
def _plus_maximum(program: Program, a: Term, b: Term) -> Any:
    """``max(x) + logsumexp(x - max(x))`` is ``logsumexp(x)``."""
    for top, y in both_ways(a, b):
        if not (is_(y, ops.logsumexp) and is_(y.inputs[0], ops.subtract) and top.shape == y.shape):
            continue
        x, inner = y.inputs[0].inputs
        axes = ops.reductions.reduced_axes(y.params.get("axis"), x.ndim)
        if x.shape == y.inputs[0].shape and all(_is_maximum(m, x, *axes) for m in (top, inner)):
            return program.put(ops.logsumexp, (x,), y.params)
    return None


def _is_maximum(top: Any, x: Term, *axes: int) -> bool:
    """Return whether a term is the maximum of ``x`` over just these axes, in a shape that can be subtracted."""
    if not is_(top, ops.max) or top.inputs[0] is not x:
        return False
    return tuple(sorted(ops.reductions.reduced_axes(top.params.get("axis"), x.ndim))) == tuple(sorted(axes))


@rule("gradient of softmax written out", ops.multiply, kind="stable")
def _softmax_gradient(program: Program, a: Term, b: Term) -> Any:
    """For ``e = exp(x)`` and its sum S, ``e · (p / S + Σ (q / S))`` is ``softmax(x) · (p + Σ q)``."""
    for e, outer in both_ways(a, b):
        parts = addends(outer) if is_(e, ops.exp) and outer.shape == e.shape else []
        for (minus, p), (other, q) in (parts, parts[::-1]) if parts else ():
            total = p.inputs[1] if is_(p, ops.divide) and p.inputs[0].shape == e.shape else e
            axis = _softmax_axis(e, total)
            if axis is None:
                continue
            if not (is_(q, ops.sum) and q.params == total.params):
                continue
            less, part = signed(q.inputs[0])
            if is_(part, ops.divide) and part.inputs[1] is total and part.inputs[0].shape == e.shape:
                whole = program.put(ops.sum, part.inputs[:1], q.params)
                inner = combined(program, [(minus, p.inputs[0]), (other ^ less, whole)])
                return program.make(ops.multiply, program.make(ops.softmax, e.inputs[0], axis=axis), inner)
    return None


@rule("softmax in a product", ops.multiply, kind="stable")
def _softmax_in_product(program: Program, a: Term, b: Term) -> Any:
    """For ``e = exp(x)`` and its sum S, ``e · (w / S)`` is ``softmax(x) · w``."""
    for e, outer in both_ways(a, b):
        minus, q = signed(outer)
        axis = _softmax_axis(e, q.inputs[1]) if is_(q, ops.divide) else None
        if axis is not None:
            y = program.make(ops.multiply, program.make(ops.softmax, e.inputs[0], axis=axis), q.inputs[0])
            return program.make(ops.negative, y) if minus else y
    return None


@rule("log softmax written out", ops.subtract, kind="stable")
def _log_softmax_written(program: Program, x: Term, b: Term) -> Any:
    """``x - logsumexp(x)`` is ``log_softmax(x)``."""
    if not (is_(b, ops.logsumexp) and b.inputs[0] is x and x.ndim and is_float(x)):
        return None
    axes = ops.reductions.reduced_axes(b.params.get("axis"), x.ndim)
    if len(axes) != 1 or not (b.params.get("keepdims") or axes[0] == 0):
        return None
    return program.make(ops.log_softmax, x, axis=axes[0])


@rule("gradient through the maximum of softmax", ops.add, kind="stable")
def _through_maximum(program: Program, a: Term, b: Term) -> Any:
    """The maximum that is subtracted before exp changes nothing: its share, a multiple of ``Σ g = 0``, goes."""
    for g, share in both_ways(a, b):
        if not (is_(share, ops.where) and g.shape == share.shape and share.inputs[2].number == 0):
            continue
        _, part = signed(share.inputs[1])
        total = signed(part.inputs[0] if is_(part, ops.divide) else part)[1]
        if not is_(total, ops.sum) or not is_float(g):
            continue
        if any(total.inputs[0] is x for x in (g, program.make(ops.negative, g))) and _has_no_sum(g, total.params):
            return g
    return None


def _has_no_sum(g: Term, params: Any) -> bool:
    """Return whether a term is ``Y Σt - t`` or ``Y (t - Σ Y t)``, for a softmax Y along the axes summed over."""
    for (minus, y), (other, t) in (addends(g), addends(g)[::-1]) if addends(g) else ():
        for softmax, s in both_ways(*y.inputs) if is_(y, ops.multiply) else ():
            if _is_softmax(softmax, params) and _is_total(s, t, minus ^ other, params):
                return True
    for softmax, inner in both_ways(*g.inputs) if is_(g, ops.multiply) else ():
        for (minus, t), (other, s) in (addends(inner), addends(inner)[::-1]) if addends(inner) else ():
            if minus != other and is_(s, ops.sum) and s.params == params and is_(s.inputs[0], ops.multiply):
                pair = {id(x) for x in s.inputs[0].inputs}
                if pair == {id(t), id(softmax)} and _is_softmax(softmax, params):
                    return True
    return False


def _is_total(s: Term, t: Term, less: bool, params: Any) -> bool:
    """Return whether ``s`` is the sum of ``t``, or of ``-t`` unless ``less``; what is constant was computed already."""
    if s.is_constant and t.is_constant:
        values = np.sum(t.value, axis=params["axis"], keepdims=True)
        return bool(np.allclose(values, s.value if less else np.negative(s.value), rtol=1e-6, atol=0))
    return less and is_(s, ops.sum) and s.inputs[0] is t and bool(s.params == params)


def _is_softmax(y: Term, params: Any) -> bool:
    if not is_(y, ops.softmax) or not y.ndim:
        return False
    return ops.reductions.reduced_axes(params.get("axis"), y.ndim) == (y.params.get("axis", -1) % y.ndim,)


@rule("weights of a softmax", ops.multiply)
def _weighted_softmax(program: Program, a: Term, b: Term) -> Any:
    """``(e / Σ e) · w`` is ``e · (w / Σ e)``, for ``e = exp(x - max(x))``: one operation less on the whole array."""
    for y, w in both_ways(a, b):
        if not (is_(y, ops.divide) and w.ndim == y.ndim and w.shape == y.inputs[1].shape):
            continue
        e, total = y.inputs
        axis = _softmax_axis(e, total)
        if axis is None or not is_(e.inputs[0], ops.subtract):
            continue
        x, top = e.inputs[0].inputs  # the sum is at least 1, so that no quotient overflows
        if _is_maximum(top, x, axis):
            return program.make(ops.multiply, e, program.make(ops.divide, w, total))
    return None


# ------------------------------------------------------------------------------------------------------------- sigmoid


@rule("sigmoid written out", ops.divide, ops.reciprocal, kind="stable")
def _sigmoid(program: Program, *operands: Term) -> Any:
    """``1 / (1 + exp(-x))`` and ``exp(x) / (1 + exp(x))`` are ``σ(x)``."""
    e = _beside_one(operands[-1])
    if e is None:
        return None
    if len(operands) == 1 or is_one(operands[0]):
        return program.make(ops.sigmoid, program.make(ops.negative, e.inputs[0]))
    return program.make(ops.sigmoid, e.inputs[0]) if operands[0] is e else None


@rule("gradient of sigmoid written out", ops.multiply, kind="stable")
def _sigmoid_gradient(program: Program, a: Term, b: Term) -> Any:
    """For ``e = exp(x)``, ``e · (w / (1 + e))`` is ``w · σ(x)``, also with a sum of two such quotients."""
    for e, outer in both_ways(a, b):
        if not is_(e, ops.exp) or outer.shape != e.shape:
            continue
        parts = addends(outer) or [signed(outer)]
        if all(is_(q, ops.divide) and _beside_one(q.inputs[1]) is e for _, q in parts):
            tops = [(minus, q.inputs[0]) for minus, q in parts]
            w = combined(program, tops) if len(tops) == 2 else tops[0][1]
            found = program.make(ops.multiply, w, _share(program, e))
            return program.make(ops.negative, found) if len(tops) == 1 and tops[0][0] else found
    return None


def _share(program: Program, e: Term) -> Term:
    """Return ``e / (1 + e)``, by the sigmoid that is known already."""
    x = e.inputs[0]
    if is_(x, ops.negative):
        return program.make(ops.subtract, 1, program.make(ops.sigmoid, x.inputs[0]))
    return program.make(ops.sigmoid, x)


# ----------------------------------------------------------------------------------------------- quotients that cancel


def _over(program: Program, q: Term, y: Term) -> Any:
    """Return ``t`` of ``t / y``, in the shape of the quotient; None for anything else."""
    if not (is_(q, ops.divide) and q.inputs[1] is y and y.shape == q.shape):
        return None
    t = q.inputs[0]
    if t.is_number and not q.is_number:
        return program.constant(np.broadcast_to(np.asarray(t.value, q.dtype), q.shape)) if t.is_constant else None
    return t if t.shape == q.shape else program.make(ops.broadcast_to, t, shape=q.shape)


def _scattered(program: Program, q: Term, y: Term) -> Any:
    """Return the same as ``_over``, and ``t`` scattered to ``i`` for ``t / y[i]`` scattered to ``i``."""
    if not (is_(q, ops.scatter) and len(q.inputs) == 1 and q.shape == y.shape):
        return _over(program, q, y)
    minus, part = signed(q.inputs[0])
    picked: Any = part.inputs[1] if is_(part, ops.divide) else None
    if not is_(picked, ops.getitem) or picked.inputs[0] is not y:
        return None
    if freeze(picked.params["index"]) != freeze(q.params["index"]):
        return None
    t = _over(program, part, picked)
    if t is None:
        return None
    return program.put(ops.scatter, (program.make(ops.negative, t) if minus else t,), q.params)


@rule("Y · (T / Y)", ops.multiply, kind="stable")
def _cancelled(program: Program, a: Term, b: Term) -> Any:
    """``Y · (T / Y)`` is ``T``, and ``(Y · w) · (T / Y)`` is ``T · w``."""
    for y, outer in both_ways(a, b):
        minus, q = signed(outer)
        t = _scattered(program, q, y)
        if t is None and is_(y, ops.multiply):
            for factor, w in both_ways(*y.inputs):
                over = _over(program, q, factor)
                if over is not None and factor.shape == y.shape:
                    t = program.make(ops.multiply, over, w)
                    break
        if t is not None:
            return instead(program, ops.multiply, program.make(ops.negative, t) if minus else t, a, b)
    return None


@rule("Y · (s + T / Y)", ops.multiply, kind="stable")
def _cancelled_in_sum(program: Program, a: Term, b: Term) -> Any:
    """``Y · (s + T / Y)`` is ``Y · s + T``, and ``Y · (s + w · (T / Y))`` is ``Y · s + w · T``."""
    for y, outer in both_ways(a, b):
        parts = addends(outer)
        for (minus, s), (other, q) in (parts, parts[::-1]) if parts else ():
            t = _scattered(program, q, y)
            for over, w in both_ways(*q.inputs) if t is None and is_(q, ops.multiply) and q.shape == y.shape else ():
                top = _over(program, over, y)
                t = t if top is None else program.make(ops.multiply, w, top)
            if t is not None:
                return combined(program, [(minus, program.make(ops.multiply, y, s)), (other, t)])
    return None


@rule("y z · (a / y + b / z)", ops.multiply, kind="stable")
def _cancelled_twice(program: Program, a: Term, b: Term) -> Any:
    """``(y · z) · (a / y + b / z)`` is ``a · z + b · y``, as in the gradient of a binary cross-entropy."""
    for yz, outer in both_ways(a, b):
        parts = addends(outer) if is_(yz, ops.multiply) else []
        if not parts or any(not is_(q, ops.divide) for _, q in parts):
            continue
        for y, z in both_ways(*yz.inputs):
            (minus, p), (other, q) = parts
            over, under = _over(program, p, y), _over(program, q, z)
            if over is not None and under is not None:
                pairs = [(minus, program.make(ops.multiply, over, z)), (other, program.make(ops.multiply, under, y))]
                return combined(program, pairs)
    return None


@rule("(1 - t) h - t (1 - h)", ops.subtract, ops.add, kind="stable")
def _error(program: Program, a: Term, b: Term) -> Any:
    """``(1 - t) · h - t · (1 - h)`` is ``h - t``, and so is ``(1 - t) · h + t · (h - 1)``."""
    if not (is_(a, ops.multiply) and is_(b, ops.multiply)):
        return None
    less = program.calling is ops.subtract
    for first, second in ((a, b),) if less else both_ways(a, b):
        for rest, h in both_ways(*first.inputs):
            for other, t in both_ways(*second.inputs):
                if _is_difference(rest, None, t) and _is_difference(other, *((None, h) if less else (h, None))):
                    return program.make(ops.subtract, h, t)
    return None


def _is_difference(x: Any, a: Any, b: Any) -> bool:
    """Return whether a term is ``a - b``, where None stands for 1."""
    if not is_(x, ops.subtract):
        return False
    return all(
        is_one(found) if wanted is None else found is wanted for found, wanted in zip(x.inputs, (a, b), strict=True)
    )
