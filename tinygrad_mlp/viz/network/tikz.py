"""A network diagram as a LaTeX document: the same geometry and colours as the SVG, drawn by TikZ."""

import re

from tinygrad_mlp.viz.colours import channels
from tinygrad_mlp.viz.labels import clean
from tinygrad_mlp.viz.theme import Theme

from .columns import LINE_SIZE, MARGIN, NAME_SIZE, RADIUS
from .legend import entries, room, rows, stroke, tone
from .neurons import BIAS_RADIUS, SMALL_SIZE, Diagram

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "→": r"$\to$",
    "−": r"$-$",
    "∈": r"$\in$",
    "ℝ": r"$\mathbb{R}$",
    "⋮": r"$\vdots$",
    "…": r"\dots{}",
    "—": "---",
    "‖": r"$\|$",
    "µ": r"$\mu$",
} | {c: "\\" + c for c in "#$%&_"}
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega", "Δ": "Delta", "Σ": "Sigma", "Φ": "Phi", "Ω": "Omega",
}  # fmt: skip
_ESCAPES |= {c: f"$\\{name}$" for c, name in _GREEK.items()}
_SUBSCRIPTS, _SUPERSCRIPTS = "₀₁₂₃₄₅₆₇₈₉", "⁰¹²³⁴⁵⁶⁷⁸⁹"
_DIGITS = str.maketrans(_SUBSCRIPTS + _SUPERSCRIPTS, "0123456789" * 2)
_PIECES = re.compile(f"([{_SUBSCRIPTS}]+)|([{_SUPERSCRIPTS}]+)|.")


def latex(text: str) -> str:
    r"""Return ``text`` for LaTeX: nothing in it is a command, subscripts and signs are set as formulas.

    Scripts other than Latin and Greek letters want LuaLaTeX or XeLaTeX.

    >>> latex("50% of x₁₂")
    '50\\% of x$_{12}$'
    """
    return _PIECES.sub(_piece, clean(text))


def _piece(found: re.Match[str]) -> str:
    piece = found[0]
    if found[1] or found[2]:
        return f"${'_' if found[1] else '^'}{{{piece.translate(_DIGITS)}}}$"
    return _ESCAPES.get(piece, piece)


def tex(diagram: Diagram, theme: Theme, title: str, precision: int = 4) -> str:
    """Return a document that ``pdflatex`` compiles: one page of the size of the picture."""
    palette = _Palette()
    body = [*_lines(diagram, theme, palette), *_circles(diagram, theme, palette)]
    legend, high = _legend(diagram, theme, palette, title, precision)
    body += [*_captions(diagram, theme, palette), *legend]
    page = palette.name(theme.background)
    head = [
        f"% {clean(title)}",
        r"\documentclass[tikz,border=0pt]{standalone}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage{amssymb}",
        r"\usepackage{textcomp}",
        *palette.definitions(),
        r"\begin{document}",
        r"\sffamily",
        r"\begin{tikzpicture}[x=1bp, y=-1bp, every node/.style={inner sep=0, outer sep=0}]",
        rf"\fill[{page}] (0,0) rectangle ({_n(diagram.size[0])},{_n(high)});",
    ]
    return "\n".join([*head, *body, r"\end{tikzpicture}", r"\end{document}", ""])


