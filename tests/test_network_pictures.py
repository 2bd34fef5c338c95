"""Network diagrams: they show the live model, every neuron, line and caption of it, in SVG, DOT, text and TikZ."""

import re
import shutil
import subprocess
from itertools import pairwise
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import nn, ops
from tinygrad_mlp.errors import DataError, ShapeError, UnsupportedError
from tinygrad_mlp.viz.colours import contrast
from tinygrad_mlp.viz.labels import number
from tinygrad_mlp.viz.network.diagram import ORDER, difference, drawing
from tinygrad_mlp.viz.network.tikz import latex
from tinygrad_mlp.viz.theme import THEMES, find_theme

SVG = "{http://www.w3.org/2000/svg}"
NASTY = 'a<b>&"c"'
THIN, BROAD = 0.5, 4.0

sizes = st.lists(st.integers(1, 12), min_size=2, max_size=4)
each_theme = pytest.mark.parametrize("theme", THEMES)


def parse(drawn):
    return fromstring(drawn.native())


def groups(root, kind):
    return [g for g in root.iter(f"{SVG}g") if kind in g.get("class", "").split()]


def words(root):
    """Everything that is written in the picture, tooltips excluded."""
    return [" ".join(t.itertext()) for t in root.iter(f"{SVG}text")]


def lines_by_tip(root):
    [group] = groups(root, "weights")
    return {line.findtext(f"{SVG}title"): line for line in group}


def units(root):
    return {group.get("id"): group for group in groups(root, "unit")}


def outline(unit):
    return unit.find(f"{SVG}circle")


def trained():
    model = nn.MLP([2, 3, 2], "tanh", "softmax", rng=0)
    model.loss(np.array([[1.0, -2.0], [0.5, 0.25]]), [0, 1]).backward()
    return model


class Own(nn.Module):
    """A network written by hand: its layers are found, and what flows between them."""

    def __init__(self):
        self.first = nn.RadialBasis(2, 3, rng=0)
        self.second = nn.Maxout(3, 2, rng=1)

    def forward(self, x):
        return ops.tanh(self.second(ops.exp(self.first(x))))


MODELS = {
    "MLP": lambda: nn.MLP([2, 3, 2], "sigmoid", "softmax", rng=0, dropout=0.5),
    "Linear": lambda: nn.Linear(2, 3, rng=0),
    "Sequential": lambda: nn.Sequential(
        nn.Linear(2, 4, rng=0), ops.relu, nn.Dropout(0.5, rng=0), lambda x: (x - x.mean()) / 2, nn.Linear(4, 1, rng=1)
    ),
    "maxout": lambda: nn.MLP([2, 3, 1], "maxout", rng=0),
    "radial basis": lambda: nn.MLP([2, 3, 1], "radial_basis", rng=0),
    "scalar MLP": lambda: nn.scalar.MLP(2, [3, 1], "tanh", rng=0),
    "scalar Layer": lambda: nn.scalar.Layer(2, 3, rng=0),
    "scalar Neuron": lambda: nn.Neuron(2, "sigmoid", rng=0),
    "own": Own,
}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


# --- what is in the picture ------------------------------------------------------------------------------------------


