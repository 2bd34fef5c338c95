"""Pictures: what is in them, in every format, with Graphviz, with graphviz-pure and without any program."""

import os
import shutil
import stat
import sys
import sysconfig
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mlp import no_grad
from tinygrad_mlp.errors import DataError, LayoutError, TinygradError, UnsupportedError
from tinygrad_mlp.ops import dropout, sigmoid
from tinygrad_mlp.tensors import Tensor, Value
from tinygrad_mlp.viz import Picture, draw, engines, picture
from tinygrad_mlp.viz.formats.layout import GAP, arrange
from tinygrad_mlp.viz.graphs.view import view
from tinygrad_mlp.viz.labels import norm, number, summary
from tinygrad_mlp.viz.records import Drawing

SVG = "{http://www.w3.org/2000/svg}"
NASTY = 'a<b>&"c"'
NAMES = [NASTY, r"back\slash \n \N \\N \\", "two\nlines", "<b>", "é ₁ ᵀ σ", "bell\x07", "]]>", "{a|b}"]


def program(name):
    path = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    reason = f"{name} is not installed"
    return pytest.param(path, id=name, marks=pytest.mark.skipif(path is None, reason=reason))


PROGRAMS = [program("dot"), program("graphviz-pure")]
ENGINES = [pytest.param("native", id="native"), *PROGRAMS]
needs_a_program = pytest.mark.skipif(
    not engines.find_engines(), reason="neither dot nor graphviz-pure is installed: nothing makes PNG"
)


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without any layout program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(engines.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))


def fake_dot(folder, script):
    path = folder / "dot"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def square():
    x = Value(2.0, "x")
    y = x * x + 1.0
    y.name = "y"
    return x, y


def loss_of_a_layer():
    X = Tensor(np.arange(6.0).reshape(3, 2) / 6, requires_grad=False, name="X")
    W = Tensor(np.array([[0.5, -1.0], [0.25, 2.0]]), name="W")
    H = sigmoid(X @ W)
    H.name = "H"
    return W, (H * np.ones((3, 2))).sum()


def parse(svg):
    return fromstring(svg)


def groups(root, kind):
    return [g for g in root.iter(f"{SVG}g") if kind in g.get("class", "").split()]


def words(root):
    """Everything that is written in the picture, tooltips excluded."""
    return " ".join(" ".join(t.itertext()) for t in root.iter(f"{SVG}text"))


# --- the op graph -----------------------------------------------------------------------------------------------------

SQUARE_NODES = """\
	n0 [label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR><TD><B>y = add</B></TD></TR>\
<TR><TD><FONT POINT-SIZE="9" COLOR="#5A5A5A">5</FONT></TD></TR>\
<TR><TD><FONT POINT-SIZE="9" COLOR="#00507F">grad +1</FONT></TD></TR></TABLE>> \
class=output color="#8A7F00" fillcolor="#F8F1A0" id=n0 ordering=in peripheries=2 shape=box style="filled,rounded" \
tooltip="y = add, 5, grad +1, y = 4 + 1 = 5"]
	n1 [label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR><TD><B>× multiply</B></TD></TR>\
<TR><TD><FONT POINT-SIZE="9" COLOR="#5A5A5A">4</FONT></TD></TR>\
<TR><TD><FONT POINT-SIZE="9" COLOR="#00507F">grad +1</FONT></TD></TR></TABLE>> \
class=op color="#3A3A3A" fillcolor="#FFFFFF" id=n1 ordering=in shape=box style="filled,rounded" \
tooltip="× multiply, 4, grad +1, x·x = 2·2 = 4"]
	n2 [label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR><TD>1</TD></TR></TABLE>> \
class=constant color="#5A5A5A" fillcolor="#FFFFFF" id=n2 shape=ellipse style="filled,dotted" tooltip=1]
	n3 [label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR><TD><B>x</B></TD></TR>\
<TR><TD><FONT POINT-SIZE="9" COLOR="#5A5A5A">2</FONT></TD></TR>\
<TR><TD><FONT POINT-SIZE="9" COLOR="#00507F">grad +4</FONT></TD></TR></TABLE>> \
class=parameter color="#0072B2" fillcolor="#CFE6F5" id=n3 penwidth=2 shape=box style=filled tooltip="x, 2, grad +4"]
	n1 -> n0 [id="n1-n0-0" tooltip="n1 → n0, argument 1"]
	n2 -> n0 [id="n2-n0-1" tooltip="n2 → n0, argument 2"]
	n3 -> n1 [id="n3-n1-0" tooltip="n3 → n1, argument 1"]
	n3 -> n1 [id="n3-n1-1" tooltip="n3 → n1, argument 2"]
}
"""


