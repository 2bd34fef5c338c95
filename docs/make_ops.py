"""Write docs/ops.md: every row of the op table with its formula, its derivatives, its domain and its conventions.

Run ``python docs/make_ops.py`` after changing a row. The derivatives come from running the rows' own rules on symbols.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path(__file__).with_name("ops.md")
sys.path[:0] = [str(PAGE.parents[1]), str(PAGE.parent)]

from hand_formulas import BY_HAND, COMPOSED, NOTES  # noqa: E402

import tinygrad_mlp  # noqa: E402
from tinygrad_mlp import ops  # noqa: E402  (the package of this checkout, wherever it is run from)
from tinygrad_mlp.symbols import Formula, Symbol, operands_of, value_formula, vjp_formula  # noqa: E402
from tinygrad_mlp.symbols.printing import Latex  # noqa: E402
from tinygrad_mlp.symbols.templates import Binding  # noqa: E402
from tinygrad_mlp.table import OPS, Op  # noqa: E402

MODULES = (
    "elementwise", "special", "trigonometry", "comparison", "rounding", "activations", "losses", "margins",
    "normalizing", "random", "reductions", "cumulative", "sorting", "linalg", "products", "matrices", "norms",
    "shaping", "arranging", "padding", "indexing",
)  # fmt: skip
HEAD = r"""# Operations

`python docs/make_ops.py` writes this page from the op table; the derivatives are what the rules themselves give
when they run on symbols, or, where indices say it better, formulas by hand that the tests hold against the engine.
Every function takes numbers, arrays and nodes, and has derivatives to any order; it is `tg.<name>`, and the function of
that name in NumPy does the same on a tensor. A row that `tg` does not export is what some of the others come down to.

Below, $y$ is the result, $g$ the gradient of the loss in $y$, and $\bar x$ the gradient that the operand $x$ gets.
Elementwise operations broadcast as in NumPy, and a gradient is then summed down to the shape of its operand. $x y$
is a product of numbers in elementwise operations and of matrices in linear algebra; $[c]$ is 1 where the condition
$c$ holds, else 0; $\log$ is the natural logarithm, and $\sigma$ the logistic function.
"""
CONVENTIONS = """## Conventions where there is no derivative

One choice for every kink, pole and tie, the same on floats, on arrays and in recorded gradients; PyTorch's where it has
made one. `where` selects a gradient and never multiplies by 0, so that a NaN in the branch not taken stays there.

| operation | its derivative there |
|---|---|
"""


def letter(latex: str) -> Symbol:
    """Return a symbol that stands for a parameter."""
    return Symbol(latex.lstrip("\\"), latex=latex)


OPERATOR = re.compile(r"\\operatorname\{([^{}]*)\}")  # which GitHub refuses
X, ROW = Symbol("x", (3, 3)), Symbol("x", (3,))
PLACES, PLACE = Symbol("i", (3, 3), dtype=np.int64), Symbol("k", (3,), dtype=np.int64)
# The operands and params to show a row with, where letters of shape (3, 3) and the defaults do not do.
CALLS: dict[str, tuple[tuple[Any, ...] | None, dict[str, Any]]] = {
    "add_along_axis": ((X, PLACES), {"shape": (3, 3)}),
    "argpartition": (None, {"kth": 1}),
    "astype": (None, {"dtype": np.float32}),
    "broadcast_to": ((ROW,), {"shape": (3, 3)}),
    "celu": (None, {"alpha": letter(r"\alpha")}),
    "contraction": ((Symbol("a", (3, 3)), Symbol("b", (3, 3))), {"subscripts": "ij,jk->ik"}),
    "dropout_mask": (None, {"p": 0.5, "rng": np.random.default_rng(0)}),
    "elu": (None, {"alpha": letter(r"\alpha")}),
    "expand_dims": (None, {"axis": 0}),
    "getitem": (None, {"index": 0}),
    "hardtanh": (None, {"min_val": letter("a"), "max_val": letter("b")}),
    "leaky_relu": (None, {"negative_slope": letter(r"\alpha")}),
    "linear": ((Symbol("x", (2, 3)), Symbol("w", (3, 4)), Symbol("b", (4,))), {}),
    "one_hot": ((Symbol("l", (3,), dtype=np.int64),), {"n": 3}),
    "ranked": ((ROW, PLACE), {}),
    "reshape": (None, {"shape": (9,)}),
    "scatter": ((ROW,), {"shape": (5,), "index": slice(0, 3)}),
    "softmax_cross_entropy": (None, {"reduction": "sum"}),
    "squeeze": ((Symbol("x", (1, 3)),), {}),
    "sum_to": (None, {"shape": (3,)}),
    "swapaxes": (None, {"axis1": 0, "axis2": 1}),
    "take_along_axis": ((X, PLACES), {}),
}


def calls(op: Op) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the operands and the params to show a row with."""
    operands, params = CALLS.get(op.name, (None, {}))
    return operands_of(op, () if op.elementwise else (3, 3)) if operands is None else operands, params


