"""The kernel: a program as NumPy code that writes into buffers made once, and in blocks that stay in cache."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import COPY, SUM_PRODUCT, Term
from tinygrad_mlp.rewrite.terms import evaluate

from .buffers import Arena
from .runtime import ROUTINES
from .schedule import PRODUCTS, Block, is_elementwise
from .source import TAKEN, Names
from .writing import SIGNS, UFUNCS, WRITERS, dtype_text, expression, is_literal, literal

VIEWS = frozenset((ops.transpose, ops.reshape, ops.broadcast_to, ops.getitem))
REDUCERS = {
    ops.sum: "add", ops.prod: "multiply", ops.max: "maximum", ops.min: "minimum", ops.any: "logical_or",
    ops.all: "logical_and",
}  # fmt: skip


class Kernel:
    """The code of a program.

    Args:
        inputs: The terms that it is called with.
        plan: What ``schedule`` gave.
        roots: The terms that it returns; each is an array of its own, unless it is overwritten in ``donated``.
        guards: Conditions, with what they have to give; else the kernel returns None.
        donated: For terms, by ``id``, the input whose memory their result takes.

    Attributes:
        text: The code: a function ``make(…)`` of ``constants`` that returns the kernel with buffers of its own.
        constants: Arrays and generators that the code refers to, by name.
        nbytes: The bytes of the buffers.
    """

    def __init__(
        self,
        inputs: Sequence[Term],
        plan: Sequence[Any],
        roots: Sequence[Any],
        guards: Sequence[tuple[Term, bool]] = (),
        donated: dict[int, Term] | None = None,
    ) -> None:
        """Write the code."""
        self.names = Names({*TAKEN, "make", "kernel", "lo", "hi", "arena"})
        self.constants: dict[str, Any] = {}
        self.once: list[str] = []
        self.body: list[str] = []
        self.arena = Arena()
        self._plan = plan
        self._roots = {id(t) for t in roots}
        self._donated = donated or {}
        self._bound: dict[Any, str] = {}
        self._static: set[int] = set()  # terms whose arrays are made once, with the kernel
        self._local: dict[int, str] = {}  # inside of a block, what a term is called there
        self._base: dict[int, Term] = {}  # a view's base
        self._routines: set[str] = set()
        self._number = 0
        self._scratches: dict[str, Term] = {}
        self._places: list[Any] = []
        self._users = _users(plan)
        self._last = self._last_uses(plan, roots)
        for term in inputs:
            self.names.give(term, _short(term.name) or "x")
        arguments = ", ".join(self.names[t] for t in inputs)
        waiting = {id(t): holds for t, holds in guards}
        for term, holds in guards:
            if term.op is None:
                self.body.append(f"if bool({self._text(term)}) is not {holds}: return None")
        for position, step in enumerate(plan):
            self._position = position
            if isinstance(step, Block):
                self._block(step)
            else:
                self._single(step)
            for term in step.terms if isinstance(step, Block) else [step]:
                if id(term) in waiting:
                    self.body.append(f"if {'not ' * waiting[id(term)]}{self._text(term)}: return None")
            self._free(position)
        self.body.append(f"return {self._results(roots)}")
        self.nbytes = self.arena.nbytes
        self.text = self._written(arguments)

    # --------------------------------------------------------------------------------------------------------- lives

    def _last_uses(self, plan: Sequence[Any], roots: Sequence[Any]) -> dict[int, int]:
        """Return by ``id`` of each term the place in the plan of the last step that reads it or a view of it."""
        last: dict[int, int] = {}
        for position, step in enumerate(plan):
            for term in step.terms if isinstance(step, Block) else [step]:
                if not isinstance(step, Block) and self._is_view(term):
                    self._base[id(term)] = self._root(term.inputs[0])
                last[id(term)] = position
                for x in term.inputs:
                    if x is not None:
                        last[id(self._root(x))] = position
        for term in roots:
            last[id(self._root(term))] = len(plan)
        return last

    def _root(self, term: Term) -> Term:
        return self._base.get(id(term), term)

    def _is_view(self, term: Term) -> bool:
        if term.op is ops.getitem:
            index = term.params["index"]
            parts = index if type(index) is tuple else (index,)
            return all(part is None or part is Ellipsis or type(part) in (int, slice) for part in parts)
        return term.op in VIEWS

    def _free(self, position: int) -> None:
        self.arena.release(t for t, last in self._last.items() if last == position)

    def _dies(self, x: Term) -> bool:
        return self._last[id(self._root(x))] == self._position

    # --------------------------------------------------------------------------------------------------------- texts

    def _text(self, x: Any) -> str:
        """Return what a term is called, or the code of a constant."""
        if x is None:
            return "None"
        if id(x) in self._local:
            return self._local[id(x)]
        if x not in self.names:
            if not x.is_constant:
                raise AssertionError(f"{x} is used before it is computed")
            if x.is_number:
                return literal(x.value)
            name = self.names.give(x, x.name or "C")
            value = x.value
            if is_literal(x, 8):
                self.once.append(f"{name} = {literal(value)}")
            else:
                self.constants[name] = value
            self._static.add(id(x))
        return self.names[x]

    def _operands(self, term: Term) -> list[str]:
        """Return what the operands of a ufunc are called; a number that is the same in every call is an array.

        NumPy takes a third of a microsecond to convert a Python number. It casts one to the dtype of the arrays beside
        it, and so do the arrays here.
        """
        dtypes = {x.dtype for x in term.inputs if not x.is_number and x.shape}
        if len(dtypes) != 1:
            return [self._text(x) for x in term.inputs]
        (dtype,) = dtypes
        return [self._as_array(x, dtype) if x.is_number and dtype.kind == "f" else self._text(x) for x in term.inputs]

    def _as_array(self, x: Term, dtype: Any) -> str:
        key = (id(x), dtype)
        if key not in self._bound:
            text = self._text(x)
            name = self._bound[key] = self.names.fresh(f"{x.name or 'c'}_")
            if x.is_constant:
                self.once.append(f"{name} = np.array({text}, {dtype_text(dtype)})")
            else:
                self.body.append(f"{name} = {self._call('np.array')}({text}, {self._dtype(dtype)})")
        return self._bound[key]

    def _dtype(self, dtype: Any) -> str:
        return self._call(dtype_text(dtype))

    def _call(self, function: str) -> str:
        """Return the local name of a function of NumPy."""
        if function not in self._bound:
            self._bound[function] = self.names.fresh(function.removeprefix("np.").replace(".", "_"))
            self.once.insert(0, f"{self._bound[function]} = {function}")
        return self._bound[function]

    def _inline(self, term: Term) -> str:
        if term.op.name in ROUTINES:
            self._routines.add(term.op.name)
        if term.op.random and not isinstance(term.params["rng"], int):
            self.constants[f"rng{id(term.params['rng'])}"] = term.params["rng"]
        if term.op.name not in ROUTINES and not _has_text(term):
            return self._opaque(term)
        return expression(term, self._text)

    def _opaque(self, term: Term) -> str:
        """Return a call of the row itself, where NumPy has nothing like it."""
        name = self.names.fresh(term.op.name)
        op, params = term.op, term.params
        self.constants[name] = lambda *xs: _evaluated(op, xs, params, term.is_number)
        return f"{name}({', '.join(map(self._text, term.inputs))})"

    # --------------------------------------------------------------------------------------------------- single terms

    def _single(self, term: Term) -> None:
        """Write one term."""
        if term.is_number:
            self.body.append(f"{self._name(term)} = {self._inline(term)}")
        elif id(term) in self._base:
            self._view(term)
        elif not term.shape or (self._is_new(term) and id(term) not in self._donated):
            self._new(term)
        else:
            self._into_buffer(term)

    def _new(self, term: Term) -> None:
        """Write a term whose result is an array of its own, or a number."""
        if term.op in UFUNCS and term.op is not ops.power and (term.shape or term.op not in SIGNS):
            xs = self._operands(term)
            self.body.append(f"{self._name(term)} = {self._call(f'np.{UFUNCS[term.op].__name__}')}({', '.join(xs)})")
        elif term.shape and self._has_out(term):
            xs = [self._text(x) for x in term.inputs]
            name = self._name(term)
            self.body.append(f"{name} = {self._call('np.empty')}({term.shape}, {dtype_text(term.dtype)})")
            self.body.append(self._with_out(term, name, xs))
        elif term.op in PRODUCTS and all(self._is_solid(x) for x in term.inputs):
            self._product(term)
        else:
            text = self._inline(term)
            self.body.append(f"{self._name(term)} = {text}")

    def _product(self, term: Term) -> None:
        """Write the sum of products of two arrays of the kernel's own."""
        flat = [self._flat(x, self._text(x)) for x in term.inputs]
        name = self._name(term)
        self.body.append(f"{name} = {self._call('np.dot')}({', '.join(flat)})")
        if term.op is SUM_PRODUCT:
            self._routines.add(term.op.name)
            self.body.append(f"if {name} != {name}: {name} = sum_product({', '.join(flat)})")

    def _name(self, term: Term) -> str:
        return self.names[term] if term in self.names else self.names.give(term, _short(term.name) or "t")

    def _is_new(self, term: Term) -> bool:
        """Return whether a term makes an array of its own: a result, or what has no ``out=``."""
        return id(term) in self._roots or not self._has_out(term)

    def _has_out(self, term: Term) -> bool:
        if not term.size:
            return False
        if term.op in UFUNCS or term.op in REDUCERS or term.op is COPY:
            return True
        if term.op is ops.where:
            return _is_masked(term)
        return term.op is ops.matmul and all(x.dtype == term.dtype and x.ndim in (1, 2) for x in term.inputs)

    def _view(self, term: Term) -> None:
        (x,) = term.inputs
        line = f"{self._name(term)} = {self._view_text(term)}"
        if id(x) in self._static and (term.op is not ops.reshape or x.is_constant or self._is_solid(x)):
            self._static.add(id(term))
            self.once.append(line)
        else:
            self.body.append(line)

    def _is_solid(self, x: Term) -> bool:
        """Return whether an array is one of the kernel's own, in C order."""
        while id(x) in self._base and x.op is ops.reshape:
            x = x.inputs[0]
        return self.arena.holds(x)

    def _view_text(self, term: Term) -> str:
        if term.op is ops.reshape and not term.inputs[0].is_number:
            return f"{self._text(term.inputs[0])}.reshape({', '.join(map(str, term.shape)) or '()'})"
        return expression(term, self._text)

    def _into_buffer(self, term: Term) -> None:
        xs = self._operands(term) if term.op in UFUNCS else [self._text(x) for x in term.inputs]
        out = self._out(term)
        self.body.append(self._with_out(term, out, xs))

    def _out(self, term: Term) -> str:
        """Return the name of the array that takes a result: an input's, an operand's that dies here, or a buffer."""
        if id(term) in self._donated:
            name = self.names[self._donated[id(term)]]
            self.names.alias(term, name)
            return name
        name = self._name(term)
        reused = None
        if is_elementwise(term):
            for x in term.inputs:
                same = x is not None and x.shape == term.shape and x.dtype == term.dtype
                if same and self._dies(x) and self.arena.holds(x):
                    reused = x
        line = self.arena.take(term, reused)
        self.once.append(f"{name} = {line}")
        self._static.add(id(term))
        return name

    def _with_out(self, term: Term, out: str, xs: list[str]) -> str:
        """Return the line that computes a term into ``out``."""
        op = term.op
        if op in UFUNCS:
            if op is ops.divide and term.inputs[0].number == 1 and term.inputs[0].is_number and term.dtype.kind == "f":
                return f"{self._call('np.reciprocal')}({xs[1]}, {out})"
            where = f"out={out}" if op in (ops.maximum, ops.minimum) else out  # NumPy refuses it by position there
            return f"{self._call(f'np.{UFUNCS[op].__name__}')}({', '.join(xs)}, {where})"
        if op is COPY:
            return f"{self._call('np.copyto')}({out}, {xs[0]})"
        if op is ops.matmul:
            return f"{self._call('np.dot')}({', '.join(xs)}, {out})"
        if op is ops.where:
            return self._choice(term, out, xs)
        axis, x = term.params["axis"], term.inputs[0]
        plain = term.ndim == 1 or id(term) in self._static
        if (
            op is ops.sum
            and x.ndim == 2
            and len(axis) == 1
            and x.dtype.char in "fd"
            and x.dtype == term.dtype
            and plain
        ):
            ones = self._ones(x.shape[axis[0]], x.dtype)
            flat = out
            if term.ndim == 2:
                flat = self._flat(term, out)
            product = (ones, xs[0]) if axis == (0,) else (xs[0], ones)
            return f"{self._call('np.dot')}({', '.join(product)}, {flat})"
        if op in (ops.max, ops.min) and axis == (0,) and x.ndim == 2 and 1 < x.shape[0] <= 3 and self._is_solid(x):
            return self._pairs(term, out)
        reduce = self._call(f"np.{REDUCERS[op]}.reduce")
        where = axis[0] if len(axis) == 1 else axis
        return f"{reduce}({xs[0]}, {where}, None, {out}, {bool(term.params.get('keepdims'))})"

    def _pairs(self, term: Term, out: str) -> str:
        """Return the line for the extreme of two or three rows, pair by pair, which takes half the time."""
        x = self._text(term.inputs[0])
        rows = [self.names.fresh(f"{x}_row") for _ in range(term.inputs[0].shape[0])]
        self.once.append(f"{', '.join(rows)} = {x}")
        flat, f = self._flat(term, out), self._call(f"np.{REDUCERS[term.op]}")
        lines = [f"{f}({rows[0]}, {rows[1]}, out={flat})", *(f"{f}({flat}, {row}, out={flat})" for row in rows[2:])]
        return "; ".join(lines)

    def _flat(self, term: Term, out: str) -> str:
        name = f"{out}_flat"
        line = f"{name} = {out}.reshape(-1)"
        if line not in self.once:
            self.once.append(line)
        return name

    def _ones(self, n: int, dtype: Any) -> str:
        key = ("ones", n, dtype)
        if key not in self._bound:
            self._bound[key] = self.names.fresh("ones")
            self.once.append(f"{self._bound[key]} = np.ones({n}, {dtype_text(dtype)})")
        return self._bound[key]

    def _choice(self, term: Term, out: str, xs: list[str]) -> str:
        """Return the line for a choice between an array and 0: the bits of the array, masked."""
        routine = "masked" if _is_zero(term.inputs[2]) else "unmasked"
        self._routines.add(routine)
        return f"{routine}({xs[0]}, {xs[1] if routine == 'masked' else xs[2]}, {out})"

    # --------------------------------------------------------------------------------------------------------- blocks

    def _block(self, block: Block) -> None:
        """Write a loop over blocks."""
        inside = {id(t): t for t in block.terms}
        self._number += 1
        prefix = f"b{self._number}_"
        loop: list[str] = []
        local: dict[int, str] = {}
        tail: list[str] = []
        free: dict[Any, list[str]] = {}
        last = {id(x): i for i, t in enumerate(block.terms) for x in t.inputs if x is not None}
        self._local = local
        for term in block.terms:
            for x in term.inputs:
                if x is not None and id(x) not in inside and id(x) not in local and block.crosses(x):
                    name = self._text(x)
                    local[id(x)] = self.names.fresh(f"{name}_part")
                    loop.append(f"{local[id(x)]} = {name}[{block.part(x)}]")
        for i, term in enumerate(block.terms):
            xs = [self._text(x) for x in term.inputs]
            if block.reduces(term):
                loop.append(self._partial(term, xs, block))
                continue
            dying = [x for x in {id(x): x for x in term.inputs if x is not None}.values() if last[id(x)] == i]
            owned = [x for x in dying if id(x) in inside and local[id(x)] in tail]
            if self._escapes(term, block):
                full = self._full(term)
                part = self.names.fresh(f"{full}_part")
                loop.append(f"{part} = {full}[{block.part(term)}]")
            else:
                part = self._scratch(term, block, prefix, owned, free, tail)
            local[id(term)] = part
            loop.append(self._in_block(term, part, xs))
            for x in owned:
                if local[id(x)] != part:
                    free.setdefault((x.shape, x.dtype), []).append(local[id(x)])
        n = block.shape[block.axis]
        self.body.append(f"for lo in range(0, {n}, {block.length}):")
        self.body.append(f"    hi = lo + {block.length}")
        if n % block.length:
            self.body.append(f"    if hi > {n}:")
            self.body.extend(f"        {name} = {name}[{block.cut(self._scratches[name])}]" for name in tail)
            self.body.append("        pass")
        self.body.extend(f"    {line}" for line in loop)
        self._local = {}
        self.arena.release(map(id, self._places))
        self._places = []

    def _escapes(self, term: Term, block: Block) -> bool:
        """Return whether a term is needed outside of its block."""
        inside = {id(t) for t in block.terms}
        return (
            id(term) in self._roots
            or id(term) in self._donated
            or any(u not in inside for u in self._users.get(id(term), ()))
        )

    def _full(self, term: Term) -> str:
        """Return the name of the whole array of a term that is computed in blocks."""
        if id(term) in self._donated:
            name = self.names[self._donated[id(term)]]
            self.names.alias(term, name)
        elif id(term) in self._roots:
            name = self._name(term)
            self.body.append(f"{name} = {self._call('np.empty')}({term.shape}, {dtype_text(term.dtype)})")
        else:
            name = self._name(term)
            self.once.append(f"{name} = {self.arena.take(term)}")
            self._static.add(id(term))
        return name

    def _scratch(self, term: Term, block: Block, prefix: str, owned: list[Term], free: Any, tail: list[str]) -> str:
        """Return the name of a piece of memory of the size of a block."""
        for x in owned:
            if x.shape == term.shape and x.dtype == term.dtype:
                return self._local[id(x)]
        waiting = free.get((term.shape, term.dtype))
        if waiting:
            return str(waiting.pop())
        name = self.names.fresh(f"{prefix}{len(tail)}")
        made = self.names.fresh(f"{name}_whole")
        place = _Place(term)
        self._places.append(place)  # released with the block
        self.once.append(f"{made} = {self.arena.take(place, None, block.part_shape(term))}")
        self.body.append(f"{name} = {made}")
        tail.append(name)
        self._scratches[name] = term
        return name

    def _in_block(self, term: Term, out: str, xs: list[str]) -> str:
        if term.op is ops.where and not _is_masked(term):
            return f"{self._call('np.copyto')}({out}, {self._call('np.where')}({', '.join(xs)}))"
        return self._with_out(term, out, xs)

    def _partial(self, term: Term, xs: list[str], block: Block) -> str:
        """Return the line that adds what one block contributes to a reduction."""
        total = self._name(term)
        if term.op in PRODUCTS:
            self.body.append(f"{total} = {dtype_text(term.dtype)}(0)")
            return f"{total} = {total} + {expression(term, self._text)}"
        axis = term.params["axis"]
        where = axis[0] if len(axis) == 1 else axis
        given = f"{xs[0]}, {where}, None, None, {bool(term.params.get('keepdims'))}"
        ufunc = self._call(f"np.{REDUCERS[term.op]}")
        start = {ops.sum: "0", ops.max: "-np.inf", ops.min: "np.inf"}[term.op]
        if not term.shape:
            self.body.append(f"{total} = {dtype_text(term.dtype)}({start})")
            return f"{total} = {ufunc}({total}, {ufunc}.reduce({given}))"
        self.body.append(f"{total} = {self._call('np.full')}({term.shape}, {start}, {dtype_text(term.dtype)})")
        return f"{ufunc}({total}, {ufunc}.reduce({given}), out={total})"

    # --------------------------------------------------------------------------------------------------------- whole

    def _results(self, roots: Sequence[Any]) -> str:
        return "(" + "".join(f"{self._result(t)}, " for t in roots) + ")"

    def _result(self, term: Term) -> str:
        """Return the code of a result: an array that shares no memory with an input or a buffer."""
        text = self._text(term)
        if term.is_number or id(term) in self._donated:
            return text
        shared = term.op is None or id(term) in self._base or id(term) in self._static or not term.shape
        return f"{self._call('np.array')}({text})" if shared else text

    def _written(self, arguments: str) -> str:
        if self.arena.nbytes:
            self._routines.add("aligned")
        head = [
            inspect.getsource(ROUTINES[n]).replace(": Any", "").replace(" -> Any", "") for n in sorted(self._routines)
        ]
        lines = ["import math", "", "import numpy as np", "", "", *head, f"def make({', '.join(self.constants)}):"]
        if self.arena.nbytes:
            lines.append(f"    arena = aligned({self.arena.nbytes})")
        lines += [f"    {line}" for line in self.once]
        lines += [
            "",
            f"    def kernel({arguments}):",
            *(f"        {line}" for line in self.body),
            "",
            "    return kernel",
        ]
        return "\n".join(lines) + "\n"