def test_the_dot_of_a_small_graph_is_this_text():
    _, y = square()
    y.backward()
    source = draw(y).source
    assert source[source.index("\tn0") :] == SQUARE_NODES


def test_the_same_graph_gives_the_same_bytes():
    one, two = draw(loss_of_a_layer()[1]), draw(loss_of_a_layer()[1])
    assert one.source == two.source
    assert draw(square()[1], engine="native").svg == draw(square()[1], engine="native").svg


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_every_node_and_edge_is_in_the_svg(engine, rankdir):
    _, loss = loss_of_a_layer()
    root = parse(draw(loss, engine=engine, rankdir=rankdir).svg)
    assert len(groups(root, "node")) == 7  # X, W, matmul, sigmoid, ones, multiply, sum
    assert len(groups(root, "edge")) == 6
    for label in ("X", "W", "H = sigmoid", "matmul", "multiply", "constant", "3×2 float64", "grad: not computed"):
        assert label in words(root)


@pytest.mark.parametrize("engine", ENGINES)
def test_both_edges_of_x_times_x_are_drawn(engine):
    x = Value(3.0, "x")
    assert len(groups(parse(draw(x * x, engine=engine).svg), "edge")) == 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "name", [NASTY, r"back\slash \n \N \\N \\", "two\nlines", "<b>", "é ₁ ᵀ σ", "bell\x07", "]]>", "{a|b}"]
)
def test_a_name_of_any_characters_is_written_as_it_is(engine, name):
    shown = " ".join(name.replace("\x07", "\ufffd").split())
    root = parse(draw(Value(1.0, name) * 2.0, engine=engine, title=name).svg)
    assert words(root).replace("\xa0", " ").count(shown) >= 2  # the node and the title


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_an_svg_with_a_title_and_a_description(engine):
    for title, shown in (("", "computational graph"), (NASTY, NASTY)):
        root = parse(draw(square()[1], engine=engine, title=title).svg)
        assert root.findtext(f"{SVG}title") == shown
        assert root.findtext(f"{SVG}desc") == "4 nodes (1 parameter, 1 constant, 1 operation, 1 output), 4 edges"
        assert root.get("role") == "img"


@pytest.mark.parametrize("engine", PROGRAMS)
def test_the_programs_lay_out_without_complaint(engine):
    import subprocess

    for source in (draw(loss_of_a_layer()[1]).source, draw(mlp(2, 3, 3)).source):
        done = subprocess.run([engine, "-Tsvg"], input=source.encode(), capture_output=True, check=True, timeout=20)
        assert b"Error" not in done.stderr, done.stderr


def test_gradients_are_not_computed_before_backward_and_signed_afterwards():
    _, y = square()
    assert [node.title for node in view(y).nodes if node.grad == "grad: not computed"] == ["y = add", "× multiply", "x"]
    (-y).backward()
    text = draw(y).text
    assert "not computed" not in text
    assert "grad -4" in text


def test_a_tensor_shows_the_norm_of_its_gradient_and_says_how_inner_ones_are_kept():
    W, loss = loss_of_a_layer()
    loss.backward()
    text = draw(loss).text
    assert f"grad norm {np.linalg.norm(W.grad):.4g}" in text
    assert 'backward(keep="all")' in text
    assert "not computed" not in text


def test_leaves_are_parameters_or_inputs_by_their_gradient():
    _, loss = loss_of_a_layer()
    kinds = {node.title: (node.kind, node.dashed) for node in view(loss).nodes}
    assert kinds["X"] == ("input", True)
    assert kinds["W"] == ("parameter", False)
    assert kinds["constant"] == ("constant", False)
    assert kinds["Σ sum"][0] == "output"


def test_a_constant_array_used_twice_is_one_node_but_equal_numbers_are_not():
    x, c = Tensor(np.ones(2)), np.arange(2.0)
    graph = view((x * c + c) * 2.0 * 2.0)
    assert Counter(node.kind for node in graph.nodes)["constant"] <= 4
    assert sum(node.title == "2" for node in graph.nodes) == 2


