"""``draw``: what may be drawn, in which kinds, themes and formats; and that errors say what to do."""

import copy
import inspect
import json
import re
import shutil
import sysconfig
from itertools import product
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.errors import LayoutError, TinygradError, UnsupportedError
from tinygrad_mlp.tensors import Tensor, Value
from tinygrad_mlp.viz import KINDS, Picture, draw, engines
from tinygrad_mlp.viz.theme import THEMES

NASTY = 'a<b>&"c"'


def neuron():
    x, w, b = Value(2.0, "x"), Value(-0.5, NASTY), Value(0.25, "b")
    y = (w * x + b).tanh()
    y.name = "y"
    return y, w


def layer():
    model = nn.MLP([2, 3, 3], "relu", "softmax", rng=0)
    X, labels = np.array([[0.5, -1.0], [2.0, 0.25]]), np.array([0, 2])
    return model, X, labels


def drawn(kind, **options):
    """A picture of a kind, of a scalar graph where it may be one."""
    y, w = neuron()
    if kind == "network":
        return draw(layer()[0], kind=kind, **options)
    if kind == "path":
        return draw(y, w, kind=kind, **options)
    if kind == "diff":
        model = layer()[0]
        before = model.state_dict()
        for p in model.parameters():
            p.data = p.data + 0.5
        return draw(before, model, kind=kind, **options)
    return draw(y, kind=kind, **options)


def of_tensors(kind, **options):
    """The same of a graph of tensors."""
    model, X, labels = layer()
    loss = model.loss(X, labels)
    if kind == "path":
        return draw(loss, model.parameters()[0], kind=kind, **options)
    if kind in ("network", "diff"):
        return drawn(kind, **options)
    return draw(loss, kind=kind, names=model, **options)


@pytest.mark.parametrize("make", [drawn, of_tensors], ids=["scalars", "tensors"])
@pytest.mark.parametrize(("kind", "theme"), list(product(KINDS, THEMES)))
def test_every_kind_is_drawn_in_every_theme_in_every_format_that_needs_no_program(kind, theme, make, tmp_path):
    picture = make(kind, theme=theme, title=NASTY)
    assert picture.kind == kind
    assert picture.text
    for suffix in (".svg", ".html", ".gv", ".dot", ".txt", ".mmd", ".tex"):
        file = tmp_path / f"picture{suffix}"
        if suffix == (".mmd" if kind in ("network", "diff") else ".tex"):
            with pytest.raises(UnsupportedError, match=r"kind|network"):
                picture.save(file)
            continue
        assert picture.save(file) == file
        assert file.stat().st_size > 0
    root = fromstring((tmp_path / "picture.svg").read_text("utf-8"))
    assert root.tag.endswith("svg")
    assert NASTY in " ".join("".join(t.itertext()) for t in root.iter())
    assert not list(tmp_path.glob(".*")), "nothing half-written is left"


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_every_kind_is_the_same_twice(kind):
    one, two = of_tensors(kind, engine="native"), of_tensors(kind, engine="native")
    assert (one.source, one.text, one.svg, one.html) == (two.source, two.text, two.svg, two.html)
    assert " 0x" not in one.source


@pytest.mark.parametrize("kind", KINDS)
def test_a_notebook_shows_every_kind_and_always_has_text(kind, monkeypatch):
    bundle = drawn(kind)._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"]
    broken = drawn(kind)
    monkeypatch.setattr(type(broken), "svg", property(lambda _: 1 / 0))
    assert "no image: division by zero" in broken._repr_mimebundle_()["text/plain"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("network", "diff")])
def test_before_backward_every_kind_says_that_gradients_are_not_computed(kind):
    if kind == "check":
        pytest.skip("the rules of operations are checked, no gradient")
    assert "not computed" in drawn(kind).text


def test_no_kind_touches_the_gradients_of_the_user():
    for kind, make in product(KINDS, (drawn, of_tensors)):
        make(kind)
    y, w = neuron()
    y.backward()
    before = w.grad
    for kind in ("backward", "steps", "health", "check", "scalar"):
        draw(y, kind=kind)
    draw(y, w, kind="path")
    assert w.grad == before


def program(name):
    path = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    return pytest.param(path, id=name, marks=pytest.mark.skipif(path is None, reason=f"{name} is not installed"))


@pytest.mark.parametrize("engine", [pytest.param("native", id="native"), program("dot"), program("graphviz-pure")])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [drawn, of_tensors], ids=["scalars", "tensors"])
def test_every_engine_draws_every_node_and_edge_of_every_kind(kind, engine, make):
    picture = make(kind, engine=engine)
    ids = {element.get("id") for element in fromstring(picture.svg).iter()}
    graph = picture._drawing.graph
    if graph is None:
        assert len(re.findall(r"u\d+_\d+", picture.svg)) >= 8
        return
    assert {node.key for node in graph.nodes} <= ids
    assert {edge.key for edge in graph.edges} <= ids
    assert {cluster.key for cluster in graph.clusters} <= ids


# --- what may be drawn ------------------------------------------------------------------------------------------------


