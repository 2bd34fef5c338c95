"""How long does a picture take: to be laid out and written as SVG, and as a whole, of a graph of 66,000 numbers?

The layout is timed by the library itself and by Graphviz. The large graph is one step of micrograd's demo (see
``scalars``), drawn in every kind, from the recorded loss to the SVG.
"""

import shutil
import subprocess
import sysconfig
from random import Random

from benchmarks.scalars import loss_of, moons, plain_network
from benchmarks.timing import interleaved
from tinygrad_mlp.tensors import Value
from tinygrad_mlp.viz import draw
from tinygrad_mlp.viz.formats import boxes
from tinygrad_mlp.viz.formats.digraph import dot
from tinygrad_mlp.viz.records import ClusterView, EdgeView, GraphView, NodeView
from tinygrad_mlp.viz.theme import LIGHT

PROGRAMS = ("dot", "graphviz-pure")
PATIENCE = 20.0  # seconds for a program


def network(layers, per_layer=17, framed=True, labelled=False, skip=3):
    """Return the graph of a deep network: affine maps and activations, every ``skip`` layers with a short cut."""
    nodes, edges = [NodeView("n0", "input", "X", shape=(300, 64), dtype="float64", value="min 0 · mean 1 · max 2")], []

    def add(kind, cluster, *inputs, **fields):
        key = f"n{len(nodes)}"
        nodes.append(NodeView(key, kind, cluster=cluster, requires_grad=True, grad="grad norm 0.1234", **fields))
        for slot, source in enumerate(inputs):
            edges.append(EdgeView(source, key, slot, label=("g·Wᵀ", "norm 0.5") if labelled else ()))
        return key

    last = start = "n0"
    for layer in range(layers):
        cluster = f"c{layer}" if framed else ""
        for _ in range(per_layer // 5):
            weight = add("parameter", cluster, name="weight", shape=(64, 64), dtype="float64")
            bias = add("parameter", cluster, name="bias", shape=(64,), dtype="float64")
            product = add("op", cluster, last, weight, op="matmul", symbol="@", shape=(300, 64), dtype="float64")
            total = add("op", cluster, product, bias, op="add", symbol="+", shape=(300, 64), dtype="float64")
            last = add("op", cluster, total, op="relu", symbol="relu", shape=(300, 64), dtype="float64")
        if layer % skip == skip - 1:
            last = start = add("op", "", last, start, op="add", symbol="+", shape=(300, 64), dtype="float64")
    clusters = tuple(ClusterView(f"c{i}", f"block.{i}: Block, 12,480 parameters") for i in range(layers * framed))
    return GraphView(tuple(nodes), tuple(edges), len(nodes), (), clusters)


def tangle(count, reach=30, seed=1):
    """Return a random graph whose nodes have two inputs each, which no network looks like."""
    random = Random(seed)
    nodes = tuple(NodeView(f"n{i}", "op", op="add", symbol="+", value="0.5") for i in range(count))
    edges = tuple(
        EdgeView(f"n{i + 1 + random.randrange(min(reach, count - 1 - i))}", f"n{i}", slot)
        for i in range(count - 1)
        for slot in range(2)
    )
    return GraphView(nodes, edges, count)


def works():
    """Return ``title: (graph, rounds, whether programs are timed, too)``."""
    return {
        "a network of 12 layers": (network(12), 9, True),
        "the same, without frames": (network(12, framed=False), 9, True),
        "the same, a label on every edge": (network(12, labelled=True), 9, True),
        "50 layers with one short cut over all": (network(50, 5, skip=50), 9, True),
        "a random graph": (tangle(200), 9, True),
        "a network of 160 layers": (network(160, 15), 3, False),
        "a large random graph": (tangle(2_500), 3, False),
    }


def demo():
    """Return the loss of micrograd's demo after ``backward()``, and its first weight."""
    parameters, network = plain_network(Value)
    loss = loss_of(parameters, network, *moons())
    loss.backward()
    return loss, parameters[0]


def pictures(rounds=5):
    """Return the rows of the large graph: seconds, and the ratio to kind ``ops``."""
    loss, weight = demo()
    functions = {
        kind: lambda subjects=subjects, kind=kind: draw(*subjects, kind=kind, engine="native").svg
        for kind in ("ops", "scalar", "backward", "path", "health", "check")
        for subjects in [(loss, weight) if kind == "path" else (loss,)]
    }
    times = interleaved(functions, repeats=1, rounds=rounds)
    graph = draw(loss)._drawing.graph
    head = f"pictures: micrograd's demo, {graph.total:,} nodes in {len(graph.nodes)}"
    return [(head, name, f"{t:.2f} s", f"{t / times['ops']:.2f}") for name, t in times.items()]


def main():
    """Return the rows: seconds, and the ratio to the library's own layout, or to the simplest kind."""
    rows = []
    found = {name: shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts")) for name in PROGRAMS}
    for title, (graph, rounds, programs) in works().items():
        functions = {"native": lambda graph=graph: boxes.svg(graph, LIGHT)}
        for name, path in found.items():
            if path and programs:
                functions[name] = lambda graph=graph, path=path: subprocess.run(
                    [path, "-Tsvg"], input=dot(graph, LIGHT).encode(), capture_output=True, check=True, timeout=PATIENCE
                )
        times = interleaved(functions, repeats=1, rounds=rounds)
        head = f"layout: {title}, {len(graph.nodes):,} nodes, {len(graph.edges):,} edges"
        rows += [(head, name, f"{t:.3f} s", f"{t / times['native']:.2f}") for name, t in times.items()]
    return rows + pictures()