def test_a_result_without_history_is_one_leaf():
    with no_grad():
        y = Value(2.0, "x") * 3.0
    assert [node.kind for node in view(y).nodes] == ["input"]
    assert "6" in draw(y, engine="native").svg


def test_arguments_are_written_as_one_types_them_without_addresses():
    x = Tensor(np.ones((4, 3)), name="x")
    rng = np.random.default_rng(0)
    y = dropout(x[np.array([0, 1, 1]), 1:], 0.5, rng=rng).sum(axis=1)
    text = draw(y).text
    assert "index=([0, 1, 1], 1:)" in text
    assert "axis=1" in text
    assert "rng=Generator" in text
    assert " 0x" not in text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (2.5, "2.5"),
        (True, "True"),
        (-0.0, "0"),
        (np.array([1.0, 2.0]), "[1, 2]"),
        (np.array([[1.0, np.nan], [np.inf, 3.0]]), "min 1 · mean 2 · max 3 · 1 nan · 1 inf"),
        (np.full((2, 3), np.nan), "6 nan"),
        (np.zeros((0, 3)), "empty"),
        (np.array([1e308] * 8), "min 1e+308 · mean inf · max 1e+308"),
        (np.array([True, False, True]), "2 of 3 true"),
        (np.arange(10), "min 0 · mean 4.5 · max 9"),
    ],
)
def test_values_are_summarised_without_warnings(data, text):
    assert summary(data) == text


def test_a_norm_does_not_overflow():
    assert norm(np.full(4, 1e200)) == 2e200
    assert norm(np.zeros((0,))) == 0.0
    assert np.isnan(norm(np.array([np.nan, 1.0])))
    assert number(0.0, signed=True) == "0"


def test_the_text_names_what_is_used_twice():
    x = Value(2.0, "x")
    s = x + 1.0
    lines = draw(s * s).text.splitlines()
    assert sum("add" in line for line in lines) == 2
    assert sum("(above)" in line for line in lines) == 1
    assert sum("1  constant" in line for line in lines) == 1


# --- scale ------------------------------------------------------------------------------------------------------------


def chain(length):
    x = Value(0.5, "x")
    for _ in range(length):
        x = x.tanh()
    return x


def test_a_large_graph_is_folded_and_says_so():
    shown = draw(chain(10_000), engine="native")
    assert len(groups(parse(shown.svg), "node")) == 2
    assert "10,000 × tanh" in words(parse(shown.svg))
    assert "10,001 nodes, those that are computed alike shown as one" in shown.text
    x = Value(0.5)
    for _ in range(500):
        x = x.tanh() * 2.0
    shown = draw(x, engine="native")
    assert len(groups(parse(shown.svg), "node")) == 200
    assert "200 of 1,501 nodes" in shown.text
    assert "folded input" in words(parse(shown.svg))


def test_more_nodes_than_can_be_laid_out_are_refused_unless_forced():
    root = chain(2_600)
    for budget in (None, 2_601):
        with pytest.raises(LayoutError, match=r"2,601 nodes are too many .* force=True"):
            draw(root, budget=budget)
    assert len(view(root, budget=None, force=True).nodes) == 2_601
    assert draw(root, budget=None, force=True).source.count("->") == 2_600
    with pytest.raises(LayoutError, match="at least one node"):
        draw(root, budget=0)


edges_of_a_dag = st.integers(2, 14).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.tuples(st.integers(1, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] > e[1]), max_size=30),
    )
)


@given(edges_of_a_dag, st.lists(st.tuples(st.floats(10, 200), st.floats(10, 60)), min_size=14, max_size=14))
def test_the_own_layout_overlaps_nothing_and_runs_one_way(graph, sizes):
    count, edges = graph
    layout = arrange(sizes[:count], edges)
    boxes = [(x, y, *size) for (x, y), size in zip(layout.centres, sizes, strict=False)]
    for i, (x, y, w, h) in enumerate(boxes):
        assert x - w / 2 >= -1e-6
        assert x + w / 2 <= layout.breadth + 1e-6
        assert y - h / 2 >= -1e-6
        assert y + h / 2 <= layout.depth + 1e-6
        for u, v, w2, h2 in boxes[:i]:
            assert abs(x - u) >= (w + w2) / 2 + GAP - 1e-6 or abs(y - v) >= (h + h2) / 2 - 1e-6
    for (source, target), route in zip(edges, layout.routes, strict=True):
        assert all(a[1] < b[1] for a, b in pairwise(route))
        assert route[0][1] == pytest.approx(layout.centres[source][1] + sizes[source][1] / 2)
        assert abs(route[-1][0] - layout.centres[target][0]) <= sizes[target][0] / 2
    for pair, many in Counter(edges).items():
        ends = {layout.routes[i][-1] for i, edge in enumerate(edges) if edge == pair}
        assert len(ends) == many, "parallel edges end apart"