def _users(plan: Sequence[Any]) -> dict[int, list[int]]:
    """Return by ``id`` of each term the terms that read it."""
    found: dict[int, list[int]] = {}
    for step in plan:
        for term in step.terms if isinstance(step, Block) else [step]:
            for x in term.inputs:
                if x is not None:
                    found.setdefault(id(x), []).append(id(term))
    return found


def _short(name: str) -> str:
    return name


def _has_text(term: Term) -> bool:
    """Return whether NumPy, or a routine, does what a term does."""
    if term.is_number:
        return term.op in UFUNCS or term.op in (ops.where, ops.negative)
    return term.op in UFUNCS or term.op in WRITERS or term.op is ops.power


def _evaluated(op: Any, xs: Any, params: dict[str, Any], number: bool) -> Any:
    """Return what a row gives on numbers and arrays."""
    y = evaluate(op, xs, params)
    return float(y) if number and type(y) is not bool else y


def _is_zero(x: Any) -> bool:
    return x.is_number and x.is_constant and x.value == 0


def _is_masked(term: Term) -> bool:
    """Return whether a choice is between an array and 0, such that bits can be masked."""
    condition, a, b = term.inputs
    if condition.is_number or condition.dtype != np.dtype(bool) or condition.shape != term.shape:
        return False
    x = a if _is_zero(b) else b if _is_zero(a) else None
    return x is not None and x.shape == term.shape and x.dtype == term.dtype and x.dtype.char in "fd"


class _Place:
    """Memory that no single term owns: scratch of a block."""

    def __init__(self, term: Term) -> None:
        self.dtype = term.dtype
        self.shape = term.shape
