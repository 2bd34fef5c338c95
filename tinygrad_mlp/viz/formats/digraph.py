"""A graph in the DOT language, drawn alike by Graphviz 2.43 and by graphviz-pure.

HTML-like labels, stable names that are the ids in the SVG, too, no ``rank=same``, Unicode instead of ``<SUB>``.
"""

from dataclasses import replace
from typing import Any

from tinygrad_mlp.viz.colours import mix
from tinygrad_mlp.viz.labels import clean, escape, width
from tinygrad_mlp.viz.records import ClusterView, EdgeView, Entry, GraphView, NodeView
from tinygrad_mlp.viz.theme import Style, Theme

from .caption import length, lines_of, wrapped
from .words import (
    MARK,
    badge,
    edge_colour,
    edge_lines,
    edge_width,
    frames,
    label_colour,
    legend,
    readable,
    row_colour,
    style_of,
)

_SHAPES = {"box": "box", "rounded": "box", "note": "note", "ellipse": "ellipse"}
_TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
_LIT = "3"  # the width of a highlighted line
_WIDE = 560.0  # of the legend and the remarks


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
        edge_attr={"color": theme.edge, "arrowsize": "0.7", "fontname": "Arial", "fontsize": "9"},
    )
    within = _subgraphs(graph, theme, out)
    for node in graph.nodes:
        body = within.get(node.cluster, out)
        body.node(node.key, label=_label(node, theme), _attributes=_attributes(node, theme))
    for cluster in reversed(frames(graph)):  # inner ones first, each into the one around it
        within.get(cluster.parent, out).subgraph(within[cluster.key])
    for edge in graph.edges:
        out.edge(edge.source, edge.target, _attributes=_edge_attributes(edge, theme))
    return str(out.source)


def _subgraphs(graph: GraphView, theme: Theme, out: Any) -> dict[str, Any]:
    """Return an empty subgraph for every cluster, by its key."""
    from graphviz import escape as literal

    found: dict[str, Any] = {}
    deep: dict[str, int] = {}
    for cluster in frames(graph):
        deep[cluster.key] = deep.get(cluster.parent, 0) + 1
        found[cluster.key] = type(out)(
            f"cluster_{cluster.key}",
            graph_attr={
                "id": cluster.key,
                "label": _cluster_label(cluster, theme),
                "labelloc": "t",
                "style": "filled,rounded",
                "fillcolor": mix(theme.background, theme.faint, min(0.05 * deep[cluster.key], 0.2)),
                "color": theme.faint,
                "tooltip": literal(cluster.title),
            },
        )
    return found


def _cluster_label(cluster: ClusterView, theme: Theme) -> str:
    return f'<<FONT COLOR="{theme.faint}"><B>{escape(cluster.title)}</B></FONT>>'


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

    style = style_of(node.kind, theme)
    if node.fill:
        style = replace(style, fill=node.fill)
    attributes = _look(style, node.dashed) | {"id": node.key, "tooltip": literal(node.tip)}
    attributes["class"] = f"{node.kind} lit" if node.lit else node.kind
    if node.lit:
        attributes |= {"color": theme.lit, "penwidth": _LIT}
    if node.fill:
        attributes["fontcolor"] = readable(theme.text, node.fill)
    if node.op:
        attributes["ordering"] = "in"  # the first argument stays on the left
    return attributes


def _edge_attributes(edge: EdgeView, theme: Theme) -> dict[str, str]:
    from graphviz import escape as literal

    attributes = {"id": edge.key, "tooltip": literal(edge.title)}
    lines, colour = edge_lines(edge), edge_colour(edge, theme)
    if lines:
        rows = [f"<B>{escape(line)}</B>" if edge.lit else escape(line) for line in lines]
        cells = "".join(f"<TR><TD>&#160;{row}&#160;</TD></TR>" for row in rows)  # apart from the line
        attributes["label"] = f"<{_TABLE}{cells}</TABLE>>"
        attributes["fontcolor"] = readable(label_colour(edge, theme), theme.background)
    if colour != theme.edge:
        attributes["color"] = colour
    if edge.count > 1:
        attributes["penwidth"] = f"{edge_width(edge):g}"
    if edge.lit:
        attributes |= {"class": "lit", "penwidth": _LIT}
    if edge.backward:
        attributes["dir"] = "back"
    return attributes