# --- the network diagram ----------------------------------------------------------------------------------------------


def mlp(*sizes, weights=True, bias=True, name="MLP"):
    rng = np.random.default_rng(3)
    layers = [{"name": "input", "units": sizes[0], "activation": "", "weight": None, "bias": None}]
    for i, (a, b) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        layers.append(
            {
                "name": "output" if last else f"hidden {i + 1}",
                "units": b,
                "activation": "softmax" if last else "sigmoid",
                "weight": rng.normal(size=(a, b)) if weights else None,
                "bias": rng.normal(size=b) if weights and bias else None,
            }
        )
    return {"name": name, "layers": layers}


class Described:
    def describe(self):
        return mlp(2, 3, 1)


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize(
    ("sizes", "count"), [((2, 3, 1), 13), ((2, 3, 2), 17), ((2, 3, 3), 21), ((2, 3, 3, 3), 33)], ids=str
)
def test_a_network_shows_every_unit_weight_and_the_number_of_parameters(sizes, count, weights):
    shown = draw(mlp(*sizes, weights=weights), engine="no-such-program")
    root = parse(shown.svg)
    assert len(groups(root, "unit")) == sum(sizes) + len(sizes) - 1
    [lines] = groups(root, "weights")
    assert len(lines.findall(f"{SVG}line")) == count
    assert shown.title == f"MLP {'-'.join(map(str, sizes))}, {count} parameters"
    assert f"{count} parameters" in words(root)
    assert "softmax" in words(root)
    assert shown.source.count("->") == count


def test_lines_tell_weights_by_width_colour_dashes_and_tooltip():
    record = mlp(2, 1, bias=False)
    record["layers"][1]["weight"] = np.array([[2.0], [-0.5]])
    [lines] = groups(parse(draw(record).svg), "weights")
    by_tip = {line.findtext(f"{SVG}title"): line for line in lines}
    strong, weak = by_tip["weight 1 → 1 of output: +2"], by_tip["weight 2 → 1 of output: -0.5"]
    assert strong.get("stroke") == "#0072B2"
    assert strong.get("stroke-dasharray") is None
    assert weak.get("stroke") == "#D55E00"
    assert weak.get("stroke-dasharray")
    assert float(strong.get("stroke-width")) > float(weak.get("stroke-width"))
    assert len(lines) == 2, "a layer without biases has no bias unit"


def test_a_large_layer_is_abbreviated_but_counted():
    root = parse(draw(mlp(784, 256, 128, 10)).svg)
    assert len(groups(root, "more")) == 4
    assert len(groups(root, "unit")) == 4 * 7 + 3
    for word in ("784 units", "x₇₈₄", "h₂₅₆", "235,146 parameters", "784·256 + 256 = 200,960"):
        assert word in words(root)


@pytest.mark.parametrize("weight", [np.nan, np.inf, 0.0])
def test_weights_that_are_no_numbers_are_drawn_too(weight):
    record = mlp(2, 2)
    record["layers"][1]["weight"][0, 0] = weight
    svg = draw(record).svg
    assert f"weight 1 → 1 of output: {number(weight, signed=True)}" in svg


def test_weights_of_another_shape_are_counted_and_drawn_without_numbers():
    record = mlp(2, 3, 1)
    record["layers"][1] |= {"activation": "maxout", "weight": np.ones((2, 6)), "bias": np.ones(6)}
    assert "22 parameters" in words(parse(draw(record).svg))


def test_names_of_inputs_and_outputs_are_written_and_escaped():
    shown = draw(mlp(2, 3, 2, name=NASTY), inputs=[NASTY, "bill depth"], outputs=["Adelie", "<script>"])
    text = words(parse(shown.svg))
    assert text.count(NASTY) == 2  # the title and the input
    assert "bill depth" in text
    assert "<script>" in text
    assert "<script>" not in shown.svg


