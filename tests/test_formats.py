"""What records say is said by every format: SVG, DOT, Mermaid and text."""

import shutil
import subprocess
import sysconfig
from dataclasses import replace
from xml.etree.ElementTree import ParseError

import pytest
from hypothesis import given
from pictured import NASTY, SVG, graph_views, groups, network, parse, texts

from tinygrad_mlp.viz.colours import contrast
from tinygrad_mlp.viz.formats.boxes import svg
from tinygrad_mlp.viz.formats.digraph import dot
from tinygrad_mlp.viz.formats.mermaid import escaped, flowchart
from tinygrad_mlp.viz.formats.text import tree
from tinygrad_mlp.viz.formats.words import describe, edge_lines
from tinygrad_mlp.viz.labels import clean, width
from tinygrad_mlp.viz.records import EdgeView, Entry, GraphView, NodeView
from tinygrad_mlp.viz.theme import LIGHT, THEMES

themes = pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)


def program(name):
    path = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    return pytest.param(path, id=name, marks=pytest.mark.skipif(path is None, reason=f"{name} is not installed"))


PROGRAMS = [program("dot"), program("graphviz-pure")]


def laid_out(path, source):
    done = subprocess.run([path, "-Tsvg"], input=source.encode(), capture_output=True, check=True, timeout=30)
    complaints = [line for line in done.stderr.splitlines() if b"no value for width of non-ASCII" not in line]
    assert not complaints, "graphviz-pure guesses the width of letters outside ASCII; else there is no warning"
    return parse(done.stdout.decode())


# --- SVG --------------------------------------------------------------------------------------------------------------


@given(graph_views(cycles=True))
def test_the_svg_has_every_node_edge_frame_label_and_tooltip(graph):
    root = parse(svg(graph, LIGHT, NASTY))
    nodes, edges, frames = (groups(root, kind) for kind in ("node", "edge", "cluster"))
    assert list(nodes) == [node.key for node in graph.nodes]
    for node in graph.nodes:
        group = nodes[node.key]
        assert group.findtext(f"{SVG}title") == clean(node.tip)
        assert set(group.get("class").split()) == {"node", node.kind} | ({"lit"} if node.lit else set())
        assert group.get("data-cluster", "") == node.cluster
        assert texts(group, "title") == [clean(node.title)]
        assert texts(group, "row") == [clean(row.text) for row in node.rows]
        assert texts(group, "value") == [clean(row.text) for row in node.rows if row.role == "value"]
    assert edges.keys() == {edge.key for edge in graph.edges}
    for edge in graph.edges:
        group = edges[edge.key]
        assert group.findtext(f"{SVG}title") == clean(edge.title)
        assert [group.get(f"data-{name}") for name in ("source", "target", "slot")] == [
            edge.source, edge.target, str(edge.slot),
        ]  # fmt: skip
        assert ("lit" in group.get("class").split()) == edge.lit
        if edge.source != edge.target:
            assert texts(group, "label") == [clean(line) for line in edge_lines(edge)]
    titles = {cluster.key: cluster for cluster in graph.clusters}
    for key, group in frames.items():
        assert group.get("data-parent", "") == titles[key].parent
        assert texts(group, "title") == [clean(titles[key].title)]
    assert root.findtext(f"{SVG}title") == NASTY
    assert root.findtext(f"{SVG}desc") == clean(describe(graph))
    assert all(clean(note) in texts(root, "note") for note in graph.notes)


@themes
def test_text_can_be_read_on_every_fill(theme):
    fills = ["#000000", "#FFFFFF", "#00224E", "#FEE838", "#7C7B78", "#D55E00"]
    nodes = tuple(
        NodeView(f"n{i}", "op", op="exp", value="1", grad="grad -1", sign=-1, fill=fill) for i, fill in enumerate(fills)
    )
    for group in groups(parse(svg(GraphView(nodes, (), 6), theme)), "node").values():
        fill = group.find(f"{SVG}rect").get("fill")
        for text in group.iter(f"{SVG}text"):
            assert contrast(text.get("fill"), fill) >= 4.5


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_the_head_of_a_backward_edge_is_at_its_source(rankdir):
    nodes = (NodeView("n0", "output", op="exp"), NodeView("n1", "input"))
    heads = []
    for backward in (False, True):
        graph = GraphView(nodes, (EdgeView("n1", "n0", 0, backward=backward),), 2)
        [edge] = groups(parse(svg(graph, LIGHT, "", rankdir)), "edge").values()
        x, y = edge.find(f"{SVG}polygon").get("points").split()[0].split(",")
        heads.append(float(y if rankdir == "TB" else x))
    assert heads[1] < heads[0], "the source lies before the target"


@themes
def test_what_is_highlighted_is_thicker_and_in_the_legend(theme):
    root = parse(svg(network(), theme))
    for group in groups(root, "edge").values():
        path = group.find(f"{SVG}path")
        assert ("lit" in group.get("class")) == (path.get("stroke-width") == "3" and path.get("stroke") == theme.lit)
    [legend] = (group for group in root.iter(f"{SVG}g") if group.get("class") == "legend")
    for word in ("input", "parameter", "several nodes in one", "dead", "highlighted", "negative", "words"):
        assert word in texts(legend)


