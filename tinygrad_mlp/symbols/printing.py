"""Formulas as LaTeX and as text, with parentheses where they are needed and nowhere else."""

import math
from abc import ABC, abstractmethod
from typing import Any

from tinygrad_mlp import ops
from tinygrad_mlp.table import Op

from .constants import written
from .simplify import constant, is_number, parts
from .templates import Binding, template
from .tree import Symbol

Shown = tuple[str, Binding]  # and how tightly it holds together

SPREADING = (ops.broadcast_to, ops.reshape, ops.expand_dims, ops.squeeze)  # implied where operands broadcast
SIGNS = {
    ops.greater: ">", ops.greater_equal: "≥", ops.less: "<", ops.less_equal: "≤", ops.equal: "=", ops.not_equal: "≠",
}  # fmt: skip
WORDS = {ops.logical_and: "and", ops.logical_or: "or"}
HALVES = {0.5: "½", 0.25: "¼", 0.75: "¾"}
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def bare(x: Any) -> Any:
    """Return an operand without what only gives it the shape of the others."""
    while type(x) is Symbol and x.op in SPREADING:
        x = x.inputs[0]
    return x


def spread_parts(x: Any) -> tuple[float, list[Any], list[Any]]:
    """Return the coefficient and the factors of a product, those of products that are spread over its shape too."""
    c, above, below = parts(x)
    over: list[Any] = []
    under = [bare(z) for z in below]
    for z in above:
        d, more, less = parts(bare(z)) if bare(z) is not z else (1.0, [z], [])
        c, over, under = c * d, over + more, under + less
    return c, over, under


def _shown(name: str) -> Shown:
    """Return the name of a constant with how tightly it holds together."""
    return name, Binding.APPLIED if name.startswith(r"\log") else Binding.ATOM


class Printer(ABC):
    """What LaTeX and text have in common: sums, and where an operand needs parentheses."""

    minus, minus_sign = "-", "-"

    def put(self, x: Any, asked: Binding = Binding.NOTHING) -> str:
        """Return an operand as text, in parentheses if its place asks for more than holds it together."""
        text, binding = self.of(x)
        if binding == asked == Binding.POWER and text.startswith(("(", r"\left(")):
            return self.bracketed((text, binding))  # tanh (1/2)^x would be a power of tanh
        return text if binding >= asked else self.bracketed((text, binding))

    def of(self, x: Any) -> Shown:
        """Return a formula or a number as text, and how tightly it holds together."""
        x = constant(x)
        if type(x) is not Symbol:
            return self.number(x) if is_number(x) else ("none" if x is None else str(x), Binding.ATOM)
        if x.op is None:
            return self.letter(x), Binding.ATOM
        if x.op in (ops.multiply, ops.divide, ops.negative, ops.reciprocal):
            return self.product(x)
        if x.op is ops.add or x.op is ops.subtract:
            return self.sum(x)
        if x.op is ops.power or x.op is ops.square:
            base, exponent = (*x.inputs, 2)[:2]
            return self.power(self.put(bare(base), Binding.ATOM), exponent), Binding.POWER
        if x.op is ops.where:
            return self.choice(x), Binding.CHOICE
        if x.op in (ops.identity, ops.astype, ops.expand_dims, ops.squeeze):
            return self.of(x.inputs[0])
        if x.op is ops.broadcast_to:
            return self.call(x.op, [bare(x)], {})
        if x.op is ops.swapaxes and {axis % x.ndim for axis in x.params.values()} == {x.ndim - 2, x.ndim - 1}:
            return self.call(ops.transpose, list(x.inputs), {})
        return self.call(x.op, [bare(z) for z in x.inputs] if x.op.elementwise else list(x.inputs), x.params)

    def number(self, v: float) -> Shown:
        """Return a number as text."""
        if v != v or isinstance(v, bool):
            return rf"\text{{{v}}}".lower() if self.latex else str(v).lower(), Binding.ATOM
        sign = self.minus_sign if v < 0 else ""
        if v == 0 or math.isinf(v):
            text, binding = self.infinity if v else "0", Binding.ATOM
        else:
            above, below = (list(map(_shown, texts)) for texts in written(abs(v), self.latex))
            text, binding = self.quotient(above or [("1", Binding.ATOM)], below)
        return (sign + text, Binding.SUM) if sign else (text, binding)

    def product(self, x: Any) -> Shown:
        """Return a product, a quotient or a negative as a sign and one line with factors above and below."""
        c, above, below = spread_parts(x)
        if any(z is x for z in above):  # divided by zero
            return self.quotient([self.of(x.inputs[0])], [self.of(x.inputs[1])])
        if not above and not below:
            return self.number(c)
        coefficient = written(abs(c), self.latex) if abs(c) != 1 else ([], [])
        over, under = (list(map(_shown, texts)) for texts in coefficient)
        text, binding = self.quotient(over + [self.of(z) for z in above], under + [self.of(z) for z in below])
        if c >= 0:
            return text, binding
        return self.minus_sign + (text if binding >= Binding.PRODUCT else self.bracketed((text, binding))), Binding.SUM

    def sum(self, x: Any) -> Shown:
        """Return a sum or a difference."""
        a, b = map(bare, x.inputs)
        left = self.put(a, Binding.SUM)
        if x.op is ops.subtract:
            return f"{left} {self.minus} {self.put(b, Binding.PRODUCT)}", Binding.SUM
        right = self.put(b, Binding.SUM)
        right = self.put(b, Binding.PRODUCT) if right.startswith(self.minus_sign) else right
        return f"{left} + {right}", Binding.SUM

    # What the two kinds of printer do differently.
    latex: bool
    infinity: str

    @abstractmethod
    def letter(self, x: Symbol) -> str:
        """Return a letter."""

    @abstractmethod
    def bracketed(self, shown: Shown) -> str:
        """Return a formula in brackets."""

    @abstractmethod
    def quotient(self, above: list[Shown], below: list[Shown]) -> Shown:
        """Return factors above and below a line."""

    @abstractmethod
    def power(self, base: str, exponent: Any) -> str:
        """Return a power of what needs no more parentheses."""

    @abstractmethod
    def choice(self, x: Symbol) -> str:
        """Return what is chosen by conditions."""

    @abstractmethod
    def call(self, op: Op, operands: list[Any], params: dict[str, Any]) -> Shown:
        """Return any other op of its operands."""