def test_a_module_is_drawn_as_a_network_by_default():
    assert draw(Described()).kind == "network"


@pytest.mark.parametrize(
    "record",
    [{}, {"layers": []}, {"layers": [{"name": "input"}]}, {"layers": [{"name": "input", "units": 0}]}],
    ids=str,
)
def test_a_description_without_layers_or_units_is_refused(record):
    with pytest.raises(DataError, match=r"draw: "):
        draw(record)


# --- themes, kinds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: square()[1], lambda: mlp(2, 3, 3)], ids=["ops", "network"])
def test_the_print_theme_has_greys_only(make):
    import re

    x = make()
    if isinstance(x, Value):
        x.backward()
    shown = draw(x, theme="print", engine="native")
    for colour in re.findall(r"#([0-9A-Fa-f]{6})", shown.svg + shown.source):
        assert colour[:2] == colour[2:4] == colour[4:]


def test_what_cannot_be_drawn_is_refused_with_what_can():
    _, y = square()
    cases = [
        (lambda: draw(y, kind="pie"), "the kinds are ops, network"),
        (lambda: draw(y, theme="neon"), "the themes are light, dark, print"),
        (lambda: draw(y, rankdir="UP"), "TB, LR"),
        (lambda: draw(y, kind="network"), "does not fit Value; pass the model"),
        (lambda: draw(mlp(2, 1), kind="ops"), r"draw\(model\(X\)\)"),
        (lambda: draw(3), "cannot draw int"),
    ]
    for call, message in cases:
        with pytest.raises(UnsupportedError, match=message):
            call()


# --- programs ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nowhere")
def test_without_any_program_the_graph_is_still_an_svg_and_a_png_says_what_to_install(tmp_path):
    assert engines.find_engines() == []
    shown = draw(loss_of_a_layer()[1])
    assert len(groups(parse(shown.svg), "node")) == 7
    for suffix, remedy in ((".png", "pip install graphviz-pure"), (".pdf", "graphviz-pure has no PDF")):
        with pytest.raises(LayoutError, match=remedy):
            shown.save(tmp_path / f"f{suffix}")
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("nowhere")
def test_graphviz_pure_is_found_in_the_scripts_folder_of_this_python(monkeypatch, tmp_path):
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    fake_dot(scripts, "echo '<svg xmlns=\"http://www.w3.org/2000/svg\"/>'").rename(scripts / "graphviz-pure")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(scripts))
    assert engines.find_engines() == [str(scripts / "graphviz-pure")]
    assert draw(square()[1]).svg.startswith("<svg")


@pytest.mark.usefixtures("nowhere")
def test_the_argument_comes_before_the_variable_and_that_before_what_is_found(monkeypatch, tmp_path):
    found, named = fake_dot(tmp_path, "exit 1"), tmp_path / "other"
    shutil.copy(found, named)
    assert engines.find_engines() == [str(found)]
    monkeypatch.setenv(engines.VARIABLE, str(named))
    assert engines.find_engines() == [str(named)]
    assert engines.find_engines(str(found)) == [str(found)]
    assert engines.find_engines("native") == []


def test_a_chosen_program_that_does_not_exist_is_an_error_and_leaves_the_source():
    shown = draw(square()[1], engine="no-such-program")
    with pytest.raises(LayoutError, match="'no-such-program' is not a program"):
        _ = shown.svg
    assert shown.source.startswith("digraph")


@pytest.mark.usefixtures("nowhere")
def test_a_program_that_fails_is_replaced_if_found_and_reported_if_chosen(tmp_path):
    path = fake_dot(tmp_path, "echo 'no plugins here' >&2; exit 3")
    assert len(groups(parse(draw(square()[1]).svg), "node")) == 4
    with pytest.raises(LayoutError, match="no plugins here"):
        _ = draw(square()[1], engine=str(path)).svg


@pytest.mark.usefixtures("nowhere")
def test_a_layout_that_takes_too_long_is_stopped(tmp_path):
    path = fake_dot(tmp_path, "exec /bin/sleep 10")
    with pytest.raises(LayoutError, match=r"took more than 0\.2 s"):
        _ = draw(square()[1], engine=str(path), timeout=0.2).svg
    assert "<svg" in draw(square()[1], timeout=0.2).svg


