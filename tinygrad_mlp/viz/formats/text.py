"""A graph as an indented tree of text, for terminals, screen readers and notebooks that show no images."""

from tinygrad_mlp.viz.records import GraphView, NodeView


def tree(graph: GraphView) -> str:
    """Return the graph as a tree from the output to the leaves; what is used again is named, not repeated."""
    nodes = {node.key: node for node in graph.nodes}
    inputs: dict[str, list[str]] = {key: [] for key in nodes}
    for edge in sorted(graph.edges, key=lambda e: (e.target, e.slot)):
        inputs[edge.target].append(edge.source)
    uses: dict[str, int] = dict.fromkeys(nodes, 0)
    for edge in graph.edges:
        uses[edge.source] += 1
    lines: list[str] = []
    printed: set[str] = set()
    stack = [(graph.nodes[0].key, "", "")] if graph.nodes else []
    while stack:
        key, lead, below = stack.pop()
        again = key in printed and bool(inputs[key])
        lines.append(lead + _line(nodes[key], uses[key] > 1, again))
        if again:
            continue
        printed.add(key)
        children = inputs[key]
        rows = [(c, below + "├─ ", below + "│  ") for c in children[:-1]]
        rows += [(c, below + "└─ ", below + "   ") for c in children[-1:]]
        stack.extend(reversed(rows))
    return "\n".join([*lines, *(f"({note})" for note in graph.notes)])


def _line(node: NodeView, shared: bool, again: bool) -> str:
    mark = f" [{node.key}]" if shared and node.kind != "constant" else ""
    if again:
        return f"{node.title}{mark} (above)"
    kind = "" if node.op or node.title == node.kind else f"{node.kind} "
    return "  ".join([f"{node.title}{mark}  {kind}".rstrip(), *(row.text for row in node.rows)])