def test_edges_that_stand_for_many_say_how_many_and_a_mark_has_a_ground():
    root = parse(svg(network(), LIGHT))
    many = groups(root, "edge")["g6-n2-2"]
    assert texts(many, "label") == ["×12"]
    assert float(many.find(f"{SVG}path").get("stroke-width")) > 1
    dead = groups(root, "node")["n1"]
    assert LIGHT.mark("dead").fill in [rect.get("fill") for rect in dead.iter(f"{SVG}rect")]
    assert "dead: 1 of 2" in texts(dead, "row")


def test_a_long_remark_is_wrapped():
    notes = texts(parse(svg(network(), LIGHT)), "note")
    assert len(notes) > 1
    assert " ".join(notes) == network().notes[0]


def test_the_description_counts_and_names():
    assert describe(network()) == (
        "7 nodes (1 input, 1 parameter, 1 constant, 2 operations, 1 output, 1 group), 6 edges, "
        '2 frames (model a<b>&"c", Linear), highlighted: relu, @ matmul, W, marked: relu dead'
    )


# --- DOT --------------------------------------------------------------------------------------------------------------

DOT = """\
	n0 [label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR><TD><B>loss = sum</B></TD></TR>\
<TR><TD><FONT POINT-SIZE="9" COLOR="#5A5A5A">0.5</FONT></TD></TR>\
<TR><TD><FONT POINT-SIZE="9" COLOR="#00507F">grad +1</FONT></TD></TR></TABLE>> class=output color="#8A7F00" \
fillcolor="#F8F1A0" id=n0 ordering=in peripheries=2 shape=box style="filled,rounded" tooltip="loss = sum, 0.5, grad +1"]
	n5 [label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR><TD>2</TD></TR></TABLE>> \
class=constant color="#5A5A5A" fillcolor="#FFFFFF" id=n5 shape=ellipse style="filled,dotted" tooltip=2]
"""


def test_the_dot_of_a_network_is_this_text():
    source = dot(network(), LIGHT)
    for line in DOT.splitlines():
        assert line in source.splitlines()
    for line in (
        "\tsubgraph cluster_c0 {",
        "\t\tsubgraph cluster_c1 {",
        '\t\t\tgraph [color="#5A5A5A" fillcolor="#EEEEEE" id=c1 label=<<FONT COLOR="#5A5A5A"><B>Linear</B></FONT>> '
        'labelloc=t style="filled,rounded" tooltip=Linear]',
        '\tn3 -> n2 [id="n3-n2-0" tooltip="n3 → n2, argument 1, a<b>&\\"c\\""]',
        '\tn2 -> n1 [class=lit color="#CC79A7" dir=back fontcolor="#A34700" id="n2-n1-0" '
        'label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
        "<TR><TD>&#160;<B>· [x &gt; 0]</B>&#160;</TD></TR></TABLE>> "
        'penwidth=3 tooltip="n1 → n2, argument 1, · [x > 0]"]',
    ):
        assert line in source.splitlines()
    assert "c2" not in source, "an empty frame is not drawn"
    assert "rank=same" not in source


@given(graph_views(cycles=True))
def test_the_same_graph_is_the_same_dot_mermaid_and_text(graph):
    assert dot(graph, LIGHT, NASTY) == dot(graph, LIGHT, NASTY)
    assert flowchart(graph, LIGHT, NASTY) == flowchart(graph, LIGHT, NASTY)
    assert tree(graph) == tree(graph)


@pytest.mark.parametrize("path", PROGRAMS)
@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_the_programs_draw_everything_with_the_same_ids(path, rankdir):
    root = laid_out(path, dot(network(), LIGHT, NASTY, rankdir))
    nodes, edges, frames = (groups(root, kind) for kind in ("node", "edge", "cluster"))
    assert nodes.keys() == {node.key for node in network().nodes}
    assert edges.keys() == {edge.key for edge in network().edges}
    assert frames.keys() == {"c0", "c1"}
    assert "lit" in edges["n2-n1-0"].get("class").split()
    for edge in network().edges:
        for line in edge_lines(edge):
            assert line in [text.strip("\xa0") for text in texts(edges[edge.key])]


@pytest.mark.parametrize("path", PROGRAMS)
@given(graph=graph_views(most=5, cycles=True))
def test_the_programs_accept_what_is_written_for_them(path, graph):
    try:
        root = laid_out(path, dot(graph, LIGHT))
    except ParseError as error:  # pragma: no cover
        pytest.fail(str(error))
    assert len(groups(root, "node")) == len(graph.nodes)


# --- Mermaid ----------------------------------------------------------------------------------------------------------