@given(sizes, st.integers(0, 9), st.booleans())
def test_every_neuron_line_and_caption_is_in_every_format(sizes, max_units, sampled):
    model = nn.MLP(sizes, "sigmoid", rng=0)
    drawn = drawing(model, max_units=max_units, sample=np.ones(sizes[0]) if sampled else None)
    root, most = parse(drawn), max(3, max_units)
    shown = [n if n <= most else most - 1 for n in sizes]
    neurons = {f"u{at}_{unit}" for at, n in enumerate(sizes) for unit in [*range(shown[at] - 1), n - 1]}
    count = sum((a + 1) * b for a, b in pairwise(shown))
    assert set(units(root)) == neurons | {f"b{at}" for at in range(len(sizes) - 1)}
    assert len(lines_by_tip(root)) == count == drawn.source.count(" -> ")
    assert len(groups(root, "more")) == sum(n > most for n in sizes)
    written = words(root)
    for at, n in enumerate(sizes):
        name = "input" if at == 0 else "output" if at == len(sizes) - 1 else f"hidden {at}"
        assert name in written
        assert any(line.startswith(f"{n} unit") and "∈ ℝ" in line for line in written)
        assert f"  {name}" in drawn.text
    tex = drawn.extra(".tex")
    assert tex.count(" circle[") >= len(units(root))
    assert tex.count("line width=") >= count
    for label in ("".join(unit.find(f"{SVG}text").itertext()) for unit in units(root).values()):
        assert f"${latex(label).replace('$', '')}$" in tex


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6))
def test_lines_grow_with_their_number_and_are_coloured_by_its_sign(numbers):
    weight = np.array(numbers)[:, None]
    record = {"layers": [{"units": len(numbers)}, {"units": 1, "weight": weight, "bias": None}]}
    found = lines_by_tip(parse(drawing(record, precision=17, max_units=9)))
    top, theme = np.abs(weight).max(), find_theme("light")
    assert len(found) == len(numbers)
    for i, x in enumerate(numbers):
        line = found[f"weight {i + 1} → 1 of layer 1: {number(x, 17, signed=True)}"]
        expected = THIN + (BROAD - THIN) * abs(x) / top if top else THIN
        assert float(line.get("stroke-width")) == pytest.approx(expected, abs=0.006)
        assert line.get("stroke") == (theme.positive if x > 0 else theme.negative if x < 0 else theme.unknown)
        assert (line.get("stroke-dasharray") is not None) == (x < 0)


def test_lines_name_their_ends():
    root = parse(drawing(trained()))
    known = units(root)
    for line in lines_by_tip(root).values():
        source, target = line.get("data-source"), line.get("data-target")
        assert {source, target} <= set(known)
        assert line.get("id") == f"{source}-{target}-0"
        centre = outline(known[source])
        assert (line.get("x1"), line.get("y1")) == (centre.get("cx"), centre.get("cy"))


@each_theme
@each_model
def test_every_kind_of_model_is_drawn_with_a_sample(make, theme):
    model = make()
    drawn = drawing(model, sample=[0.5, -1.0], theme=theme)
    root, record = parse(drawn), model.describe([0.5, -1.0])
    assert all(layer["output"] is not None for layer in record["layers"])
    for at, layer in enumerate(record["layers"]):
        for unit, output in enumerate(layer["output"]):
            tip = units(root)[f"u{at}_{unit}"].findtext(f"{SVG}title")
            assert tip.endswith(f"output {number(output, 6, signed=True)}")
    assert f"output {'not known'}" not in drawn.text
    assert drawn.theme is find_theme(theme)


@each_model
def test_the_outputs_of_a_sample_are_those_of_the_model(make):
    model = make()
    outputs = [layer["output"] for layer in model.describe(np.array([0.5, -1.0]))["layers"]]
    np.testing.assert_array_equal(outputs[0], [0.5, -1.0])
    with model.evaluating():
        scalar = not isinstance(model.parameters()[0], nn.Parameter)
        y = model([0.5, -1.0] if scalar else np.array([[0.5, -1.0]]))
    y = [float(v) for v in y] if isinstance(y, list) else np.ravel(y.numpy() if hasattr(y, "numpy") else float(y))
    np.testing.assert_allclose(outputs[-1], y)
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_hidden_outputs_are_what_enters_the_next_layer():
    model = nn.MLP([2, 3, 4, 1], ["relu", "tanh"], rng=1)
    x = np.array([[0.3, -0.7]])
    rows = model.describe(x)["layers"]
    for row, hidden in zip(rows[1:3], model.hidden(x), strict=True):
        np.testing.assert_allclose(row["output"], hidden.numpy()[0])


def test_a_layer_that_the_model_does_not_call_has_no_output():
    class Idle(nn.Module):
        def __init__(self):
            self.a, self.b, self.c = nn.Linear(2, 2, rng=0), nn.Linear(2, 2, rng=1), nn.Linear(2, 1, rng=2)

        def forward(self, x):
            return self.c(self.a(x))

    drawn = drawing(Idle(), sample=[1.0, 2.0])
    assert "output: not known" in drawn.native()
    assert "output not known" in drawn.text


# --- what fills and lines show ----------------------------------------------------------------------------------------


