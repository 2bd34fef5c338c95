"""The lines of a kernel for blocks: a loop in which short pieces of long arrays stay in cache."""

from typing import Any

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import SUM_PRODUCT, Term

from .code import Code
from .lines import REDUCERS, operands, with_out
from .schedule import PRODUCTS, Block
from .writing import dtype_text


def write_block(code: Code, block: Block) -> None:
    """Write the loop of a block."""
    _Loop(code, block).write()


class _Scratch:
    """Memory of the size of a block, which one term after the other uses."""

    def __init__(self, term: Term) -> None:
        self.dtype = term.dtype
        self.shape = term.shape
        self.ndim = term.ndim


class _Loop:
    """One loop while it is written."""

    def __init__(self, code: Code, block: Block) -> None:
        self.code = code
        self.block = block
        self.inside = {id(t) for t in block.terms}
        self.lines: list[str] = []
        self.scratch: dict[str, _Scratch] = {}
        self.tails: list[str] = []  # what the last block, which may be shorter, needs before it runs
        self.free: dict[Any, list[str]] = {}
        self.at = 0
        self.last = {id(x): i for i, t in enumerate(block.terms) for x in t.inputs if x is not None}

    def write(self) -> None:
        """Write everything: whole arrays before the loop, parts of them inside."""
        code, block = self.code, self.block
        for term in block.terms:
            for x in term.inputs:
                if x is not None and id(x) not in self.inside and id(x) not in code.local and block.crosses(x):
                    code.local[id(x)] = self._part_of(code.text(x), x)
        for self.at, term in enumerate(block.terms):
            self._term(self.at, term)
        n = block.shape[block.axis]
        code.body.append(f"for lo in range(0, {n}, {block.length}):")
        code.body.append(f"    hi = lo + {block.length}")
        self.tails += [f"{name} = {name}[{block.cut(place)}]" for name, place in self.scratch.items()]
        if n % block.length and self.tails:
            code.body.append(f"    if hi > {n}:")
            code.body.extend(f"        {line}" for line in self.tails)
        code.body.extend(f"    {line}" for line in self.lines)
        code.local.clear()
        code.arena.release([id(place) for place in self.scratch.values()])

    def _part_of(self, name: str, x: Term) -> str:
        part = self.code.names.fresh(f"{name}_part")
        self.lines.append(f"{part} = {name}[{self.block.part(x)}]")
        return part

    def _term(self, i: int, term: Term) -> None:
        """Write one term of the block."""
        code, block = self.code, self.block
        xs = self._operands(term)
        if block.reduces(term):
            self.lines.append(self._partial(term, xs))
            return
        owned = [x for x in _distinct(term.inputs) if self.last[id(x)] == i and code.local.get(id(x)) in self.scratch]
        owned = [x for x in owned if id(x) in self.inside]
        part = self._part_of(self._whole(term), term) if self._escapes(term) else self._place(term, owned)
        code.local[id(term)] = part
        self.lines.append(with_out(code, term, part, xs))
        for x in owned:
            if code.local[id(x)] != part:
                self.free.setdefault((x.shape, x.dtype), []).append(code.local[id(x)])

    def _operands(self, term: Term) -> list[str]:
        """Return what the operands of a term are called; numbers beside a maximum are arrays of a block's shape."""
        code, block = self.code, self.block
        xs = operands(code, term)
        if term.op not in (ops.maximum, ops.minimum) or term.dtype.kind != "f" or term.shape != block.shape:
            return xs
        for i, x in enumerate(term.inputs):
            if x.is_number and x.is_constant:
                full = code.full(x, term, block.part_shape(term))
                xs[i] = code.names.fresh("full")
                code.body.append(f"{xs[i]} = {full}")
                self.tails.append(f"{xs[i]} = {xs[i]}[{block.cut(_Scratch(term))}]")
        return xs

    def _escapes(self, term: Term) -> bool:
        """Return whether a term is needed outside of its block."""
        code = self.code
        if id(term) in code.roots or id(term) in code.donated:
            return True
        return not code.users.get(id(term), set()) <= self.inside

    def _whole(self, term: Term) -> str:
        """Return the name of the whole array of a term that is computed in parts."""
        code = self.code
        if id(term) in code.donated:
            name = code.names[code.donated[id(term)]]
            code.names.alias(term, name)
            return name
        name = code.name(term)
        if id(term) in code.roots:
            code.body.append(f"{name} = {code.fresh(term)}")
        else:
            code.once.append(f"{name} = {code.arena.take(term, self._dying(term))}")
            code.static.add(id(term))
        return name

    def _dying(self, term: Term) -> Term | None:
        """Return an array from outside whose memory a term may take: no later line, and no later step, reads it."""
        code = self.code
        for x in _distinct([x for t in self.block.terms[: self.at + 1] for x in t.inputs]):
            same = x.shape == term.shape and x.dtype == term.dtype and id(x) not in self.inside
            if same and code.dies(x) and code.arena.holds(x) and self.last[id(x)] <= self.at:
                return x
        return None

    def _place(self, term: Term, owned: list[Term]) -> str:
        """Return the name of scratch memory for a term: an operand's that is not read again, free, or new."""
        code = self.code
        for x in owned:
            if x.shape == term.shape and x.dtype == term.dtype:
                return code.local[id(x)]
        waiting = self.free.get((term.shape, term.dtype))
        if waiting:
            return waiting.pop()
        whole, name = code.names.fresh("scratch"), code.names.fresh("part")
        self.scratch[name] = place = _Scratch(term)
        code.once.append(f"{whole} = {code.arena.take(place, None, self.block.part_shape(term))}")
        code.body.append(f"{name} = {whole}")
        return name

    def _partial(self, term: Term, xs: list[str]) -> str:
        """Return the line that adds what one block contributes to a reduction."""
        code, total, dtype = self.code, self.code.name(term), dtype_text(term.dtype)
        if term.op in PRODUCTS:
            code.body.append(f"{total} = {dtype}(0)")
            f = code.routine("sum_product") if term.op is SUM_PRODUCT else code.call("np.vdot")
            return f"{total} += {f}({', '.join(xs)})"
        axis = term.params["axis"]
        if term.op is ops.sum and axis == (0,) and term.ndim == 1 and term.dtype.char in "fd":
            code.body.append(f"{total} = {self._started(term, '0')}")
            return f"{total} += {code.call('np.dot')}({self._ones(term)}, {xs[0]})"
        where = axis[0] if len(axis) == 1 else axis
        ufunc = code.call(f"np.{REDUCERS[term.op]}")
        reduced = f"{code.call(f'np.{REDUCERS[term.op]}.reduce')}({xs[0]}, {where}, None, None, "
        reduced += f"{bool(term.params.get('keepdims'))})"
        start = _start(term)
        code.body.append(f"{total} = {dtype}({start})" if not term.shape else f"{total} = {self._started(term, start)}")
        if term.op is ops.sum:
            return f"{total} += {reduced}"
        return (
            f"{total} = {ufunc}({total}, {reduced})" if not term.shape else f"{ufunc}({total}, {reduced}, out={total})"
        )

    def _ones(self, term: Term) -> str:
        """Return the name of as many ones as a block has rows: BLAS sums columns in half the time."""
        block = self.block
        ones = self.code.ones(block.length, term.dtype)
        n = block.shape[block.axis]
        if n % block.length == 0:
            return ones
        name = self.code.names.fresh("ones_part")
        self.code.body.append(f"{name} = {ones}")
        self.tails.append(f"{name} = {name}[: {n} - lo]")
        return name

    def _started(self, term: Term, start: str) -> str:
        return f"{self.code.call('np.full')}({term.shape}, {start}, {dtype_text(term.dtype)})"


def _start(term: Term) -> str:
    """Return what a reduction gives before the first block, as code."""
    if term.op is ops.sum:
        return "0"
    if term.dtype.kind == "f":
        return "-np.inf" if term.op is ops.max else "np.inf"
    if term.dtype.kind == "b":
        return str(term.op is ops.min)
    return f"np.iinfo({dtype_text(term.dtype)}).{'min' if term.op is ops.max else 'max'}"


def _distinct(xs: Any) -> list[Term]:
    return list({id(x): x for x in xs if x is not None}.values())
