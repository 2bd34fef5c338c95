"""A graph in the DOT language, drawn alike by Graphviz 2.43 and by graphviz-pure.

HTML-like labels, stable names, no ``rank=same``, Unicode instead of ``<SUB>``.
"""

from tinygrad_mlp.viz.labels import escape
from tinygrad_mlp.viz.records import GraphView, NodeView
from tinygrad_mlp.viz.theme import Style, Theme

from .boxes import KINDS, tone

_SHAPES = {"box": "box", "rounded": "box", "note": "note", "ellipse": "ellipse"}


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
        out.edge(edge.source, edge.target, tooltip=edge.title)
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

    attributes = _look(theme.nodes[node.kind], node.dashed) | {"tooltip": literal(node.tip)}
    if node.op:
        attributes["ordering"] = "in"  # the first argument stays on the left
    return attributes


def _label(node: NodeView, theme: Theme) -> str:
    """Return a node's HTML-like label: a bold title, smaller rows, a signed gradient in the colour of its sign."""
    title = escape(node.title)
    rows = [title if node.kind == "constant" else f"<B>{title}</B>"]
    rows += [f'<FONT POINT-SIZE="9" COLOR="{tone(row, theme)}">{escape(row.text)}</FONT>' for row in node.rows]
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