@each_theme
def test_fill_grows_with_the_output_and_its_sign_shows_in_hue_and_outline(theme):
    record = {"layers": [{"units": 4, "output": [1.0, -2.0, 0.0, 4.0]}, {"units": 1}]}
    root, look = parse(drawing(record, theme=theme)), find_theme(theme)
    fills = [outline(units(root)[f"u0_{i}"]).get("fill") for i in range(4)]
    assert fills == [look.shade(0.25), look.shade(-0.5), look.shade(0.0), look.positive]
    dashed = [outline(units(root)[f"u0_{i}"]).get("stroke-dasharray") is not None for i in range(4)]
    assert dashed == [False, True, False, False]
    for unit in groups(root, "input"):
        for text in unit.findall(f"{SVG}text"):
            assert contrast(text.get("fill"), outline(unit).get("fill")) >= 4.5
    written = [t.text for unit in groups(root, "input") for t in unit.findall(f"{SVG}text") if t.get("class")]
    assert written == ["1", "-2", "0", "4"]
    assert any("full colour for the largest of its column, dashed outline: negative" in line for line in words(root))
    assert outline(units(root)["u1_0"]).get("fill") == look.background


def test_outputs_that_are_no_numbers_or_do_not_fit_are_told_in_the_tooltip():
    record = {"layers": [{"units": 4, "output": [np.nan, np.inf, -1.2345e-200, 1.0]}, {"units": 1}]}
    root = parse(drawing(record))
    tips = [unit.findtext(f"{SVG}title") for unit in groups(root, "input")]
    assert [tip.rpartition(" ")[2] for tip in tips] == ["nan", "+inf", "-1.2345e-200", "+1"]
    assert [t.text for t in units(root)["u0_2"].findall(f"{SVG}text")] == ["x₃"]  # its number is too long


def test_gradients_are_drawn_instead_of_weights():
    model = trained()
    drawn = drawing(model, show="gradients", precision=6)
    found = lines_by_tip(parse(drawn))
    w, g = model.layers[0].weight.data[1, 2], model.layers[0].weight.grad[1, 2]
    line = found[f"weight 2 → 3 of hidden 1: {number(w, 6, signed=True)}, gradient {number(g, 6, signed=True)}"]
    theme = find_theme("light")
    assert line.get("stroke") == (theme.positive if g > 0 else theme.negative)
    b = number(model.layers[0].bias.grad[0], 6, signed=True)
    assert f"bias of unit 1 of hidden 1: 0, gradient {b}" in found
    size = np.linalg.norm(np.concatenate([p.grad.ravel() for p in model.layers[1].parameters()]))
    assert f"gradient norm {number(size, 6)}" in drawn.text
    assert any(text == f"gradient norm {number(size, 6)}" for text in words(parse(drawn)))
    assert any(text.startswith("width: |gradient|, largest gradient") for text in words(parse(drawn)))


def test_gradients_of_scalar_networks_are_drawn_too():
    model = nn.scalar.MLP(2, [2, 1], "tanh", rng=0)
    model([1.0, 2.0]).backward()
    record = model.describe()["layers"]
    assert record[1]["weight_grad"][1, 0] == model.layers[0].neurons[0].weights[1].grad
    assert record[2]["bias_grad"].tolist() == [1.0]


@each_model
def test_before_backward_gradients_are_not_computed_and_never_zero(make):
    drawn = drawing(make(), show="gradients")
    root = parse(drawn)
    assert "gradients: not computed, call backward() first" in words(root)
    assert "gradients: not computed" in drawn.text
    assert {line.get("stroke") for line in lines_by_tip(root).values()} == {find_theme("light").unknown}
    assert "gradient 0" not in drawn.native()


def test_structure_shows_no_number():
    root = parse(drawing(trained(), show="structure"))
    assert {line.get("stroke-width") for line in lines_by_tip(root).values()} == {"1"}
    assert not groups(root, "numbers")


def test_the_pieces_of_maxout_are_all_in_the_tooltip_and_the_farthest_on_the_line():
    weight = np.array([[0.5, -2.0]])
    record = {"layers": [{"units": 1}, {"units": 1, "activation": "maxout", "weight": weight, "bias": [0.0, 1.0]}]}
    root = parse(drawing(record))
    found = lines_by_tip(root)
    assert set(found) == {"weight 1 → 1 of layer 1: (+0.5 and -2)", "bias of unit 1 of layer 1: (0 and +1)"}
    assert found["weight 1 → 1 of layer 1: (+0.5 and -2)"].get("stroke") == find_theme("light").negative
    assert "1·2 + 2 = 4 parameters" in words(root)
    assert any("maxout" in text and "farthest from 0" in text for text in words(root))


