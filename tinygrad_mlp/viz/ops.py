"""The op graph: one node per operation, parameter, input and constant, as DOT.

The DOT is drawn alike by Graphviz 2.43 and by graphviz-pure: HTML-like labels, stable names n0, n1 … from the output
backwards, no ``rank=same``, Unicode instead of ``<SUB>``.
"""

from typing import Any

from tinygrad_mlp.errors import UnsupportedError

from . import boxes
from .boxes import KINDS
from .labels import clean, escape
from .text import tree
from .theme import Style, Theme, find_theme
from .view import BUDGET, Drawing, GraphView, NodeView, view

_SHAPES = {"box": "box", "rounded": "box", "note": "note", "ellipse": "ellipse"}
_RANKDIRS = ("TB", "LR")


def drawing(
    root: Any,
    *,
    budget: int | None = BUDGET,
    force: bool = False,
    precision: int = 4,
    rankdir: str = "TB",
    theme: str = "light",
    title: str = "",
) -> Drawing:
    """Return the op graph of ``root``, a recorded result.

    Args:
        root: The node whose graph is drawn.
        budget: How many nodes to show, the nearest to ``root``; None shows all.
        force: Lay out more than 2,500 nodes.
        precision: Significant digits of every number.
        rankdir: TB (inputs on top) or LR (inputs on the left).
        theme: light, or print for greyscale.
        title: A heading.

    Raises:
        LayoutError: more than 2,500 nodes would have to be laid out.
        UnsupportedError: an unknown theme or direction.
    """
    look = find_theme(theme)
    if rankdir not in _RANKDIRS:
        raise UnsupportedError(f"draw: rankdir {rankdir!r} is not one of {', '.join(_RANKDIRS)}")
    graph = view(root, budget=budget, precision=precision, force=force)
    title = clean(title)
    return Drawing(
        kind="ops",
        title=title,
        source=dot(graph, look, title, rankdir),
        text=tree(graph),
        native=lambda: boxes.svg(graph, look, title, rankdir),
    )


def dot(graph: GraphView, theme: Theme, title: str = "", rankdir: str = "TB") -> str:
    """Return the graph in the DOT language; the same graph gives the same text."""
    from graphviz import Digraph  # 40 ms: only who draws pays for it

    out = Digraph(
        "ops",
        graph_attr={
            "rankdir": rankdir,
            "bgcolor": theme.background,
            "fontname": "Arial",
            "fontsize": "10",
            "fontcolor": theme.faint,
            "labelloc": "b",
            "labeljust": "l",
            "label": _caption(graph, theme, title),
            "nodesep": "0.3",
            "ranksep": "0.4",
            "tooltip": title or "computational graph",
        },
        node_attr={
            "fontname": "Arial",
            "fontsize": "10",
            "margin": "0.14,0.05",
            "width": "0.4",
            "height": "0.3",
            "fontcolor": theme.text,
        },
        edge_attr={"color": theme.edge, "arrowsize": "0.7"},
    )
    for node in graph.nodes:
        out.node(node.key, label=_label(node, theme), _attributes=_attributes(node, theme))
    for edge in graph.edges:
        out.edge(edge.source, edge.target, tooltip=f"{edge.source} → {edge.target}, argument {edge.slot + 1}")
    return str(out.source)


def _look(style: Style, dashed: bool) -> dict[str, str]:
    """Return a style in Graphviz's attributes."""
    words = ["filled", *(["rounded"] if style.shape == "rounded" else [])]
    words += ["dashed"] if dashed else [style.dash] * (style.dash != "solid")
    colours = {"fillcolor": style.fill, "color": style.stroke}
    attributes = {"shape": _SHAPES[style.shape], "style": ",".join(words)} | colours
    if style.width != 1.0:
        attributes["penwidth"] = f"{style.width:g}"
    if style.double:
        attributes["peripheries"] = "2"
    return attributes


def _attributes(node: NodeView, theme: Theme) -> dict[str, str]:
    from graphviz import escape as literal  # so that a backslash in a name stays one

    attributes = _look(theme.nodes[node.kind], node.dashed) | {"tooltip": literal(", ".join([node.title, *node.rows]))}
    if node.op:
        attributes["ordering"] = "in"  # the first argument stays on the left
    return attributes


def _label(node: NodeView, theme: Theme) -> str:
    """Return a node's HTML-like label: a bold title, smaller rows, a signed gradient in the colour of its sign."""
    title = escape(node.title)
    rows = [title if node.kind == "constant" else f"<B>{title}</B>"]
    for row in node.rows:
        signed = row == node.grad and node.sign
        colour = (theme.plus if node.sign > 0 else theme.minus) if signed else theme.faint
        rows.append(f'<FONT POINT-SIZE="9" COLOR="{colour}">{escape(row)}</FONT>')
    cells = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{cells}</TABLE>>'


def _caption(graph: GraphView, theme: Theme, title: str) -> str:
    """Return what stands below the graph: the title, the legend of the kinds that occur, and the remarks."""
    cells = []
    for kind, word in KINDS.items():
        if any(node.kind == kind for node in graph.nodes):
            style = theme.nodes[kind]
            line = {"rounded": ' STYLE="ROUNDED"', "ellipse": ' STYLE="DOTTED"'}.get(style.shape, "")
            frame = f'BORDER="{round(style.width)}" COLOR="{style.stroke}" BGCOLOR="{style.fill}"{line}'
            sample = f'<TD {frame} WIDTH="20" HEIGHT="12"></TD>'
            if style.double:
                ring = f'<TABLE {frame} CELLBORDER="0" CELLSPACING="0"><TR><TD WIDTH="14" HEIGHT="6"></TD></TR></TABLE>'
                sample = f'<TD {frame} CELLPADDING="2">{ring}</TD>'
            cells.append(f'{sample}<TD ALIGN="LEFT">{word}   </TD>')
    if any(node.dashed for node in graph.nodes):
        cells.append('<TD ALIGN="LEFT">dashed: no gradient</TD>')
    rows = [f'<TR><TD ALIGN="LEFT"><FONT COLOR="{theme.text}"><B>{escape(title)}</B></FONT></TD></TR>'] if title else []
    rows.append(f'<TR><TD ALIGN="LEFT"><TABLE BORDER="0" CELLSPACING="4"><TR>{"".join(cells)}</TR></TABLE></TD></TR>')
    rows += [f'<TR><TD ALIGN="LEFT">{escape(note)}</TD></TR>' for note in graph.notes]
    return f'<<TABLE BORDER="0" CELLSPACING="0">{"".join(rows)}</TABLE>>'
