"""The lines of a kernel for single terms: into a buffer, into a new array, or as a view."""

from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import BESIDE, COPY, SUM_PRODUCT, WITH_ONES, Term

from .code import POOLED, Code
from .schedule import PRODUCTS
from .writing import UFUNCS, dtype_text, is_elementwise

REDUCERS = {
    ops.sum: "add", ops.prod: "multiply", ops.max: "maximum", ops.min: "minimum", ops.any: "logical_or",
    ops.all: "logical_and",
}  # fmt: skip


SHORT, MANY = 8, 4096  # elements of a row, and of all


def write(code: Code, term: Term) -> None:
    """Write the lines that compute a term."""
    if term.is_number:
        code.body.append(f"{code.name(term)} = {code.inline(term)}")
    elif code.is_view(term):
        _write_view(code, term)
    elif term.op is WITH_ONES:
        code.static.add(id(term))  # its operand was written into it
    elif id(term) in code.donated or (has_out(term) and term.shape and id(term) not in code.roots):
        xs = operands(code, term)
        code.body.append(with_out(code, term, _out(code, term), xs))
    else:
        _write_new(code, term)


def operands(code: Code, term: Term) -> list[str]:
    """Return what the operands of a term are called."""
    if term.op is BESIDE:
        return [code.text(term.inputs[0]), code.text(_column(term))]
    return code.operands(term) if term.op in UFUNCS else [code.text(x) for x in term.inputs]


def _column(beside: Term) -> Term:
    """Return what is put beside a matrix: an array of one axis as it is, before it is made a column."""
    bias: Term = beside.inputs[1]
    column: Term = bias.inputs[0] if bias.op is ops.reshape and bias.inputs[0].ndim == 1 else bias
    return column


def _write_view(code: Code, term: Term) -> None:
    (x,) = term.inputs
    readers = code.readers.get(id(term))
    if readers and id(term) not in code.roots and all(r.op is BESIDE and _column(r) is x for r in readers):
        return
    line = f"{code.name(term)} = {code.view(term)}"
    if id(x) in code.static and (term.op is not ops.reshape or x.is_constant or code.is_solid(x)):
        code.static.add(id(term))
        code.once.append(line)
    else:
        code.body.append(line)


def _write_new(code: Code, term: Term) -> None:
    """Write a term whose result is an array of its own, or a number of NumPy's."""
    if term.shape and has_out(term) and (term.nbytes >= POOLED or term.op not in UFUNCS):
        xs = operands(code, term)
        code.body.append(f"{code.name(term)} = {code.fresh(term)}")
        code.body.append(with_out(code, term, code.name(term), xs))
    elif term.shape and term.op in UFUNCS and term.op is not ops.power:
        xs = operands(code, term)
        code.body.append(f"{code.name(term)} = {code.call(f'np.{UFUNCS[term.op].__name__}')}({', '.join(xs)})")
    elif term.op in PRODUCTS and all(code.is_solid(x) for x in term.inputs):
        _write_product(code, term)
    else:
        text = code.inline(term)
        code.body.append(f"{code.name(term)} = {text}")


def _write_product(code: Code, term: Term) -> None:
    """Write the sum of products of two buffers."""
    flat = ", ".join(code.flat(x) for x in term.inputs)
    name = code.name(term)
    code.body.append(f"{name} = {code.call('np.dot')}({flat})")
    if term.op is SUM_PRODUCT:
        code.body.append(f"if {name} != {name}: {name} = {code.routine(term.op.name)}({flat})")


def _out(code: Code, term: Term) -> str:
    """Return the name of the array that takes a result: an input's, an operand's that dies here, or a buffer."""
    if id(term) in code.donated:
        name = code.names[code.donated[id(term)]]
        code.names.alias(term, name)
        return name
    if id(term) in code.above_ones:
        return _above_ones(code, term)
    reused = None
    if is_elementwise(term):
        for x in term.inputs:
            same = x is not None and x.shape == term.shape and x.dtype == term.dtype
            if same and code.dies(x) and code.arena.holds(x):
                reused = x
    name = code.name(term)
    code.once.append(f"{name} = {code.arena.take(term, reused)}")
    code.static.add(id(term))
    return name


def _above_ones(code: Code, term: Term) -> str:
    """Return the name of the rows above a row of ones, which only the first line of a kernel writes."""
    both = code.above_ones[id(term)]
    rows = term.shape[0]
    code.once.append(f"{code.name(both)} = np.ones({both.shape}, {dtype_text(term.dtype)})")
    name = code.name(term)
    code.once.append(f"{name} = {code.name(both)}[:{rows}]")
    code.static.add(id(term))
    return name


def _beside(code: Code, term: Term, out: str, xs: list[str]) -> str:
    """Return the lines that put a column beside a matrix, both negated if that is wanted."""
    n = term.shape[1] - 1
    column = f"{n}:" if _column(term) is term.inputs[1] else f"{n}"
    parts = [code.bound((out, part), f"{out}_part", f"{out}[:, {part}]") for part in (f":{n}", column)]
    if term.params["negated"]:
        f = code.call("np.negative")
        return "; ".join(f"{f}({x}, {part})" for x, part in zip(xs, parts, strict=True))
    return "; ".join(f"{code.call('np.copyto')}({part}, {x})" for x, part in zip(xs, parts, strict=True))