MERMAID = """\
---
title: "A \\"title\\""
---
flowchart TD
  accDescr: 2 nodes (1 input, 1 output), 1 edge
  n0("<b>y = exp</b><br/>1")
  n1>"<b>a#60;b#62;#38;#34;c#34;</b>"]
  n1 -->|"× #91;1#93;"| n0
  subgraph legend["legend"]
    direction TB
    k0>"input"]
    k1("output")
  end
  remarks["a remark"]
  classDef output fill:#F8F1A0,stroke:#8A7F00,stroke-width:1px,color:#1A1A1A
  class n0,k1 output
  classDef input fill:#E4E4E4,stroke:#5A5A5A,stroke-width:1px,color:#1A1A1A
  class n1,k0 input
  linkStyle 0 stroke:#D55E00,stroke-width:1px
  style legend fill:#FFFFFF,stroke:#FFFFFF,color:#5A5A5A
  style remarks fill:#FFFFFF,stroke:#FFFFFF,color:#5A5A5A
"""


def test_the_mermaid_of_a_small_graph_is_this_text():
    nodes = (
        NodeView("n0", "output", "y", op="exp", value="1", requires_grad=True),
        NodeView("n1", "input", NASTY, requires_grad=True),
    )
    edges = (EdgeView("n1", "n0", 0, ("× [1]",), sign=-1),)
    assert flowchart(GraphView(nodes, edges, 2, ("a remark",)), LIGHT, 'A "title"') == MERMAID


def test_mermaid_has_frames_highlights_and_the_way_of_the_gradient():
    lines = flowchart(network(), LIGHT).splitlines()
    assert '    subgraph c0["model a#60;b#62;#38;#34;c#34;"]' in lines
    assert '      subgraph c1["Linear"]' in lines
    assert "  linkStyle 0 stroke:#CC79A7,stroke-width:3px" in lines
    assert '  n1 -->|"· #91;x #62; 0#93;"| n2' in lines, "the gradient flows from n1 to n2"
    assert "  style n4 fill:#00224E,stroke:#CC79A7,stroke-width:3px,color:#FFFFFF" in lines
    backward = GraphView(network().nodes[:2], (EdgeView("n1", "n0", 0, backward=True),), 2)
    assert "flowchart BT" in flowchart(backward, LIGHT)
    assert "flowchart RL" in flowchart(backward, LIGHT, "", "LR")


@given(graph_views())
def test_mermaid_names_every_node_and_edge_in_letters_that_mean_nothing_to_it(graph):
    text = flowchart(graph, LIGHT)
    for node in graph.nodes:
        assert f"<b>{escaped(node.title)}</b>" in text
    assert sum(" --> " in line or " -->|" in line for line in text.splitlines()) == len(graph.edges)
    assert not set(escaped('"[]{}|<>`\\&\n;')) - set("#;0123456789 ")


# --- text -------------------------------------------------------------------------------------------------------------

TEXT = """\
loss = sum  0.5  grad +1
├─ » [× 1, = 0.5] relu  3×2 float32  dead: 1 of 2  in model a<b>&"c" › Linear
│  └─ » [· [x > 0]] @ matmul  3×2 float32  g Wᵀ
│     ├─ a<b>&"c"  input  3×4 float64
│     ├─ » [Xᵀ g] W  parameter  4×2 float32
│     └─ [×12] 12 × Block  group  in model a<b>&"c"
└─ 2  constant
(» highlighted)
(words)
(7 of 1,000 nodes, the nearest to the output; a larger budget= shows more of them, and takes longer)"""


def test_the_text_has_no_samples_of_colours():
    samples = (Entry("size:"), Entry("small", "fill", "#FFFFFF"), Entry("up", "line", "#0072B2"))
    words = tree(replace(network(), legend=(*samples, Entry("wrong 1", "mark")))).splitlines()
    assert "(wrong 1)" in words
    assert not {"(size:)", "(small)", "(up)"} & set(words)


@pytest.mark.parametrize("path", PROGRAMS)
def test_the_lines_of_a_legend_begin_together_and_their_entries_stand_close(path):
    first, second, third = "the first of the entries " * 3, "the second " * 5, "third"
    legend = tuple(Entry(words.strip(), "fill", "#CCCCCC") for words in (first, second, third))
    root = laid_out(path, dot(replace(network(), legend=legend), LIGHT))
    left = {text.text.strip(): float(text.get("x")) for text in root.iter(f"{SVG}text") if text.text}
    assert left[second.strip()] == pytest.approx(left["input"], abs=15)
    assert left["third"] - left[second.strip()] < width(second, 10) + 80


def test_the_text_of_a_network_is_this():
    assert tree(network()) == TEXT


@given(graph_views(cycles=True))
def test_the_text_tells_of_every_node_label_and_remark(graph):
    text = tree(graph)
    for node in graph.nodes:
        for row in node.rows:
            assert row.text in text
        assert node.title in text
    for edge in graph.edges:
        for line in edge_lines(edge):
            assert line in text
    assert all(f"({note})" in text for note in graph.notes)


def test_the_text_of_a_deep_graph_is_not_indented_without_end():
    nodes = tuple(NodeView(f"n{i}", "op", op="tanh") for i in range(5000))
    edges = tuple(EdgeView(f"n{i + 1}", f"n{i}", 0) for i in range(4999))
    text = tree(GraphView(nodes, edges, 5000))
    assert text.count("tanh") == 5000
    assert "⋮ level 4999: tanh" in text
    assert len(text) < 300_000
