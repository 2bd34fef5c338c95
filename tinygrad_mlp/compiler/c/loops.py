"""Loops: the C text of one group, with a name for each element that is written out."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_mlp import ops
from tinygrad_mlp.rewrite import DOT, Term

from .combining import clause, combine, identity, suffix
from .elements import c_type, cast, element, literal
from .grouping import Group
from .layout import VIEWS, Layout, apply_view, layout
from .packing import Pack
from .placing import LANE, PRODUCTS, REDUCTIONS, Dims, matrix_axes
from .prelude import VECTOR_BINARY, VECTOR_UNARY

PART = 2048  # elements after which a sum goes to a total of its own: long sums stay accurate
NEAR = 4  # elements from one round to the next that the compiler reads and writes by itself
PACKED = 128  # rounds whose elements are brought together, where these lie further apart
CALL = re.compile(rf" ({'|'.join((*VECTOR_UNARY, *VECTOR_BINARY, 'htan', 'logsum2?'))})f?\(")


class Loops:
    """The text of a group.

    Args:
        group: What to write.
        named: Gives the names of the elements of a term that are variables of the function; None if it is in memory.
        pointer: Gives the name of the memory of a term.
        kept: The terms that are needed after the loops.

    Attributes:
        lines: The text.
        variables: By ``id``, for each reduction, and for each term of a group without loops, an array of names.
    """

    def __init__(
        self,
        group: Group,
        named: Callable[[Term], Any],
        pointer: Callable[[Term], str],
        kept: Callable[[Term], bool],
        prefix: str,
    ) -> None:
        """Write the text."""
        self.group, self.space = group, group.space
        self.named, self.pointer, self.kept, self.prefix = named, pointer, kept, prefix
        self.values: dict[int, Any] = {}
        self.variables: dict[int, Any] = {}
        self.first: list[str] = []  # before the loops
        self.body: list[str] = []
        self.stores: list[str] = []
        self.clauses: list[tuple[str, str, str, str]] = []  # type, name, start, how it is combined
        self.before_inner: list[str] = []
        self.after_inner: list[str] = []
        self.last: list[str] = []
        self._loaded: dict[Any, str] = {}
        self._inverses: dict[str, str] = {}
        self._packs: dict[tuple[int, str], Pack] = {}
        self._count = 0
        for term in group.terms:
            self._write(term)
        self.lines = self._assembled()

    # ---------------------------------------------------------------------------------------------------------- names

    def _fresh(self) -> str:
        self._count += 1
        return f"{self.prefix}_{self._count}"

    def _assign(self, kind: str, text: str, where: list[str] | None = None) -> str:
        name = self._fresh()
        lines = self.body if where is None else where
        lines.append(f"const {kind} {name} = {text};")
        return name

    def _index(self, found: Layout, lane: Sequence[int], dims: Dims) -> str:
        """Return the place of an element in memory."""
        if self.space.flat and any(d != LANE for d in dims):
            return f"{found.offset} + i0" if found.offset else "i0"
        offset, parts = found.offset, []
        for at, d, stride in zip(lane, dims, found.strides, strict=True):
            if d == LANE:
                offset += at * stride
            elif stride:
                parts.append(f"i{d}" if stride == 1 else f"i{d} * {stride}")
        if offset or not parts:
            parts.append(str(offset))
        return " + ".join(parts)

    def _lane_shape(self, shape: tuple[int, ...], dims: Dims) -> tuple[int, ...]:
        return tuple(n if d == LANE else 1 for n, d in zip(shape, dims, strict=True))

    def _value(self, x: Term, dims: Dims) -> Any:
        """Return the names of the elements of an operand; along a loop there is one."""
        if id(x) in self.values:
            return self.values[id(x)]
        shape = self._lane_shape(x.shape, dims)
        if x.number is not None:
            return np.full(shape, literal(x.number, str(c_type(x))), object)
        found = layout(x)
        known = self.named(found.base) if all(d == LANE for d in dims) else None
        names = np.empty(shape, object)
        for lane in np.ndindex(*shape):
            if known is not None:
                at = found.offset + sum(i * s for i, s in zip(lane, found.strides, strict=True))
                names[lane] = known.reshape(-1)[at]
            else:
                names[lane] = self._load(x, found, self._index(found, lane, dims), dims)
        return names

    def _load(self, x: Term, found: Layout, index: str, dims: Dims) -> str:
        """Return the name of an element in memory, which is read as far outside of the loops as it can be."""
        key = (id(found.base), index)
        if key not in self._loaded:
            inner = len(self.space.lengths) - 1
            where = self.body if inner in dims else self.before_inner if set(dims) - {LANE} else self.first
            text = f"{self.pointer(found.base)}[{index}]"
            if where is self.body and self._is_far(found, dims):
                text = self._packed(found.base, "in", str(c_type(x)), text)
            self._loaded[key] = self._assign(str(c_type(x)), text, where)
        return self._loaded[key]

    def _is_far(self, found: Layout, dims: Dims) -> bool:
        """Return whether the elements of neighbouring rounds lie apart: the compiler would not vectorise that."""
        strides = [abs(s) for s, d in zip(found.strides, dims, strict=True) if d == 0]
        return len(self.space.lengths) == 1 and not self.space.flat and max(strides) > NEAR

    def _packed(self, base: Term, way: str, kind: str, text: str) -> str:
        """Return what an element is called where those of many rounds lie together."""
        key = id(base), way
        if key not in self._packs:
            self._packs[key] = Pack(self._fresh(), kind, way)
        return self._packs[key].place(text)

    # ---------------------------------------------------------------------------------------------------------- terms

    def _write(self, term: Term) -> None:
        placed = self.group.operands[id(term)]
        dims = self.space.dims[id(term)]
        xs = [self._value(x, d) for x, d in zip(term.inputs, placed, strict=True)]
        if term.op in VIEWS:
            self.values[id(term)] = self._viewed(term, xs[0], dims)
            return
        if term.op in REDUCTIONS:
            y = self._reduced(term, xs[0], placed[0])
        elif term.op in PRODUCTS:
            self._products(term, xs)
            return
        elif term.op is ops.matmul:
            y = self._multiplied(term, xs, placed)
        else:
            y = np.empty(self._lane_shape(term.shape, dims), object)
            operands: list[Any] = [np.broadcast_to(x, y.shape) for x in xs]
            by_the_same = term.op is ops.divide and self.space.lengths and set(placed[1]) <= {LANE}
            write = self._divided if by_the_same else element
            for lane in np.ndindex(*y.shape):
                y[lane] = self._assign(str(c_type(term)), write(term, [str(x[lane]) for x in operands]))
        if y is not None:
            self._computed(term, y, dims)

    def _divided(self, term: Term, xs: Sequence[str]) -> str:
        """Return a quotient by what is the same in every round: products with its inverse are several times faster."""
        kind = str(c_type(term))
        x, divisor = (cast(n, str(c_type(t)), kind) for n, t in zip(xs, term.inputs, strict=True))
        if divisor not in self._inverses:
            name = self._inverses[divisor] = self._fresh()
            self.first += [f"{kind} {name}[3];", f"inverse{suffix(kind)}({divisor}, {name});"]
        name = self._inverses[divisor]
        return f"{x} * {name}[0] * {name}[1] * {name}[2]"

    def _computed(self, term: Term, y: Any, dims: Dims) -> None:
        """Keep what a term is called, and store it if it is needed later."""
        self.values[id(term)] = y
        if not self.space.lengths:
            self.variables[id(term)] = y
        if self.kept(term):
            self._store(term, y, dims, self.stores)

    def _store(self, term: Term, y: Any, dims: Dims, where: list[str]) -> None:
        memory, found = self.pointer(term), layout(term)
        far = where is self.stores and self._is_far(found, dims)
        for lane in np.ndindex(*y.shape):
            place = f"{memory}[{self._index(found, lane, dims)}]"
            if far:
                place = self._packed(term, "out", str(c_type(term)), place)
            where.append(f"{place} = {y[lane]};")

    def _viewed(self, term: Term, x: Any, dims: Dims) -> Any:
        shape = (1,) * term.ndim if self.space.flat else self._lane_shape(term.shape, dims)
        if term.op is ops.reshape or term.op is ops.broadcast_to:
            return x.reshape(shape) if term.op is ops.reshape else np.broadcast_to(x, shape)
        return apply_view(term, x)

    def _chain(self, op: Any, names: Sequence[str], given: str, kind: str) -> str:
        """Return the name of names combined by a reduction."""
        names = [cast(n, given, kind) for n in names]
        while len(names) > 1:  # in pairs, which is accurate, and lets the machine do several at once
            pairs = [names[i : i + 2] for i in range(0, len(names), 2)]
            names = [p[0] if len(p) == 1 else self._assign(kind, combine(op, p[0], p[1], kind)) for p in pairs]
        return names[0]

    def _reduced(self, term: Term, x: Any, dims: Dims) -> Any:
        source = term.inputs[0]
        axes = ops.reductions.reduced_axes(term.params.get("axis"), source.ndim)
        keep = bool(term.params.get("keepdims"))
        moved = np.moveaxis(x, axes, range(len(axes))) if axes else x[None]
        rest = moved.shape[len(axes) :] if axes else x.shape
        flat = moved.reshape(-1, *rest)
        y = np.empty(rest, object)
        for lane in np.ndindex(*rest):
            y[lane] = self._chain(term.op, list(flat[(slice(None), *lane)]), str(c_type(source)), str(c_type(term)))
        if keep:
            y = y.reshape(tuple(1 if i in axes else n for i, n in enumerate(x.shape)))
        loops = {dims[i] for i in axes if dims[i] != LANE}
        if not loops:
            return y
        self._accumulate(term, y, loops)
        return None

    def _products(self, term: Term, xs: Sequence[Any]) -> None:
        kind = str(c_type(term))
        a, b = (x.reshape(-1) for x in np.broadcast_arrays(*xs))
        terms = [f"{m} * {n}" if term.op is DOT else f"({m} == 0 ? 0 : {m} * {n})" for m, n in zip(a, b, strict=True)]
        names = [self._assign(kind, text) for text in terms]
        y = np.array(self._chain(ops.sum, names, kind, kind), object).reshape(())
        if self.space.lengths:
            self._accumulate(term, y, set(range(len(self.space.lengths))))
        else:
            self._computed(term, y, ())

    def _multiplied(self, term: Term, xs: Sequence[Any], placed: Sequence[Dims]) -> Any:
        """Write a product of matrices; return None if its sums run along the loop."""
        kind = str(c_type(term))
        a, b = term.inputs
        left = xs[0] if a.ndim == 2 else xs[0][None, :]
        right = xs[1] if b.ndim == 2 else xs[1][:, None]
        (_m, k), _right = matrix_axes(term)
        rows, columns = left.shape[0], right.shape[1]
        shape = self._lane_shape(term.shape, self.space.dims[id(term)])
        y = np.empty((rows, columns), object)
        along = placed[0][-1] != LANE
        for i, j in np.ndindex(rows, columns):
            if along:
                y[i, j] = f"{left[i, 0]}, {right[0, j]}"
                continue
            name = f"{left[i, 0]} * {right[0, j]}"
            for p in range(1, k):
                name = self._assign(kind, f"MAC{suffix(kind)}({left[i, p]}, {right[p, j]}, {name})")
            y[i, j] = name if k > 1 else self._assign(kind, name)
        y = y.reshape(shape)
        if not along:
            return y
        self._accumulate(term, y, {0}, product=True)
        return None

    # ----------------------------------------------------------------------------------------------------- reductions

    def _accumulate(self, term: Term, y: Any, loops: set[int], product: bool = False) -> None:
        """Write what one round of the loops contributes to a reduction."""
        kind, inner = str(c_type(term)), len(self.space.lengths) - 1
        op = ops.sum if product or term.op in PRODUCTS else term.op
        start = identity(op, kind)
        whole = len(loops) == len(self.space.lengths)
        names = np.empty(y.shape, object)
        if not whole:
            self.first.append(f"for (int64_t k = 0; k < {term.size}; k++) {self.pointer(term)}[k] = {start};")
        for lane in np.ndindex(*y.shape):
            if whole:
                target = names[lane] = self._fresh()
                wide = "double" if kind == "float" and op is ops.sum else kind
                total = f"{target}t" if wide != kind else target
                self.first.append(f"{wide} {total} = {start};")
                if wide != kind:
                    self.last.append(f"const {kind} {target} = ({kind}){total};")
                target, kept = total, wide
            else:
                target = f"{self.pointer(term)}[{self._index(layout(term), lane, self.space.dims[id(term)])}]"
                kept = kind
            if inner not in loops:
                self.stores.append(f"{target} = {combine(op, target, y[lane], kind)};")
                continue
            part = self._fresh()
            self.clauses.append((kind, part, start, clause(op, kind)))
            step = f"MAC{suffix(kind)}({y[lane]}, {part})" if product else combine(op, part, y[lane], kind)
            self.body.append(f"{part} = {step};")
            self.after_inner.append(f"{target} = {combine(op, target, part, kept)};")
        if whole:
            self.variables[id(term)] = names
            if self.kept(term):
                self._store(term, names, (LANE,) * term.ndim, self.last)

    # ---------------------------------------------------------------------------------------------------------- whole

    def _assembled(self) -> list[str]:
        lengths = self.space.lengths
        if not lengths:
            return [*self.first, *self.body, *self.stores]
        inner = len(lengths) - 1
        lines = [f"for (int64_t i{a} = 0; i{a} < {m}; i{a}++) {{" for a, m in enumerate(lengths[:-1])]
        size = self._part()
        n = lengths[inner]
        start, stop = ("lo", "hi") if size < n else ("0", str(n))
        if size < n:
            lines.append(f"for (int64_t lo = 0, hi; lo < {n}; lo = hi) {{ hi = lo + {size} < {n} ? lo + {size} : {n};")
        packs = self._packs.values()
        lines += [pack.declared(size) for pack in packs]
        lines += [line for pack in packs if pack.way == "in" for line in pack.moved(start, stop)]
        lines += self.before_inner
        lines += [f"{kind} {name} = {begin};" for kind, name, begin, _ in self.clauses]
        for bounds in self._bounds(n) if size >= n else [(start, stop)]:
            lines += self._round(inner, *bounds)
        lines += [line for pack in packs if pack.way == "out" for line in pack.moved(start, stop)]
        lines += self.after_inner
        lines += ["}"] * (inner + (size < n))
        where = "i0 - lo" if size < n else "i0"
        return [*self.first, *(line.replace("@", where) for line in lines), *self.last]

    def _part(self) -> int:
        """Return the number of rounds of the innermost loop that run together."""
        n = self.space.lengths[-1]
        if self._packs:
            return n if n <= 2 * PACKED else PACKED
        return PART if self.clauses and n > 2 * PART else n

    def _round(self, inner: int, start: str, stop: str) -> list[str]:
        """Return the innermost loop."""
        how: dict[str, list[str]] = {}
        for _, name, _, by in self.clauses:
            how.setdefault(by, []).append(name)
        clauses = "".join(f" reduction({by}:{', '.join(names)})" for by, names in how.items())
        head = f"for (int64_t i{inner} = {start}; i{inner} < {stop}; i{inner}++) {{"
        return [f"#pragma omp simd{clauses}", head, *self.body, *self.stores, "}"]

    def _bounds(self, n: int) -> list[tuple[str, str]]:
        """Return where the inner loop begins and stops: what is left over by whole vectors is a loop of its own.

        The compiler would compute the rest element by element; in a loop of its own it is computed in shorter vectors.
        """
        width = 16 if any("const float" in line for line in self.body) else 8
        calls = any(CALL.search(line) for line in self.body)
        rest = n % width
        if not calls or rest < 2 or not width < n <= PART:
            return [("0", str(n))]
        return [("0", str(n - rest)), (str(n - rest), str(n))]