def has_out(term: Term) -> bool:
    """Return whether there is a line that computes a term into an array that is given."""
    if not term.size:
        return False
    if term.op in UFUNCS or term.op in REDUCERS or term.op in (COPY, BESIDE, WITH_ONES):
        return True
    if term.op is ops.where:
        return is_masked(term)
    return term.op is ops.matmul and all(x.dtype == term.dtype and x.ndim in (1, 2) for x in term.inputs)


def with_out(code: Code, term: Term, out: str, xs: list[str]) -> str:
    """Return the line that computes a term into the array ``out``, from operands of the names ``xs``."""
    op = term.op
    if op in UFUNCS:
        if op is ops.divide and term.inputs[0].number == 1 and term.inputs[0].is_number and term.dtype.kind == "f":
            return f"{code.call('np.reciprocal')}({xs[1]}, {out})"
        where = f"out={out}" if op in (ops.maximum, ops.minimum) else out  # NumPy refuses it by position there
        return f"{code.call(f'np.{UFUNCS[op].__name__}')}({', '.join(xs)}, {where})"
    if op is BESIDE:
        return _beside(code, term, out, xs)
    if op is COPY:
        return f"{code.call('np.copyto')}({out}, {xs[0]})"
    if op is ops.matmul:
        return f"{code.call('np.dot')}({', '.join(xs)}, {out})"
    if op is ops.where and not is_masked(term):
        return f"{code.call('np.copyto')}({out}, {code.call('np.where')}({', '.join(xs)}))"
    if op is ops.where:
        routine = code.routine("masked" if is_zero(term.inputs[2]) else "unmasked")
        return f"{routine}({xs[0]}, {xs[1] if routine == 'masked' else xs[2]}, {out})"
    return _reduction(code, term, out, xs[0])


def _reduction(code: Code, term: Term, out: str, x: str) -> str:
    """Return the line of a reduction; sums of columns or rows go through BLAS, in half the time."""
    op, axis, operand = term.op, term.params["axis"], term.inputs[0]
    inside = bool(code.local)  # of a block, where ``out`` and ``x`` are parts of arrays
    buffered = term.ndim == 1 or inside or code.is_solid(term)
    flat = buffered and operand.ndim == 2 and len(axis) == 1
    if flat and op is ops.sum and term.dtype.char in "fd" and operand.dtype == term.dtype:
        ones = code.ones(operand.shape[axis[0]], term.dtype)
        product = f"{ones}, {x}" if axis == (0,) else f"{x}, {ones}"
        return f"{code.call('np.dot')}({product}, {_flat(code, term, out, inside)})"
    few = not inside and axis == (0,) and 1 < operand.shape[0] <= 3 and id(operand) in code.static
    if flat and few and op in (ops.max, ops.min):
        return _pairs(code, term, out)
    short = axis == (operand.ndim - 1,) and 2 <= operand.shape[-1] <= SHORT and operand.size >= MANY
    if short and op in (ops.sum, ops.max, ops.min) and operand.dtype == term.dtype != np.float16:
        return _columns(code, term, out, x)
    where = axis[0] if len(axis) == 1 else axis
    reduce = code.call(f"np.{REDUCERS[op]}.reduce")
    return f"{reduce}({x}, {where}, None, {out}, {bool(term.params.get('keepdims'))})"


def _columns(code: Code, term: Term, out: str, x: str) -> str:
    """Return the line that reduces rows of a few elements column by column, which takes a tenth of the time."""
    f = code.call(f"np.{REDUCERS[term.op]}")
    to = f"{out}[..., 0]" if term.params.get("keepdims") else out
    columns = [f"{x}[..., {i}]" for i in range(term.inputs[0].shape[-1])]
    lines = [f"{f}({columns[0]}, {columns[1]}, out={to})", *(f"{f}({to}, {c}, out={to})" for c in columns[2:])]
    return "; ".join(lines)


def _flat(code: Code, term: Term, out: str, inside: bool) -> str:
    """Return the result of a reduction as an array of one axis."""
    if term.ndim == 1:
        return out
    return f"{out}.reshape(-1)" if inside else code.flat(term)


def _pairs(code: Code, term: Term, out: str) -> str:
    """Return the line for the extreme of two or three rows, pair by pair, which takes half the time."""
    x = code.text(term.inputs[0])
    rows = [code.bound((x, i), f"{x}_row", f"{x}[{i}]") for i in range(term.inputs[0].shape[0])]
    flat = out if term.ndim == 1 else code.flat(term)
    f = code.call(f"np.{REDUCERS[term.op]}")
    lines = [f"{f}({rows[0]}, {rows[1]}, out={flat})", *(f"{f}({flat}, {row}, out={flat})" for row in rows[2:])]
    return "; ".join(lines)


def is_zero(x: Any) -> bool:
    """Return whether a term is the number 0."""
    return bool(x.is_number and x.is_constant and x.value == 0 and str(x.value) != "-0.0")


def is_masked(term: Term) -> bool:
    """Return whether a choice is between an array and 0, such that the array's bits can be masked."""
    condition, a, b = term.inputs
    if condition.is_number or condition.dtype != np.dtype(bool) or condition.shape != term.shape or not term.shape:
        return False
    x = a if is_zero(b) else b if is_zero(a) else None
    return x is not None and x.shape == term.shape and x.dtype == term.dtype and x.dtype.char in "fd"
