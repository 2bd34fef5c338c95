"""A network diagram in the DOT language with every position pinned, so that Graphviz makes PNG and PDF of it."""

import re
from collections.abc import Callable
from typing import Any

from tinygrad_mlp.viz.colours import contrast
from tinygrad_mlp.viz.labels import escape, width
from tinygrad_mlp.viz.theme import NEGATIVE_DASH, Theme

from .columns import LINE_SIZE, MARGIN
from .legend import entries, rows, stroke, tone
from .neurons import BIAS_RADIUS, SMALL_SIZE, Diagram

At = Callable[[float, float], str]
_STYLES = {"": "solid", NEGATIVE_DASH: "dashed"}  # all other dashes are dotted


def dot(diagram: Diagram, theme: Theme, title: str, precision: int = 4) -> str:
    """Return the diagram in the DOT language; points are the SVG's pixels."""
    from graphviz import Digraph
    from graphviz import escape as literal

    high = diagram.size[1]

    def at(x: float, y: float) -> str:
        return f"{x / 72:.4f},{(high - y) / 72:.4f}!"

    look = {"layout": "neato", "splines": "line", "outputorder": "edgesfirst", "bgcolor": theme.background}
    words = {"fontname": "Arial", "fontsize": "11", "labelloc": "b", "labeljust": "l", "tooltip": literal(title)}
    words["label"] = _caption(diagram, theme, title, precision)
    nodes = {"fontname": "Arial", "fontcolor": theme.text}
    out = Digraph("network", graph_attr=look | words, node_attr=nodes, edge_attr={"dir": "none"})
    for c in diagram.circles:
        look = {"shape": "circle", "fixedsize": "true", "width": f"{c.radius / 36:.4f}", "fillcolor": c.fill}
        look |= {"style": "filled,dashed" if c.negative else "filled", "color": theme.faint, "fontcolor": c.ink}
        look |= {"fontsize": "11" if c.radius == BIAS_RADIUS else "13", "pos": at(c.x, c.y)}
        look |= {"id": c.key, "tooltip": literal(c.tip)}
        value = f'<BR/><FONT POINT-SIZE="{SMALL_SIZE:g}">{escape(c.value)}</FONT>' if c.value else ""
        out.node(c.key, label=f"<{escape(c.label)}{value}>" if value else c.label, _attributes=look)
    _texts(out, diagram, theme, at)
    for link in diagram.links:
        colour, dash = stroke(link, theme)
        look = {"color": colour, "style": _STYLES.get(dash, "dotted"), "penwidth": f"{link.width:.2f}"}
        look |= {"tooltip": literal(link.tip), "id": f"{link.source}-{link.target}-0"}
        out.edge(link.source, link.target, _attributes=look)
    return str(out.source)


def _caption(diagram: Diagram, theme: Theme, title: str, precision: int) -> str:
    """Return title and legend as the label of the graph; the samples are characters that every font has."""
    lines = []
    for row in rows(entries(diagram, theme, precision), diagram.size[0] - 2 * MARGIN):
        words = []
        for entry in row:
            pale = contrast(entry.colour, theme.background) < 1.2 if entry.colour else False
            sample = {"line": "- -" if entry.dash else "—", "fill": "○" if pale else "●"}.get(entry.sample, "")
            shown = f'<FONT COLOR="{theme.faint if pale else entry.colour}">{sample}</FONT> ' if sample else ""
            words.append(f'{shown}<FONT COLOR="{theme.faint}">{escape(entry.words)}</FONT>' if entry.words else shown)
        lines.append(f'{" &#160; ".join(words)}<BR ALIGN="LEFT"/>')
    heading = f'<FONT COLOR="{theme.text}"><B>{escape(title)}</B></FONT><BR ALIGN="LEFT"/>'
    return f"<{heading}{''.join(lines)}>"


def _texts(out: Any, diagram: Diagram, theme: Theme, at: At) -> None:
    """Add captions, names, '⋮' and the numbers on lines as nodes that are only text."""
    bold = {"fontcolor": theme.text}
    faint = {"fontcolor": theme.faint}
    texts = [
        (c.x, c.y - c.size / 3, _plain(c.text), c.size, c.bold, bold if c.bold else faint) for c in diagram.captions
    ]
    for c in diagram.circles:
        if c.side:
            away = c.radius + 7 + width(c.side, LINE_SIZE) / 2
            texts.append((c.x - away if c.kind == "input" else c.x + away, c.y, c.side, LINE_SIZE, False, bold))
    texts += [(gap.x, gap.y, "⋮", 20.0, True, faint) for gap in diagram.gaps]
    where = {circle.key: (circle.x, circle.y) for circle in diagram.circles}
    for link in diagram.links:
        if link.label:
            (x, y), (x2, y2) = where[link.source], where[link.target]
            look = {"fontcolor": tone(link, theme), "style": "filled", "fillcolor": theme.background}
            texts.append((x + (x2 - x) * link.at, y + (y2 - y) * link.at, link.label, SMALL_SIZE, False, look))
    for place, (x, y, words, size, heavy, look) in enumerate(texts):
        label = f"<<B>{escape(words)}</B>>" if heavy else f"<{escape(words)}>"
        plain = {"shape": "plaintext", "fontsize": f"{size:g}", "pos": at(x, y), "width": "0", "height": "0"}
        out.node(f"t{place}", label=label, _attributes=plain | {"margin": "0"} | look)


def _plain(text: str) -> str:
    """Return a caption without the sign that graphviz-pure's font lacks: ``3 units, ℝ³`` for ``3 units, h ∈ ℝ³``."""
    return re.sub(r"\w ∈ ", "", text)