def test_centres_are_not_called_weights():
    root = parse(drawing(nn.RadialBasis(2, 2, rng=0)))
    assert all(tip.startswith("centre") for tip in lines_by_tip(root))
    assert "positive centre" in words(root)


def test_numbers_are_on_the_lines_where_there_is_room_and_do_not_overlap():
    [numbers] = groups(parse(drawing(trained())), "numbers")
    boxes = [[float(box.get(k)) for k in ("x", "y", "width", "height")] for box in numbers.findall(f"{SVG}rect")]
    assert len(boxes) == len(numbers.findall(f"{SVG}text")) == 2 * 3 + 3 + 3 * 2 + 2
    for i, (x, y, w, h) in enumerate(boxes):
        assert all(abs(x - u) >= min(w, w2) or abs(y - v) >= h for u, v, w2, _ in boxes[:i])
    assert not groups(parse(drawing(nn.MLP([8, 8, 8], rng=0))), "numbers")
    assert not groups(parse(drawing(trained(), numbers=False)), "numbers")


def test_a_large_network_says_what_its_lines_show():
    root = parse(drawing(nn.MLP([784, 256, 128, 10], rng=0)))
    written = words(root)
    assert "lines only between the circles drawn: 168 of 235,146 parameters" in written
    assert any("largest weight drawn" in text for text in written)
    assert next(g.findtext(f"{SVG}title") for g in groups(root, "more")) == "⋮ 777 units that are not drawn"
    assert "784 units, x ∈ ℝ⁷⁸⁴" in written


def test_nothing_is_drawn_outside_of_the_picture():
    root = parse(drawing(nn.MLP([5, 9, 3], rng=0), inputs=["a rather long name", *"bcde"], sample=[1, 2, 3, 4, -5]))
    wide, high = float(root.get("width")), float(root.get("height"))
    for text in root.iter(f"{SVG}text"):
        assert 0 < float(text.get("x")) < wide
        assert 0 < float(text.get("y")) < high


@each_theme
def test_every_text_can_be_read_on_what_it_stands_on(theme):
    look, root = find_theme(theme), parse(drawing(trained(), sample=[1.0, -1.0], theme=theme))
    in_units = {text for unit in groups(root, "unit") for text in unit.findall(f"{SVG}text")}
    for text in root.iter(f"{SVG}text"):
        if text not in in_units:
            assert contrast(text.get("fill"), look.background) >= 4.5
    for line in lines_by_tip(root).values():
        assert contrast(line.get("stroke"), look.background) >= 3


def test_the_same_model_gives_the_same_bytes():
    one, two = (drawing(trained(), sample=[1.0, 2.0]) for _ in range(2))
    assert (one.source, one.native(), one.text, one.extra(".tex")) == (
        two.source, two.native(), two.text, two.extra(".tex"),
    )  # fmt: skip


def test_names_are_escaped_in_every_format():
    drawn = drawing(trained(), inputs=[NASTY, "b"], outputs=["<script>", "y\\_$%{}"], title=NASTY)
    root = parse(drawn)
    assert words(root).count(NASTY) == 2
    assert "<script>" not in drawn.native()
    assert r"a\textless{}b\textgreater{}\&\textquotedbl{}c\textquotedbl{}" in drawn.extra(".tex")
    assert "a&lt;b&gt;&amp;&quot;c&quot;" in drawn.source
    assert drawn.extra(".html") == ""


# --- modules that do not say how their layers are joined --------------------------------------------------------------