class Text(Printer):
    """Unicode text, close to Python: ``g·(1 − y²)``, ``g if x > 0 else 0``."""

    latex = False
    minus, minus_sign, infinity = "−", "−", "∞"

    def letter(self, x: Symbol) -> str:
        """Return its letter."""
        return x.letter

    def bracketed(self, shown: Shown) -> str:
        """Return a formula in parentheses."""
        return f"({shown[0]})"

    def number(self, v: float) -> Shown:
        """Return a number, a half or a quarter as one character."""
        return (HALVES[v], Binding.ATOM) if v in HALVES else super().number(v)

    def quotient(self, above: list[Shown], below: list[Shown]) -> Shown:
        """Return ``a·b/(c·d)``."""
        if len(above) == 1 and not below:
            return above[0]
        top = "·".join(self._factor(shown) for shown in above) or "1"
        if not below:
            return top, Binding.PRODUCT
        under = "·".join(self._factor(shown) for shown in below)
        return f"{top}/{under if len(below) == 1 else f'({under})'}", Binding.PRODUCT

    def _factor(self, shown: Shown) -> str:
        return shown[0] if shown[1] >= Binding.POWER else self.bracketed(shown)

    def power(self, base: str, exponent: Any) -> str:
        """Return ``a³`` or ``a^b``."""
        if is_number(exponent) and exponent in range(10):
            return base + str(int(exponent)).translate(RAISED)
        return f"{base}^{self.put(bare(exponent), Binding.ATOM)}"

    def choice(self, x: Symbol) -> str:
        """Return ``a if c else b``."""
        condition, a, b = map(bare, x.inputs)
        return f"{self.put(a, Binding.LOGIC)} if {self.put(condition, Binding.LOGIC)} else {self.put(b)}"

    def call(self, op: Op, operands: list[Any], params: dict[str, Any]) -> Shown:
        """Return a comparison, a logical word, a product of matrices, or a function with its operands."""
        if op in SIGNS:
            a, b = (self.put(z, Binding.SUM) for z in operands)
            return f"{a} {SIGNS[op]} {b}", Binding.RELATION
        if op in WORDS:
            a, b = (self.put(z, Binding.RELATION) for z in operands)
            return f"{a} {WORDS[op]} {b}", Binding.LOGIC
        if op is ops.logical_not:
            return f"not {self.put(operands[0], Binding.RELATION)}", Binding.LOGIC
        if op is ops.matmul:
            return " @ ".join(self.put(z, Binding.POWER) for z in operands), Binding.PRODUCT
        if op is ops.transpose and not params:
            return self.put(operands[0], Binding.ATOM) + "ᵀ", Binding.ATOM
        if op is ops.getitem:
            return self.put(operands[0], Binding.ATOM) + "[i]", Binding.ATOM
        if op is ops.sqrt:
            inner = self.put(operands[0])
            return f"√{inner}" if len(inner) == 1 and inner.isalnum() else f"√({inner})", Binding.ATOM
        short = len(op.symbol) == 1 and op.symbol.isalpha() and not op.symbol.isascii()
        given = [self.put(z) for z in operands if z is not None]
        if op.elementwise:
            given += [f"{key}={value if isinstance(value, str) else self.put(value)}" for key, value in params.items()]
        return f"{op.symbol if short else op.name}({', '.join(given)})", Binding.ATOM


