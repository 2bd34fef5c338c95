"""A graph as a flowchart of Mermaid, which GitHub, GitLab and many editors draw inside Markdown."""

import json
import re
from dataclasses import replace

from tinygrad_mlp.viz.colours import mix
from tinygrad_mlp.viz.labels import clean
from tinygrad_mlp.viz.records import EdgeView, Entry, GraphView, NodeView
from tinygrad_mlp.viz.theme import Style, Theme

from .words import MARK, describe, edge_colour, edge_lines, frames, legend, readable, style_of

_OUTLINES = {"input": '>"{}"]', "parameter": '["{}"]', "constant": '(["{}"])', "group": '[["{}"]]'}
_NO_TAGS = str.maketrans("<>", "‹›")  # in a title Mermaid drops tags and reads no entity codes
_COLUMNS = 4  # of the legend
_ROUNDED = '("{}")'
_DASHES = {"dotted": "2 3", "dashed": "6 3"}
_TURNED = {"TD": "BT", "LR": "RL"}
_PLAIN = re.compile(r"[^\w .,:=+\-×·–−…→∂∇Σσ₀-₉ᵀ/()]")  # whatever else could mean something to Mermaid


def flowchart(graph: GraphView, theme: Theme, title: str = "", rankdir: str = "TB") -> str:
    """Return the graph as a flowchart; the same graph gives the same text.

    Args:
        graph: What is to be drawn.
        theme: Its colours.
        title: A heading.
        rankdir: TB (inputs on top) or LR (inputs on the left).
    """
    upwards = 2 * sum(edge.backward for edge in graph.edges) > len(graph.edges)
    way = "TD" if rankdir == "TB" else "LR"
    heading = json.dumps(clean(title).translate(_NO_TAGS), ensure_ascii=False)
    lines = [f"---\ntitle: {heading}\n---"] if title else []
    lines += [f"flowchart {_TURNED[way] if upwards else way}", f"  accDescr: {escaped(describe(graph))}"]
    lines += _nested(graph) + [_edge(edge) for edge in graph.edges]
    entries = [entry for entry in legend(graph, theme) if entry.sample]
    lines += ['  subgraph legend["legend"]', "    direction TB"]
    lines += [_sample(i, entry) for i, entry in enumerate(entries)]
    lines += [f"    k{i} ~~~ k{i + _COLUMNS}" for i in range(len(entries) - _COLUMNS)] + ["  end"]  # one below another
    if graph.notes:
        lines.append(f'  remarks["{"<br/>".join(escaped(note) for note in graph.notes)}"]')
    return "\n".join(lines + _styles(graph, theme, entries)) + "\n"


def escaped(text: str) -> str:
    """Return ``text`` with whatever means something to Mermaid as entity codes.

    >>> escaped('a<b>&"c"#')
    'a#60;b#62;#38;#34;c#34;#35;'
    """
    return _PLAIN.sub(lambda found: f"#{ord(found[0])};", clean(text))


def _nested(graph: GraphView) -> list[str]:
    """Return the nodes, each inside the subgraphs of its clusters."""
    inner: dict[str, list[str]] = {"": []}
    clusters = frames(graph)
    for cluster in clusters:
        inner[cluster.key] = []
    for node in graph.nodes:
        inner.get(node.cluster, inner[""]).append(f"  {_node(node)}")
    for cluster in reversed(clusters):  # inner ones first
        body = [f'  subgraph {cluster.key}["{escaped(cluster.title)}"]', *inner[cluster.key], "  end"]
        inner.get(cluster.parent, inner[""]).extend(f"  {line}" if cluster.parent in inner else line for line in body)
    return inner[""]


def _node(node: NodeView) -> str:
    rows = [f"<b>{escaped(node.title)}</b>", *(escaped(row.text) for row in node.rows)]
    return node.key + _OUTLINES.get(node.kind, _ROUNDED).format("<br/>".join(rows))


def _edge(edge: EdgeView) -> str:
    ends = (edge.target, edge.source) if edge.backward else (edge.source, edge.target)
    label = "<br/>".join(escaped(line) for line in edge_lines(edge))
    return f'  {ends[0]} -->|"{label}"| {ends[1]}' if label else f"  {ends[0]} --> {ends[1]}"


def _sample(number: int, entry: Entry) -> str:
    return f"    k{number}" + _OUTLINES.get(entry.sample, _ROUNDED).format(escaped(entry.words))


def _styles(graph: GraphView, theme: Theme, entries: list[Entry]) -> list[str]:
    """Return the classes of nodes, who has them, and what is special about single nodes, edges and clusters."""
    lines = []
    members: dict[str, list[str]] = {}
    for node in graph.nodes:
        members.setdefault(node.kind, []).append(node.key)
    for number, entry in enumerate(entries):
        if entry.sample in theme.nodes:
            members.setdefault(entry.sample, []).append(f"k{number}")
    for kind, keys in members.items():
        lines.append(f"  classDef {kind} {_look(style_of(kind, theme), theme)}")
        lines.append(f"  class {','.join(keys)} {kind}")
    for node in graph.nodes:
        style = replace(style_of(node.kind, theme), fill=node.fill or style_of(node.kind, theme).fill)
        style = replace(style, dash="dashed" if node.dashed else style.dash)
        if node.lit:
            style = replace(style, stroke=theme.lit, width=3.0)
        if style != style_of(node.kind, theme):
            lines.append(f"  style {node.key} {_look(style, theme)}")
    for number, entry in enumerate(entries):
        if entry.sample in ("fill", MARK):
            lines.append(f"  style k{number} {_look(Style(entry.colour, theme.faint), theme)}")
        elif entry.sample == "line":
            lines.append(f"  style k{number} {_look(Style(theme.background, entry.colour, width=3.0), theme)}")
    for number, edge in enumerate(graph.edges):
        colour, wide = edge_colour(edge, theme), "3px" if edge.lit else "2px" if edge.count > 1 else "1px"
        if colour != theme.edge or wide != "1px":
            lines.append(f"  linkStyle {number} stroke:{colour},stroke-width:{wide}")
    ground = mix(theme.background, theme.faint, 0.05)
    frame = f"fill:{ground},stroke:{theme.faint},color:{theme.text}"
    lines += [f"  style {cluster.key} {frame}" for cluster in frames(graph)]
    lines.append(f"  style legend fill:{theme.background},stroke:{theme.background},color:{theme.faint}")
    if graph.notes:
        lines.append(f"  style remarks fill:{theme.background},stroke:{theme.background},color:{theme.faint}")
    return lines


def _look(style: Style, theme: Theme) -> str:
    parts = [f"fill:{style.fill}", f"stroke:{style.stroke}", f"stroke-width:{style.width:g}px"]
    parts.append(f"color:{readable(theme.text, style.fill)}")
    dash = _DASHES.get(style.dash, "")
    return ",".join([*parts, f"stroke-dasharray:{dash}"] if dash else parts)