def test_a_function_is_run_with_its_inputs_and_its_names_are_shown():
    def f(x, W):
        hidden = tg.tanh(x @ W)
        loss = (hidden**2).sum()
        return loss  # noqa: RET504  (its name is shown)

    picture = draw(f, np.ones(2), np.ones((2, 3)))
    for title in ("x", "W", "hidden = tanh", "loss = sum"):
        assert title in picture.text
    assert "grad norm" in picture.text, "its gradient is shown, since nobody else can call backward()"
    assert "not computed" not in picture.text
    assert "test_drawings.py" in picture.html
    assert "w.r.t." not in draw(f, np.ones(2), np.ones((2, 3)), kind="path", to="W").text


def test_numbers_and_nests_of_numbers_become_leaves():
    assert "a  parameter  2" in draw(lambda a, b: a * b, 2.0, 3.0).text
    text = draw(lambda p: p["w"] * p["b"][0], {"w": 2.0, "b": [3.0]}).text
    assert "p['w']" in text
    assert "p['b'][0]" in text


def test_a_module_with_inputs_is_drawn_with_its_frames():
    model, X, _ = layer()
    graph = draw(model, X)._drawing.graph
    assert [c.title for c in graph.clusters] == [
        "MLP, 21 parameters", "hidden1: Linear, 9 parameters", "output: Linear, 12 parameters",
    ]  # fmt: skip
    assert draw(model, X, depth=0)._drawing.graph.nodes[0].kind == "group"
    assert draw(nn.scalar.MLP(2, [2, 1], rng=0), [1.0, -2.0], kind="scalar").text