class Latex(Printer):
    """LaTeX, by the templates of the rows."""

    latex = True
    infinity = r"\infty"

    def letter(self, x: Symbol) -> str:
        """Return its LaTeX."""
        return x.latex

    def bracketed(self, shown: Shown) -> str:
        """Return a formula in parentheses of its height, a condition in Iverson's brackets."""
        text, binding = shown
        if binding in (Binding.LOGIC, Binding.RELATION):
            return f"[{text}]"  # 1 where it holds, else 0
        tall = any(word in text for word in (r"\frac", r"\begin", r"\sum"))
        return rf"\left({text}\right)" if tall else f"({text})"

    def quotient(self, above: list[Shown], below: list[Shown]) -> Shown:
        """Return factors, or a fraction of them."""
        if len(above) == 1 and not below:
            return above[0]
        if below:
            return rf"\frac{{{self._factors(above)}}}{{{self._factors(below)}}}", Binding.POWER
        return self._factors(above), Binding.PRODUCT

    def factor(self, x: Any) -> str:
        """Return an operand of a product of matrices, which needs no parentheses inside another one."""
        return self.put(x, Binding.PRODUCT if getattr(x, "op", None) is ops.matmul else Binding.POWER)

    def _factors(self, shown: list[Shown]) -> str:
        """Return factors side by side, functions without parentheses last, so that they end where they should."""
        if len(shown) == 1:
            return shown[0][0]
        shown = sorted(shown, key=lambda factor: factor[1] == Binding.APPLIED)
        y = ""
        for i, (text, binding) in enumerate(shown):
            asked = Binding.APPLIED if i == len(shown) - 1 else Binding.POWER
            factor = text if binding >= asked else self.bracketed((text, binding))
            gap = r" \cdot " if factor[:1].isdigit() else r" \, " if factor.startswith(("(", r"\left")) else " "
            y += (gap if y else "") + factor
        return y or "1"

    def power(self, base: str, exponent: Any) -> str:
        """Return ``a^{b}``."""
        inner = self.put(bare(exponent))
        return f"{base}^{inner if len(inner) == 1 else '{' + inner + '}'}"

    def choice(self, x: Symbol) -> str:
        """Return one row for each condition in turn."""
        rows = []
        last: Any = x
        while type(last) is Symbol and last.op is ops.where:
            condition, a, last = map(bare, last.inputs)
            rows.append(rf"{self.put(a)} & \text{{if }} {self.put(condition)}")
        rows.append(rf"{self.put(last)} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def call(self, op: Op, operands: list[Any], params: dict[str, Any]) -> Shown:
        """Return the template of a row with its operands and params filled in."""
        if op is ops.matmul:
            return " ".join(self.factor(z) for z in operands), Binding.PRODUCT
        if op.arity is None or any(z is None for z in operands) or not op.latex:
            name = op.name.replace("_", r"\_")
            given = ", ".join(self.put(z) for z in operands if z is not None)
            return rf"\operatorname{{{name}}}({given})", Binding.ATOM
        made = template(op.latex)
        text = ""
        for literal, field, asked in made.pieces:
            text += literal
            if field is not None and field.isdecimal():
                text += self.put(operands[int(field)], asked)
            elif field is not None:
                value = params[field] if field in params else op.__signature__.parameters[field].default
                text += self.put(value, asked)
        return _tall(text) if r"\frac" in text and r"\frac" not in op.latex else text, made.binding


def _tall(text: str) -> str:
    r"""Return a function of something tall, with fences as tall: ``\operatorname{erf}\left(\frac{x}{2}\right)``."""
    for opening, closing in (("(", ")"), (r"\lfloor", r"\rfloor"), (r"\lceil", r"\rceil"), (r"\lvert", r"\rvert")):
        head, opened, rest = text.partition(opening)
        inner, closed, tail = rest.rpartition(closing)
        if opened and closed and not tail and opening not in inner and r"\left" not in text:
            return rf"{head}\left{opening}{inner}\right{closing}"
    return text