def _label(node: NodeView, theme: Theme) -> str:
    """Return a node's HTML-like label: a bold title, smaller rows, a signed gradient in the colour of its sign."""
    title, fill = escape(node.title), node.fill or style_of(node.kind, theme).fill
    cells = f"<TR><TD>{title if node.kind == 'constant' else f'<B>{title}</B>'}</TD></TR>"
    for row in node.rows:
        ground, colour = "", readable(row_colour(row, theme), fill)
        mark = badge(row, theme)
        if mark:
            ground, colour = f' BGCOLOR="{mark.fill}"', mark.text
        cells += f'<TR><TD{ground}><FONT POINT-SIZE="9" COLOR="{colour}">{escape(row.text)}</FONT></TD></TR>'
    return f"<{_TABLE}{cells}</TABLE>>"


def _caption(graph: GraphView, theme: Theme, title: str) -> str:
    """Return what stands below the graph: the title, the legend, and the remarks."""
    rows = [f'<FONT COLOR="{theme.text}"><B>{escape(title)}</B></FONT>'] if title else []
    lines = lines_of(legend(graph, theme), _WIDE)
    notes = [line for note in graph.notes for line in wrapped(note, _WIDE)]
    lengths = [sum(map(length, line)) for line in lines]
    broadest = max([*lengths, *(width(text, 10) for text in (clean(title), *notes))])
    for line, long in zip(lines, lengths, strict=True):
        cells = "".join(_entry(entry, theme) for entry in line) + _rest(broadest - long)
        rows.append(f'<TABLE BORDER="0" CELLSPACING="4"><TR>{cells}</TR></TABLE>')
    rows += [escape(line) for line in notes]
    return f'<<TABLE BORDER="0" CELLSPACING="0">{"".join(_left(row) for row in rows or [""])}</TABLE>>'


def _rest(wide: float) -> str:
    """Return an empty cell for what a line of the legend leaves free; programs would spread its entries over it."""
    return f'<TD WIDTH="{round(wide)}" HEIGHT="1" FIXEDSIZE="TRUE" CELLPADDING="0"></TD>' if wide >= 1 else ""


def _left(content: str) -> str:
    return f'<TR><TD ALIGN="LEFT">{content}</TD></TR>'


def _entry(entry: Entry, theme: Theme) -> str:
    """Return one entry of the legend as cells: a sample, and the words."""
    words = f'<TD ALIGN="LEFT">{escape(entry.words)}   </TD>'
    size = 'WIDTH="20" HEIGHT="12" FIXEDSIZE="TRUE"'
    if entry.sample == "line":
        colour = entry.colour or theme.edge
        stroke = f'<TD WIDTH="{4 if entry.dash else 20}" HEIGHT="3" FIXEDSIZE="TRUE" BGCOLOR="{colour}"></TD>'
        space = f'<TD WIDTH="4" HEIGHT="3" FIXEDSIZE="TRUE"></TD>{stroke}' * 2
        cells = stroke + space * bool(entry.dash)
        return f"<TD>{_TABLE}<TR>{cells}</TR></TABLE></TD>{words}"
    if entry.sample in ("fill", MARK):
        frame = f'BORDER="1" COLOR="{theme.faint}" BGCOLOR="{entry.colour or theme.background}"'
        return f"<TD {frame} {size}></TD>{words}"
    if not entry.sample:
        return words
    style = style_of(entry.sample, theme)
    line = {"rounded": ' STYLE="ROUNDED"', "ellipse": ' STYLE="DOTTED"'}.get(style.shape, "")
    frame = f'BORDER="{round(style.width)}" COLOR="{style.stroke}" BGCOLOR="{style.fill}"{line}'
    if style.double:
        ring = f'<TABLE {frame} CELLBORDER="0" CELLSPACING="0"><TR><TD WIDTH="14" HEIGHT="6"></TD></TR></TABLE>'
        return f'<TD {frame} CELLPADDING="2">{ring}</TD>{words}'
    return f"<TD {frame} {size}></TD>{words}"