def test_a_compiled_function_is_drawn_with_what_it_changes():
    model, X, labels = layer()
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)

    @tg.compile
    def step(X, labels):
        loss = model.loss(X, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    before = [p.numpy().copy() for p in model.parameters()]
    text = draw(step, X, labels).text
    assert "loss = softmax_cross_entropy" in text
    assert "new weight1" in text
    assert all(np.array_equal(a, p.numpy()) for a, p in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["scalar", "backward", "path", "steps", "health", "check"])
def test_a_compiled_function_looks_like_the_plain_one_where_gradients_are_shown(kind):
    def f(x, w):
        return tg.tanh(x @ w).sum()

    arrays, to = (np.ones((3, 2)), np.full((2, 2), 0.5)), {"to": "w"} if kind == "path" else {}
    text = draw(f, *arrays, kind=kind, **to).text
    assert draw(tg.compile(f), *arrays, kind=kind, **to).text == text
    assert kind != "check" or "(right 3)" in text


def test_a_report_of_a_gradient_check_is_painted():
    report = tg.gradcheck(lambda x: tg.tanh(x) * x, 2.0)
    picture = draw(report)
    assert picture.kind == "check"
    assert "right" in picture.text


def test_two_models_or_two_results_differ():
    model, _, _ = layer()
    other = copy.deepcopy(model)
    assert draw(model, other, kind="diff").svg
    y, _ = neuron()
    z, _ = neuron()
    assert draw(y, z, kind="diff").text


def test_names_are_taken_from_local_variables():
    first, second = Value(1.0), Value(2.0)
    total = first + second
    text = draw(total, names=locals()).text
    assert "total = add" in text
    assert "first" in text
    assert "second" in text


def test_the_first_habits_still_work():
    y, w = neuron()
    assert draw(y, "scalar").kind == "scalar"
    assert draw((y, w), kind="path").text == draw(y, w, kind="path").text == draw(y, kind="path", to=NASTY).text
    assert draw(y, "ops", engine="native").kind == "ops"


Y, W, MODEL = "y", "w", "model"  # what stands for the neuron, its weight, a network
REFUSED = [
    ((Y,), {"kind": "spaghetti"}, r"unknown kind 'spaghetti'; the kinds are ops, network, scalar, "),
    ((Y, "spaghetti"), {}, r"unknown kind 'spaghetti'"),
    ((Y,), {"kind": "bacward"}, r"did you mean 'backward'\?"),
    ((Y, W), {}, r"kind='path' leads from it to a node"),
    ((lambda _: layer()[0], 1.0), {}, r"returned a MLP"),
    ((tg.compile(lambda a: np.argmax(a) + 1), np.ones(3)), {"kind": "backward"}, r"has no gradient: it is an integer"),
    ((Y,), {"colour": "red"}, r"kind 'ops' has no option 'colour'; its options are .*budget"),
    ((MODEL,), {"kind": "network", "budget": 3}, r"no option 'budget'; its options are .*sample"),
    ((3.0,), {}, r"cannot draw float; pass a tensor"),
    (([],), {}, r"cannot draw list"),
    ((Y,), {"kind": "network"}, r"pass the model for a network diagram"),
    ((MODEL,), {"kind": "ops"}, r"draw\(model, X, kind='ops'\)"),
    ((Y, 3.0), {}, r"takes no inputs: it is computed already"),
    ((Y,), {"kind": "path"}, r"draw\(loss, w, kind='path'\)"),
    ((Y,), {"kind": "path", "to": "nobody"}, r"to='nobody' names no node of the graph; it has y, "),
    ((Y, W, Y), {"kind": "path"}, r"leads to one node"),
    ((W, Y), {"kind": "path"}, r"does not depend on"),
    ((Y,), {"kind": "diff"}, r"needs what was before and what is after: 1 given"),
    ((lambda a: [a * 2.0, a * 3.0], 1.0), {"kind": "backward"}, r"is of one result, and there are 2"),
    ((lambda _: 3.0, 1.0), {}, r"returned no recorded result but float"),
    ((Y,), {"theme": "neon"}, r"the themes are light, dark, print"),
    ((Y,), {"rankdir": "UP"}, r"rankdir 'UP' is not one of TB, LR"),
    ((Tensor([1.0, 2.0]) * 2.0,), {"kind": "backward"}, r"seed"),
]


@pytest.mark.parametrize(("subjects", "options", "message"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_what_cannot_be_drawn_is_refused_with_what_can(subjects, options, message):
    y, w = neuron()
    known = {Y: y, W: w, MODEL: layer()[0]}
    given = [known.get(x, x) if isinstance(x, str) else x for x in subjects]
    with pytest.raises(TinygradError, match=message):
        draw(*given, **options)


def test_an_unsupported_format_says_which_would_do(tmp_path, monkeypatch):
    picture = drawn("ops")
    with pytest.raises(UnsupportedError, match=r"the suffix must be one of \.svg, \.gv, "):
        picture.save(tmp_path / "picture.xyz")
    monkeypatch.setenv(engines.VARIABLE, "native")
    with pytest.raises(LayoutError, match="Graphviz"):
        picture.save(tmp_path / "picture.pdf")
    assert list(tmp_path.iterdir()) == []


def test_every_option_of_every_kind_is_told_in_the_help_of_draw():
    words = inspect.getdoc(draw)
    for kind in KINDS:
        assert f"``{kind}``" in words


def test_the_steps_are_pictures_and_numbered_files(tmp_path):
    picture = drawn("steps")
    assert all(isinstance(frame, Picture) for frame in picture.frames)
    picture.save(tmp_path / "steps.svg")
    names = sorted(path.name for path in tmp_path.iterdir())
    count = len(picture.frames)
    assert names == sorted(["steps.svg", *(f"steps-{i:02}.svg" for i in range(1, count + 1))])
    assert drawn("ops").frames == ()


@given(st.lists(st.sampled_from(["+", "*", "tanh"]), min_size=1, max_size=30))
def test_any_scalar_graph_is_drawn_in_the_kinds_that_differentiate(steps):
    a = Value(0.5, "a")
    y = a
    for step in steps:
        y = y + a if step == "+" else y * a if step == "*" else y.tanh()
    for kind in ("scalar", "backward", "steps", "health"):
        assert draw(y, kind=kind, engine="native").svg.startswith("<svg")


def test_frames_and_steps_are_laid_out_by_the_library_unless_a_program_is_chosen(monkeypatch):
    model, X, _ = layer()
    asked = []
    monkeypatch.setattr(engines, "render", lambda *_: asked.append(1) or b'<svg id="of a program"></svg>')
    framed, steps, plain = draw(model, X), drawn("steps"), drawn("ops")
    for picture in (framed, steps):
        assert 'class="node' in picture.svg
    assert asked == []
    assert plain.svg.startswith('<svg id="of a program"')
    assert draw(model, X, engine="dot").svg.startswith('<svg id="of a program"')


def test_the_page_of_a_graph_of_tensors_tells_what_flows_along_its_edges():
    model, X, labels = layer()
    loss = model.loss(X, labels)
    data = json.loads(re.search(r"application/json[^>]*>(.*?)</script>", draw(loss, names=model).html, re.S)[1])
    flows = {edge["source"]: edge["flow"] for edge in data["edges"] if edge["flow"] is not None}
    keys = {node["name"]: node["key"] for node in data["nodes"] if node["name"]}
    loss.backward()
    for parameter in model.parameters():
        assert flows[keys[parameter.name]] == pytest.approx(np.linalg.norm(parameter.grad))
    assert "flow" in draw(model(X)).html, "a result of several elements is explored without a gradient"


@pytest.mark.parametrize("kind", ["ops", "backward", "path", "health", "check", "steps", "scalar"])
def test_pointing_at_an_operation_tells_its_formula_in_every_kind(kind):
    y, w = neuron()
    nodes = draw(y, *[w] * (kind == "path"), kind=kind)._drawing.graph.nodes
    formulas = [node.formula for node in nodes if node.op == "multiply"]
    assert len(formulas) == 1
    assert "= (-0.5)·2 = -1" in formulas[0]


@pytest.mark.parametrize("kind", ["backward", "path", "steps", "scalar"])
def test_formulas_call_values_what_the_picture_calls_them(kind):
    x = Value(2.0, "x")
    y = tg.sin(x) * x
    nodes = draw(y, *[x] * (kind == "path"), kind=kind)._drawing.graph.nodes
    found = {node.name: node.formula for node in nodes}
    assert found["v₂"].startswith("v₂ = v₁·x = 0.9093·2")
    assert found["v₁"].startswith("v₁ = sin(x) = sin(2)")