@pytest.mark.parametrize("engine", PROGRAMS)
@pytest.mark.parametrize("make", [lambda: square()[1], lambda: mlp(2, 3, 3)], ids=["ops", "network"])
def test_a_png_is_a_png_of_a_readable_size(engine, make, tmp_path):
    png = draw(make(), engine=engine).save(tmp_path / "f.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) > 300


@pytest.mark.skipif(shutil.which("dot") is None, reason="only Graphviz's own dot makes PDF, and it is not installed")
@pytest.mark.parametrize("make", [lambda: square()[1], lambda: mlp(2, 3, 3)], ids=["ops", "network"])
def test_a_pdf_is_a_pdf(make, tmp_path):
    assert draw(make()).save(tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: square()[1], lambda: mlp(2, 3, 3)], ids=["ops", "network"])
def test_every_text_format_is_saved_by_its_suffix(make, tmp_path):
    shown = draw(make(), title=NASTY, engine="native")
    saved = {suffix: shown.save(tmp_path / f"f{suffix}").read_text("utf-8") for suffix in picture.SUFFIXES[:5]}
    assert saved[".gv"] == saved[".dot"] == shown.source
    assert saved[".txt"] == shown.text + "\n"
    assert parse(saved[".svg"]).tag == f"{SVG}svg"
    assert saved[".html"].startswith("<!DOCTYPE html>")
    assert shown.svg in saved[".html"]
    assert "<title>a&lt;b&gt;&amp;&quot;c&quot;</title>" in saved[".html"]
    assert "http" not in saved[".html"].replace("http://www.w3.org/", "")


def test_a_folder_that_does_not_exist_is_named_as_it_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        draw(square()[1]).save(tmp_path / "nowhere" / "x.svg")
    assert caught.value.filename == str(tmp_path / "nowhere" / "x.svg")


def test_a_heading_is_in_the_text_too():
    plain, headed = draw(square()[1]), draw(square()[1], title="A square")
    assert headed.text == f"A square\n{plain.text}"


def test_an_unknown_suffix_is_refused_and_the_known_ones_listed(tmp_path):
    with pytest.raises(UnsupportedError, match=r"\.svg, \.gv"):
        draw(square()[1]).save(tmp_path / "f.bmp")
    with pytest.raises(UnsupportedError, match="suffix"):
        draw(square()[1]).save(str(tmp_path / "svg"))
    assert os.listdir(tmp_path) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "f.svg"
    path.write_text("the old picture")

    def no_space(self, data):
        with open(self, "wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    shown = draw(square()[1])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", no_space)
        with pytest.raises(OSError, match="No space"):
            shown.save(path)
    assert path.read_text() == "the old picture"
    assert os.listdir(tmp_path) == ["f.svg"]
    with pytest.raises(FileNotFoundError):
        draw(square()[1]).save(tmp_path / "missing" / "f.svg")


def test_a_notebook_gets_svg_and_text():
    shown = draw(square()[1])
    bundle = shown._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"image/svg+xml", "text/plain"}
    assert parse(bundle["image/svg+xml"]).tag == f"{SVG}svg"
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"] == str(shown) == shown.text


@pytest.mark.parametrize("error", [LayoutError("no engine"), RuntimeError("anything"), RecursionError(), MemoryError()])
def test_a_notebook_never_sees_an_exception(error, monkeypatch):
    def fail():
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(engines, "render", lambda *_: fail())
        bundle = Picture(Drawing("ops", "", "digraph {}", "the text", fail))._repr_mimebundle_()
    assert bundle == {"text/plain": f"the text\n(no image: {str(error) or type(error).__name__})"}
    bundle = draw(square()[1], engine="no-such-program")._repr_mimebundle_()
    assert "no-such-program" in bundle["text/plain"]


@needs_a_program
def test_an_svg_from_a_program_names_fonts_of_the_widths_that_were_measured():
    shown = draw(square()[1])
    assert shown.svg.startswith("<svg")
    assert "'Liberation Sans'" in shown.svg


def test_every_error_is_one_of_the_library():
    assert issubclass(LayoutError, TinygradError)
    assert repr(draw(square()[1], title="t")) == "<Picture ops 't': .svg, .source, .text, .save(path)>"