class _Palette:
    """The colours that are used, by names in the order of their first use."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def name(self, colour: str) -> str:
        return self.names.setdefault(colour, "c" + "".join(chr(ord("A") + int(d)) for d in str(len(self.names))))

    def definitions(self) -> list[str]:
        return [
            rf"\definecolor{{{name}}}{{RGB}}{{{','.join(map(str, channels(colour)))}}}"
            for colour, name in self.names.items()
        ]


def _n(x: float) -> str:
    return f"{round(x, 2) + 0.0:g}"


def _text(x: float, y: float, words: str, size: float, colour: str, anchor: str = "base", more: str = "") -> str:
    font = rf"\fontsize{{{_n(size)}}}{{{_n(1.2 * size)}}}\selectfont"
    return rf"\node[anchor={anchor}, text={colour}, font={font}{more}] at ({_n(x)},{_n(y)}) {{{words}}};"


def _lines(diagram: Diagram, theme: Theme, palette: _Palette) -> list[str]:
    where = {circle.key: (circle.x, circle.y) for circle in diagram.circles}
    out = []
    for link in sorted(diagram.links, key=lambda link: link.width):
        colour, dash = stroke(link, theme)
        (x, y), (x2, y2) = where[link.source], where[link.target]
        look = f"draw={palette.name(colour)}, line width={_n(link.width)}bp{_pattern(dash)}"
        out.append(rf"\path[{look}] ({_n(x)},{_n(y)}) -- ({_n(x2)},{_n(y2)}); % {clean(link.tip)}")
    for link in diagram.links:
        if link.label:
            (x, y), (x2, y2) = where[link.source], where[link.target]
            paper = f", fill={palette.name(theme.background)}, inner sep=1bp"
            place = (x + (x2 - x) * link.at, y + (y2 - y) * link.at)
            words = f"${link.label}$" if link.value == link.value else link.label
            out.append(_text(*place, words, SMALL_SIZE, palette.name(tone(link, theme)), "center", paper))
    return out


def _circles(diagram: Diagram, theme: Theme, palette: _Palette) -> list[str]:
    out = []
    for c in diagram.circles:
        outline = f"draw={palette.name(theme.faint)}" + ", dashed" * c.negative
        shape = rf"\path[fill={palette.name(c.fill)}, {outline}] ({_n(c.x)},{_n(c.y)}) circle[radius={_n(c.radius)}bp];"
        out.append(f"{shape} % {clean(c.tip)}")
        size = 11 if c.radius == BIAS_RADIUS else 13
        high, colour = c.y - 1.5 if c.value else c.y + 4.5, palette.name(c.ink)
        out.append(_text(c.x, high, f"${_symbol(c.label)}$", size, colour))
        if c.value:
            out.append(_text(c.x, c.y + 10.5, latex(c.value), SMALL_SIZE, colour))
        if c.side:
            away, anchor = (-RADIUS - 7, "base east") if c.kind == "input" else (RADIUS + 7, "base west")
            out.append(_text(c.x + away, c.y + 4, latex(c.side), LINE_SIZE, palette.name(theme.text), anchor))
    return out


def _symbol(label: str) -> str:
    """Return a neuron's letter for a formula: ``h_{12}``."""
    return latex(label).replace("$", "")


def _captions(diagram: Diagram, theme: Theme, palette: _Palette) -> list[str]:
    dot, steps = rf"\path[fill={palette.name(theme.faint)}]", (-8, 0, 8)
    out = [rf"{dot} ({_n(gap.x)},{_n(gap.y + step)}) circle[radius=2.2bp];" for gap in diagram.gaps for step in steps]
    for caption in diagram.captions:
        words = latex(caption.text)
        colour = palette.name(theme.text if caption.bold else theme.faint)
        shown = rf"\textbf{{{words}}}" if caption.bold else words
        out.append(_text(caption.x, caption.y, shown, caption.size, colour))
    return out


def _legend(diagram: Diagram, theme: Theme, palette: _Palette, title: str, precision: int) -> tuple[list[str], float]:
    """Return the title and the rows of the legend, and where the picture ends."""
    y = diagram.size[1] + 26
    out = [_text(MARGIN, y, rf"\textbf{{{latex(title)}}}", NAME_SIZE, palette.name(theme.text), "base west")]
    faint = palette.name(theme.faint)
    for row in rows(entries(diagram, theme, precision), diagram.size[0] - 2 * MARGIN):
        x, y = MARGIN, y + 17
        for entry in row:
            colour, start = palette.name(entry.colour or theme.faint), x
            if entry.sample == "line":
                look = f"draw={colour}, line width=2.5bp{_pattern(entry.dash)}"
                out.append(rf"\path[{look}] ({_n(x)},{_n(y - 4)}) -- ({_n(x + 26)},{_n(y - 4)});")
                start += 32
            elif entry.sample == "fill":
                out.append(rf"\path[fill={colour}, draw={faint}] ({_n(x + 7)},{_n(y - 4)}) circle[radius=6bp];")
                start += 19
            if entry.words:
                out.append(_text(start, y, latex(entry.words), LINE_SIZE, faint, "base west"))
            x += room(entry)
    return out, y + 12


def _pattern(dash: str) -> str:
    return ", dash pattern=on {}bp off {}bp".format(*dash.split()) if dash else ""