class Assigned(nn.Module):
    """Layers of any shapes, which only a call would join."""

    def __init__(self, shapes):
        for i, (n_in, n_out) in enumerate(shapes):
            setattr(self, f"part{i}", nn.Linear(n_in, n_out, rng=i))


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4))
def test_layers_that_only_a_call_joins_are_said_to_stand_in_the_order_of_assignment(shapes):
    drawn = drawing(Assigned(shapes))
    root = parse(drawn)
    broken = [i for i, ((_, units), (inputs, _)) in enumerate(pairwise(shapes)) if units != inputs]
    said = [*ORDER * (len(shapes) > 1), *[f"it takes {shapes[i + 1][0]} numbers" for i in broken]]
    for text in (drawn.text, " ".join(words(root)), drawn.source, drawn.extra(".tex")):
        assert all(line in text for line in said)
        assert ("no lines to" in text) == bool(broken)
        assert ("assigned" in text) == (len(shapes) > 1)
    joined = {int(tip_of(line)[0]) for line in groups(root, "weights")[0]}
    assert joined == set(range(len(shapes))) - {i + 1 for i in broken}


def tip_of(line):
    """The columns at both ends of a line."""
    return [line.get(f"data-{end}")[1:].partition("_")[0] for end in ("source", "target")]


def test_a_network_that_knows_its_order_has_no_such_remark():
    for model in (trained(), MODELS["Sequential"](), nn.scalar.MLP(2, [3, 1], rng=0)):
        assert "assigned" not in drawing(model).text
    assert "assigned" in difference(Own(), Own()).text


