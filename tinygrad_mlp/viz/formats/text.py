"""A graph as an indented tree of text, for terminals, screen readers and notebooks that show no images."""

from tinygrad_mlp.viz.records import EdgeView, Entry, GraphView, NodeView

from .words import edge_lines, highlighted

DEEPEST = 40  # branches that are drawn; below, a number tells the level
LIT = "» "


def tree(graph: GraphView) -> str:
    """Return the graph as a tree from the output to the leaves; what is used again is named, not repeated."""
    nodes = {node.key: node for node in graph.nodes}
    inputs: dict[str, list[EdgeView]] = {key: [] for key in nodes}
    uses: dict[str, int] = dict.fromkeys(nodes, 0)
    for wire in sorted(graph.edges, key=lambda e: (e.target, e.slot)):
        inputs[wire.target].append(wire)
        uses[wire.source] += 1
    within = _within(graph)
    by_node = not any(edge.lit for edge in graph.edges)  # where only nodes are highlighted, they are marked
    lines: list[str] = []
    printed: set[str] = set()
    starts = [key for key in nodes if not uses[key]]
    for start in dict.fromkeys([*list(nodes)[:1], *starts, *nodes]):  # the last only where there are cycles
        stack: list[tuple[str, str, str, EdgeView | None, int]] = [(start, "", "", None, 0)] * (start not in printed)
        while stack:
            key, lead, below, edge, level = stack.pop()
            node, outer = nodes[key], nodes[edge.target].cluster if edge else ""
            again = key in printed and bool(inputs[key])
            lit = edge.lit if edge and not by_node else node.lit
            frame = f"  in {within[node.cluster]}" if node.cluster != outer and node.cluster in within else ""
            branch = lead + LIT * lit + _on_edge(edge)
            lines.append(branch + _line(node, uses[key] > 1, again) + frame * (not again))
            if again:
                continue
            printed.add(key)
            last = len(inputs[key]) - 1
            stack.extend(
                (e.source, *_branch(below, level, i == last), e, level + 1)
                for i, e in reversed(list(enumerate(inputs[key])))
            )
    if highlighted(graph):
        lines.append(f"({LIT}highlighted)")
    words = [entry.words for entry in graph.legend if entry.words and not _of_colour(entry)]
    return "\n".join([*lines, *(f"({line})" for line in (*words, *graph.notes))])


def _of_colour(entry: Entry) -> bool:
    """Return whether an entry of the legend says nothing without colours: a line, a fill, or the heading of a scale."""
    return entry.sample in ("line", "fill") or entry.words.endswith(":")


def _branch(below: str, level: int, last: bool) -> tuple[str, str]:
    """Return what stands before a node, and before what is below it."""
    if level >= DEEPEST:
        return f"⋮ level {level + 1}: ", ""
    return (below + "└─ ", below + "   ") if last else (below + "├─ ", below + "│  ")


def _within(graph: GraphView) -> dict[str, str]:
    """Return the titles of the frames around whatever lies in a cluster, the outermost first."""
    within: dict[str, str] = {}
    for cluster in graph.clusters:
        outer = within.get(cluster.parent, "")
        within[cluster.key] = f"{outer} › {cluster.title}" if outer else cluster.title
    return within


def _on_edge(edge: EdgeView | None) -> str:
    lines = edge_lines(edge) if edge else ()
    return f"[{', '.join(lines)}] " if lines else ""


def _line(node: NodeView, shared: bool, again: bool) -> str:
    mark = f" [{node.key}]" if shared and node.kind != "constant" else ""
    if again:
        return f"{node.title}{mark} (above)"
    kind = "" if node.op or node.title == node.kind else f"{node.kind} "
    return "  ".join([f"{node.title}{mark}  {kind}".rstrip(), *(row.text for row in node.rows)])