def equations(op: Op) -> list[tuple[str, str]]:
    """Return the sides of the equations of a row: of its value, and of the gradient of each operand that has one."""
    operands, params = calls(op)
    letters = [x.letter if isinstance(x, Symbol) else "" for x in operands]
    result = "z" if "y" in letters else "y"
    by_hand = BY_HAND.get(op.name, [])
    if by_hand and by_hand[0][0].startswith("y"):
        return by_hand
    value = Formula(op(list(operands))) if op is ops.affine else value_formula(op, operands, **params)
    shown = [(result, value.latex if op.differentiable else Latex().put(value.expression, Binding.SUM))]
    if by_hand:
        return shown + by_hand
    for i, name in enumerate(letters):
        without = op.joint_vjp is None and op.argnum_vjp is None and (i >= len(op.vjps) or op.vjps[i] is None)
        if not op.differentiable or without or not name:
            continue
        shown.append((rf"\bar {name}", vjp_formula(op, i, operands, **params).latex))
    return shown


def math(shown: list[tuple[str, str]]) -> str:
    """Return equations as one block, below each other."""
    shown = [(left, OPERATOR.sub(r"\\mathop{\\mathrm{\1}}", right)) for left, right in shown]
    if len(shown) == 1:
        return f"```math\n{shown[0][0]} = {shown[0][1]}\n```"
    lines = " \\\\[4pt]\n".join(rf"{left} &= {right}" for left, right in shown)
    return f"```math\n\\begin{{aligned}}\n{lines}\n\\end{{aligned}}\n```"


def signature(name: str, function: Any) -> str:
    """Return a call as one writes it, with defaults and without types."""
    words: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        if parameter.kind is parameter.KEYWORD_ONLY and not any(word.startswith("*") for word in words):
            words.append("*")  # what follows goes by name
        words.append(f"{star}{parameter.name.lstrip('_')}{default}")
    return f"`{name}({', '.join(words)})`"


def first_line(function: Any) -> str:
    """Return the first sentence of a docstring, its code in Markdown."""
    line = inspect.getdoc(function).partition("\n")[0]
    return line.replace("``", "`")


def section(op: Op) -> str:
    """Return the section of a row."""
    try:
        shown = equations(op)
    except Exception as error:
        raise ValueError(f"{op.name}: give it operands and params in CALLS, or formulas in BY_HAND") from error
    lines = [f"### {op.name}", f"{signature(op.name, op)}: {first_line(op)}", math(shown)]
    notes = []
    if op.defined:
        notes.append(f"Defined for ${op.defined}$.")
    if op.kinks:
        notes.append(f"Convention: the derivative is {op.kinks}.")
    if not op.differentiable:
        notes.append("No derivative.")
    if op.name not in tinygrad_mlp.__all__:
        notes.append("Not exported.")
    return "\n\n".join([*lines, " ".join(notes)] if notes else lines)


def composed_section(name: str, function: Any) -> str:
    """Return the section of a function composed of rows that has formulas."""
    return "\n\n".join([f"### {name}", f"{signature(name, function)}: {first_line(function)}", math(COMPOSED[name])])


def chapters() -> Iterator[tuple[str, list[Op], list[tuple[str, Any]]]]:
    """Yield each module of ``ops`` with its rows and its functions composed of rows, both in alphabetical order."""
    rows = [op for op in OPS.values() if op.__module__.startswith(ops.__name__ + ".")]
    composed = [(name, getattr(ops, name)) for name in ops.__all__ if not isinstance(getattr(ops, name), Op)]
    found = {thing.__module__.rpartition(".")[2] for thing in [*rows, *(f for _, f in composed)]}
    for module in [name for name in MODULES if name in found] + sorted(found - set(MODULES)):
        path = f"{ops.__name__}.{module}"
        yield (
            path,
            sorted((op for op in rows if op.__module__ == path), key=lambda op: op.name),
            sorted((name, f) for name, f in composed if f.__module__ == path),
        )


def page() -> str:
    """Return the whole page."""
    parts, contents, conventions = [], [], []
    for path, rows, composed in chapters():
        title = path.rpartition(".")[2]
        links = [f"[{op.name}](#{op.name})" for op in rows]
        links += [f"[{name}](#{name})" if name in COMPOSED else f"`{name}`" for name, _ in composed]
        contents.append(f"- [{title}](#{title}-module): {', '.join(links)}")
        parts.append(f"## {title} (module)\n\n{first_line(sys.modules[path])}")
        parts += [NOTES[title]] if title in NOTES else []
        parts += [section(op) for op in rows]
        parts += [composed_section(name, f) for name, f in composed if name in COMPOSED]
        conventions += [f"| [{op.name}](#{op.name}) | {op.kinks} |" for op in rows if op.kinks]
        lines = [f"- {signature(name, f)}: {first_line(f)}" for name, f in composed if name not in COMPOSED]
        if lines:
            parts.append(f"Composed of rows, in `{title}`:\n\n" + "\n".join(lines))
    table = CONVENTIONS + "\n".join(conventions)
    return "\n\n".join([HEAD.strip(), "\n".join(contents), table, *parts]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8", newline="\n")
    print(f"wrote {PAGE.name}")