# --- errors -----------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_refused_with_what_does():
    model = trained()
    cases = [
        (lambda: drawing(model, show="beauty"), UnsupportedError, "weights, gradients, structure"),
        (lambda: drawing(model, sample=[1.0, 2.0, 3.0]), ShapeError, r"shape \(3,\), not \(2,\): give one row"),
        (lambda: drawing(model, sample=np.ones((5, 2))), ShapeError, r"such as X\[0\]"),
        (lambda: drawing(model.describe(), sample=[1.0, 2.0]), UnsupportedError, r"describe\(sample\)"),
        (lambda: drawing(3.0), UnsupportedError, "float describes no layers"),
        (lambda: drawing(model, theme="neon"), UnsupportedError, "light, dark, print"),
        (lambda: drawing(model, inputs=["a"]), ShapeError, "inputs= has 1 name, the network has 2 inputs"),
        (
            lambda: drawing(model, outputs=["a", "b", "c"]),
            ShapeError,
            "outputs= has 3 names, the network has 2",
        ),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()


# --- what changed -----------------------------------------------------------------------------------------------------


def stepped():
    """A model before and after one step of gradient descent, and the state before."""
    before, after = trained(), trained()
    state = after.state_dict()
    for p in after.parameters():
        p.data = p.data - 0.5 * p.grad
    return before, after, state


def test_a_difference_shows_before_and_after_of_every_weight_and_bias():
    before, after, _ = stepped()
    drawn = difference(before, after)
    found = lines_by_tip(parse(drawn))
    assert drawn.kind == "diff"
    for name, old, new in (
        ("hidden 1", before.layers[0], after.layers[0]),
        ("output", before.layers[1], after.layers[1]),
    ):
        changes = [*np.ndenumerate(new.weight.data - old.weight.data)]
        for (i, j), change in changes:
            texts = [number(x, 4, signed=True) for x in (old.weight.data[i, j], new.weight.data[i, j], change)]
            line = found[f"weight {i + 1} → {j + 1} of {name}: {texts[0]} → {texts[1]}, change {texts[2]}"]
            assert (line.get("stroke-dasharray") is not None) == (change < 0)
    assert sum(tip.startswith("bias of unit") for tip in found) == 5
    total = np.sqrt(
        sum(float(np.sum((a.data - b.data) ** 2)) for a, b in zip(after.parameters(), before.parameters(), strict=True))
    )
    assert drawn.title.startswith(f"what changed: MLP 2-3-2, 17 parameters, norm of the change {number(total)}, ")
    largest = max(
        float(np.abs(a.data - b.data).max()) for a, b in zip(after.parameters(), before.parameters(), strict=True)
    )
    assert f"width: |change|, largest change {number(largest)}" in words(parse(drawn))
    assert "change norm" in drawn.text


def test_a_state_or_a_record_may_stand_for_a_model():
    before, after, state = stepped()
    drawn = difference(before, after)
    assert difference(state, after).native() == drawn.native()
    assert difference(before.describe(), after.describe()).native() == drawn.native()
    back = difference(after, state)
    assert [line.get("stroke-width") for line in lines_by_tip(parse(back)).values()] == [
        line.get("stroke-width") for line in lines_by_tip(parse(drawn)).values()
    ]
    np.testing.assert_array_equal(after.layers[0].weight.data, stepped()[1].layers[0].weight.data)


def test_what_did_not_change_is_a_hair_line():
    before, after = trained(), trained()
    assert {line.get("stroke-width") for line in lines_by_tip(parse(difference(before, after))).values()} == {"0.5"}


def test_networks_of_other_sizes_have_no_difference():
    model = trained()
    cases = [
        (model, nn.MLP([2, 4, 2]), ShapeError, "sizes 2-3-2 before and 2-4-2 after"),
        (model, nn.MLP([2, 3, 2], "maxout"), ShapeError, "hidden 1 has 2×3 weights and biases before and 2×6 weights"),
        (model.state_dict(), model.state_dict(), UnsupportedError, "does not tell the order"),
        ({"hidden1.weight": np.ones((2, 3))}, model, DataError, "lacks"),
        (model, {"layers": [{"units": 2}, {"units": 3}, {"units": 2}]}, UnsupportedError, "weights of layer 1"),
    ]
    for before, after, error, message in cases:
        with pytest.raises(error, match=message):
            difference(before, after)


# --- TikZ -------------------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_no_text_is_a_command_of_latex(text):
    out = latex(text)
    bare = re.sub(r"\\[{}$%&#_]", "", out)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[%&#~^\"<>|](?!\{)", re.sub(r"\$\^\{\d+\}\$", "", bare))
    assert "\n" not in out


def test_letters_and_digits_outside_of_ascii_become_formulas():
    assert latex("x₁₂ ∈ ℝ³·σ") == r"x$_{12}$ $\in$ $\mathbb{R}$$^{3}$$\cdot$$\sigma$"
    assert latex("\\input{x}") == r"\textbackslash{}input\{x\}"


@each_theme
def test_the_document_is_balanced_and_defines_each_colour_that_it_uses(theme):
    tex = drawing(trained(), sample=[1.0, -1.0], theme=theme, title=NASTY, outputs=["50%", "a_b"]).extra(".tex")
    assert tex.startswith("% ")
    code = re.sub(r"(?<!\\)%.*", "", tex)
    assert len(re.findall(r"(?<!\\)\{", code)) == len(re.findall(r"(?<!\\)\}", code))
    assert re.findall(r"\\begin\{(\w+)\}", code) == ["document", "tikzpicture"]
    assert re.findall(r"\\end\{(\w+)\}", code) == ["tikzpicture", "document"]
    defined = set(re.findall(r"\\definecolor\{(\w+)\}", code))
    used = set(re.findall(r"(?:draw|fill|text)=(c[A-Z]+)", code)) | set(re.findall(r"\\fill\[(c\w+)\]", code))
    assert used == defined
    body = code[code.index(r"\fill[") : code.index(r"\end{tikzpicture}")]
    assert all(line.rstrip().endswith(";") for line in body.splitlines() if line.strip())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("make", [trained, lambda: nn.MLP([30, 20, 5], "maxout", rng=0)], ids=["small", "large"])
def test_pdflatex_compiles_the_document(make, tmp_path):
    if subprocess.run(["kpsewhich", "standalone.cls"], capture_output=True, check=False).returncode:
        pytest.skip("the LaTeX class standalone is not installed")
    model = make()
    n_in = len(model.layers[0].weight.data)
    tex = drawing(model, sample=np.ones(n_in), inputs=[NASTY, *["ä_b"] * (n_in - 1)]).extra(".tex")
    (tmp_path / "network.tex").write_text(tex, "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "network.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


@given(st.integers(0, 5))
def test_drawing_records_nothing_and_changes_nothing(seed):
    model = trained()
    state, grads = model.state_dict(), [p.grad.copy() for p in model.parameters()]
    drawing(model, sample=np.random.default_rng(seed).normal(size=2), show="gradients").native()
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    for p, grad in zip(model.parameters(), grads, strict=True):
        np.testing.assert_array_equal(p.grad, grad)
    assert tg.grad(lambda x: x * x)(3.0) == 6.0
