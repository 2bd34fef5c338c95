"""Graphs to be drawn, made by hand or drawn by Hypothesis, and what is found in an SVG of them."""

from xml.etree.ElementTree import fromstring

from hypothesis import strategies as st

from tinygrad_mlp.viz.records import ClusterView, EdgeView, Entry, GraphView, NodeView, Row

SVG = "{http://www.w3.org/2000/svg}"
NASTY = 'a<b>&"c"'
TEXTS = st.sampled_from(["x", "∂y/∂x = 3", NASTY, "a longer text of several words", "] --> [", "#quot;", "\\N", "W₁ᵀ"])


def network():
    """A layer with a loss, in nested frames, with everything that records can say."""
    grows = {"requires_grad": True}
    lit = {"lit": True, "cluster": "c1", "dtype": "float32"} | grows
    nodes = (
        NodeView("n0", "output", "loss", op="sum", symbol="Σ", value="0.5", grad="grad +1", sign=1, **grows),
        NodeView("n1", "op", op="relu", symbol="relu", shape=(3, 2), mark="dead", detail="1 of 2", **lit),
        NodeView("n2", "op", op="matmul", symbol="@", shape=(3, 2), lines=(Row("g Wᵀ"),), **lit),
        NodeView("n3", "input", NASTY, shape=(3, 4), dtype="float64"),
        NodeView("n4", "parameter", "W", shape=(4, 2), fill="#00224E", source="f.py:3", **lit),
        NodeView("n5", "constant", value="2"),
        NodeView("g6", "group", "Block", count=12, cluster="c0", **grows),
    )
    edges = (
        EdgeView("n1", "n0", 0, label=("× 1", "= 0.5"), sign=1, lit=True),
        EdgeView("n5", "n0", 1),
        EdgeView("n2", "n1", 0, label=("· [x > 0]",), sign=-1, lit=True, backward=True),
        EdgeView("n3", "n2", 0, tip=NASTY),
        EdgeView("n4", "n2", 1, label=("Xᵀ g",), lit=True),
        EdgeView("g6", "n2", 2, count=12),
    )
    clusters = (
        ClusterView("c0", f"model {NASTY}"),
        ClusterView("c1", "Linear", "c0"),
        ClusterView("c2", "empty"),
    )
    notes = ("7 of 1,000 nodes, the nearest to the output; a larger budget= shows more of them, and takes longer",)
    return GraphView(nodes, edges, 1000, notes, clusters, (Entry("negative", "line", "#D55E00", "7 3"), Entry("words")))


@st.composite
def graph_views(draw, most=14, cycles=False):
    """A random graph with frames inside frames, labels, marks, highlighted and backward edges."""
    count = draw(st.integers(1, most))
    parents = draw(st.lists(st.integers(-1, 3), max_size=5))
    clusters = tuple(
        ClusterView(f"c{i}", draw(TEXTS), f"c{parent}" if 0 <= parent < i else "") for i, parent in enumerate(parents)
    )
    homes = st.sampled_from(["", *(cluster.key for cluster in clusters)])
    kinds = st.sampled_from(["op", "input", "parameter", "constant", "group"])
    texts = st.one_of(st.just(""), TEXTS)
    nodes = tuple(
        NodeView(
            f"n{i}", draw(kinds) if i else "output", draw(texts), value=draw(texts), cluster=draw(homes),
            mark=draw(st.sampled_from(["", "", "dead", "odd"])), lit=draw(st.booleans()),
            requires_grad=draw(st.booleans()), fill=draw(st.sampled_from(["", "", "#00224E", "#FEE838"])),
            count=draw(st.sampled_from([1, 1, 1234])),
        )
        for i in range(count)
    )  # fmt: skip
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    ends = ends if cycles else ends.filter(lambda e: e[0] > e[1])
    pairs = draw(st.lists(ends, max_size=2 * most)) if count > 1 else []
    edges = tuple(
        EdgeView(
            f"n{s}", f"n{t}", slot, tuple(draw(st.lists(TEXTS, max_size=2))), draw(texts), draw(st.integers(-1, 1)),
            draw(st.sampled_from([1, 1, 12])), lit=draw(st.booleans()), backward=draw(st.booleans()),
        )
        for slot, (s, t) in enumerate(pairs)
    )  # fmt: skip
    return GraphView(nodes, edges, count, tuple(draw(st.lists(TEXTS, max_size=2))), clusters)


def parse(svg):
    return fromstring(svg)


def groups(root, kind):
    """The groups of a class, by their ids."""
    return {g.get("id"): g for g in root.iter(f"{SVG}g") if kind in g.get("class", "").split()}


def texts(group, kind=None):
    """What is written in a group, in the texts of a class if one is given."""
    return ["".join(t.itertext()) for t in group.iter(f"{SVG}text") if not kind or kind in t.get("class", "").split()]


def numbers(element, *names):
    return [float(element.get(name)) for name in names]


def box(group):
    """Left, top, right and bottom of everything drawn in a group, texts excepted."""
    xs, ys = [], []
    for shape in group:
        tag = shape.tag.removeprefix(SVG)
        if tag == "rect":
            x, y, w, h = numbers(shape, "x", "y", "width", "height")
        elif tag == "ellipse":
            cx, cy, rx, ry = numbers(shape, "cx", "cy", "rx", "ry")
            x, y, w, h = cx - rx, cy - ry, 2 * rx, 2 * ry
        elif tag == "path" and "v" in shape.get("d"):  # a note: M x,y h(w - 8) l8,8 v(h - 8) …
            words = shape.get("d").split()
            x, y = map(float, words[0][1:].split(","))
            w, h = float(words[1][1:]) + 8, float(words[3][1:]) + 8
        else:
            continue
        xs += [x, x + w]
        ys += [y, y + h]
    return min(xs), min(ys), max(xs), max(ys)


def overlap(a, b, slack=0.02):
    return a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack


def within(inner, outer, slack=0.02):
    return (
        outer[0] - slack <= inner[0]
        and outer[1] - slack <= inner[1]
        and inner[2] <= outer[2] + slack
        and inner[3] <= outer[3] + slack
    )
