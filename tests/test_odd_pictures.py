"""Pictures of odd things with odd options: a picture that holds, or one line that says what to do; no traceback."""

import itertools
from functools import partial
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.errors import DataError, DTypeError, TinygradError, UnsupportedError
from tinygrad_mlp.tensors import Tensor, Value
from tinygrad_mlp.viz import KINDS, draw
from tinygrad_mlp.viz.chain.equations import count
from tinygrad_mlp.viz.graphs.walk import walk

native = partial(draw, engine="native")
LONG = "x" * 10_000
NAMES = ["two\nlines", "nul\x00", "\ud800", "שלום", "🎉", 'a<b>&"c"', "\\N", "]]>", "-->", "${x}`", "</script>", LONG]


def leaf(x, name=""):
    return Tensor(np.asarray(x), requires_grad=True, name=name)


# ------------------------------------------------------------------------------------------------------------- a matrix


def neuron():
    x, w, b = Value(2.0, "x"), Value(-0.5, "w"), Value(0.25, "b")
    return (w * x + b).tanh(), w


def layer():
    W, x = leaf(np.arange(6.0).reshape(2, 3) / 5, "W"), Tensor([[1.0, -1.0], [2.0, 0.5]])
    return ((x @ W).relu() ** 2).mean(), W


def network():
    model = nn.MLP([2, 3, 2], "relu", "softmax", rng=0)
    with tg.sources():
        loss = model.loss(np.array([[0.5, -1.0], [1.0, 2.0]]), np.array([0, 1]))
    return loss, model.parameters()[0]


def bare(make):
    """The same without any name of a leaf."""
    root, w = make()
    for x in walk([root]).found:
        if hasattr(x, "op"):
            x.name = ""
    return root, w


def of(f, x, name="a"):
    a = leaf(x, name)
    return f(a), a


def again(a):
    y = (a**3).sum()
    y.backward(create_graph=True)
    return (a.grad**2).sum()


def stale():
    a = leaf([1.0, 2.0], "two\nlines")
    y = (a * a).sum()
    a.data = a.data + 1
    return y, a


def leaf_of_numbers():
    x = Value(2.0)
    return x, x


GRAPHS = {
    "neuron": neuron,
    "layer": layer,
    "network": network,
    "nameless": partial(bare, layer),
    "a leaf": leaf_of_numbers,
    "a vector": lambda: of(lambda a: a * 2.0, [1.0, 2.0]),
    "no elements": lambda: of(lambda a: (a * 2.0).sum(), np.zeros((0, 3))),
    "one element": lambda: of(lambda a: a * a, [[2.0]]),
    "float32": lambda: of(lambda a: (a * a).sum(), np.float32([1, 2])),
    "integers": lambda: (Tensor(np.array([1, 2])) + 1, Tensor([1.0])),
    "a mask": lambda: of(lambda a: (a * (a > 0)).sum(), [-1.0, 2.0]),
    "a split": lambda: of(lambda a: (tg.split(a, 2)[0] * a[::-1][:2]).sum(), [1.0, 2.0, 3.0, 4.0]),
    "many operands": lambda: of(lambda a: tg.stack([a] * 40).sum(), 1.0),
    "a gradient": lambda: of(again, [1.0, 2.0]),
    "infinity": lambda: of(lambda a: (a * 1e308).sum(), [10.0, np.nan]),
    "stale": stale,
    "odd name": lambda: of(lambda a: (a * a).sum(), [1.0, 2.0], NAMES[1] + NAMES[0]),
}


def picture(kind, root, w, **options):
    if kind == "path":
        return native(root, options.pop("to", w), kind=kind, **options)
    return native(root, *([root] if kind == "diff" else []), kind=kind, **options)


def holds(make):
    """Whether a picture comes of it whose formats parse, or else one line of the library's that is no longer than a
    paragraph."""
    try:
        made = make()
    except TinygradError as error:
        message = str(error)
        return message and "\n" not in message and len(message) < 700
    fromstring(made.svg)
    bundle = made._repr_mimebundle_()
    return all(x.encode() and " 0x" not in x for x in (made.source, made.text, made.html, bundle["image/svg+xml"]))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "network"])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_kind_of_every_odd_graph_holds_or_is_refused_in_one_line(name, kind):
    with np.errstate(all="ignore"):
        root, w = GRAPHS[name]()
    grads = [getattr(x, "_grad", None) for x in walk([root]).found]
    assert holds(lambda: picture(kind, root, w))
    assert [getattr(x, "_grad", None) for x in walk([root]).found] == grads, "the user's gradients stay"


ODD = {
    "precision": [0, 1, 17, 18, 2.5, "4", None],
    "budget": [1, 2, 0, None, 2.5, "200", np.int64(2)],
    "depth": [0, -1, "a", None],
    "collapse": ["hidden1", ["nope"], 3, None, [3], [["a"]]],
    "expand": ["hidden1", "nope", 3, None, [["a"]], object()],
    "rankdir": ["BT", None, []],
    "theme": ["print", "nope", None, [], {}],
    "title": ["", "two\nlines", None, LONG],
    "gradients": [{}, 3],
    "seed": [2.0, [1.0, 2.0], "x", 1j, Tensor(2.0), np.float32(2)],
    "k": [0, 2.5, np.int64(2)],
    "to": ["w", "nope", [], np.zeros(2), 3],
    "rng": [1, -1, "x", None],
    "model": [3, nn.MLP],
    "max_units": [None],
    "engine": [3],
    "timeout": ["x", float("nan"), -1],
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "network"])
@pytest.mark.parametrize("option", ODD)
def test_every_kind_takes_every_option_or_says_in_one_line_what_it_may_be(kind, option):
    for make, value in itertools.product((neuron, network), ODD[option]):
        root, w = make()
        options = {option: value, **({"engine": "native"} if option != "engine" else {})}
        assert holds(lambda: picture(kind, root, w, **options) if option != "engine" else draw(root, **options)), value  # noqa: B023


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("show", []), ("show", None), ("sample", "x"), ("sample", [1.0]), ("sample", [1j, 1.0]), ("sample", {}),
        ("max_units", None), ("max_units", "3"), ("numbers", "x"), ("inputs", None), ("outputs", 3), ("precision", 0),
        ("theme", {}),
    ],
)  # fmt: skip
def test_a_network_diagram_refuses_odd_options_in_one_line(option, value):
    model = nn.MLP([2, 3, 2], "relu", "softmax", rng=0)
    with pytest.raises(TinygradError, match=rf"^\S.*{option}|sample has shape"):
        native(model, kind="network", **{option: value})


# ------------------------------------------------------------------------------------------------- one thing at a time


def test_a_path_leads_to_a_weight_without_a_name():
    model = nn.MLP([2, 3, 2], "relu", "softmax", rng=0)
    loss = model.loss(np.array([[0.5, -1.0]]), np.array([0]))
    for w in model.parameters():
        w.name = ""
    text = native(loss, model.parameters()[0], kind="path").text
    assert "1 path from v₁ to A₁\n" in text.replace(")", "")
    assert "→ A₁: norm" in text


def test_a_path_takes_a_node_for_a_seed():
    x = Value(2.0, "x")
    assert "seed · ∂v₁/∂x = -3 · 2 = -6" in native(x * x, x, kind="path", seed=Value(-3.0)).text


def test_strange_local_variables_do_not_spoil_names():
    class Everything:
        """An object that has every attribute, such as a mock."""

        def __getattr__(self, name):
            return self

    class Refusing:
        @property
        def named_parameters(self):
            raise RuntimeError("not now")

    x = Value(2.0)
    mapping = {"mock": Everything(), "refusing": Refusing(), "kind": nn.MLP, "x": x, 3: x}
    mapping["itself"] = mapping
    assert "parameter" in native(x * 3.0, names=mapping).text
    assert "─ x" in native(x * 3.0, names=mapping).text
    with pytest.raises(UnsupportedError, match="names= is a Refusing; pass a dict"):
        native(x * 3.0, names=Refusing())
    with pytest.raises(UnsupportedError, match="model= is a Everything"):
        native(x * 3.0, kind="health", model=Everything())


def test_the_options_of_a_diagram_are_not_those_of_the_graph_of_a_change():
    (y, _), (z, _) = neuron(), neuron()
    with pytest.raises(UnsupportedError, match="kind 'diff' has no option 'max_units'"):
        native(y, z, kind="diff", max_units=4)
    model = nn.MLP([2, 1], rng=0)
    with pytest.raises(UnsupportedError, match="kind 'diff' has no option 'rankdir'"):
        native(model.state_dict(), model, kind="diff", rankdir="LR")


@pytest.mark.parametrize("name", NAMES)
def test_messages_quote_odd_names_in_one_short_line(name):
    x = leaf([1.0, 2.0, 3.0], name)
    y = (x * x).sum()
    y.name = name
    calls = [
        lambda: native(y, kind="path", to="nope"),
        lambda: native(y, kind="scalar", expand="nope" + name),
        lambda: native(y, collapse=name),
        lambda: native(y, rankdir=name),
        lambda: native({name: np.ones(4)}, y, kind="diff"),
        lambda: native({"q" + name: np.ones(3)}, y, kind="diff"),
    ]
    for call in calls:
        with pytest.raises(TinygradError) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
    assert holds(lambda: native(y, kind="scalar"))


def test_old_values_that_are_no_numbers_are_refused():
    x = leaf([1.0, 2.0], "x")
    for value in (None, "abc", [1j, 2.0], object()):
        with pytest.raises(DTypeError, match="before has no real numbers for x"):
            native({"x": value}, x.sum(), kind="diff")
    assert "‖Δ‖" in native({"x": Tensor([0.0, 0.0])}, x.sum(), kind="diff").text


@pytest.mark.parametrize(
    "layers",
    [
        "ab",
        [3],
        [{"units": True}],
        [{"units": 2}, {"units": 1, "weight": "abc"}],
        [{"units": 1}, {"units": 1, "weight": [[1j]]}],
        [{"units": 2, "output": [[1], [1, 2]]}],
    ],
)
def test_records_of_odd_layers_are_refused_with_what_is_wrong(layers):
    with pytest.raises(DataError, match=r"no layers|is a int, not a dict|units=True|holds no real numbers"):
        native({"layers": layers})


def test_a_class_an_empty_tuple_and_wrong_arguments_are_refused():
    with pytest.raises(UnsupportedError, match="cannot draw tuple"):
        native(())
    with pytest.raises(UnsupportedError, match=r"MLP\(.*missing a required argument: 'sizes'"):
        native(nn.MLP)

    def f(x, *, k):
        return x * k

    with pytest.raises(UnsupportedError, match=r"f\(x, \*, k\): missing a required .*argument: 'k'; .*partial"):
        native(f, 2.0)
    with pytest.raises(UnsupportedError, match="kind=3: it must be the name of a kind"):
        native(Value(2.0), kind=3)


def test_a_numpy_number_stays_one_with_the_methods_of_arrays():
    assert "grad +4" in native(lambda x: (x**2).sum(), np.float64(2.0)).text


def test_counts_never_round_to_ten_of_a_power():
    assert count(9_999_999_999_999_999) == "1.0 × 10^16"
    assert count(2**200) == "1.6 × 10^60"


# --------------------------------------------------------------------------------------------------------------- scale


@pytest.mark.parametrize("kind", ["ops", "scalar", "backward", "path", "steps", "health"])
def test_a_number_that_one_operation_takes_thousands_of_times_is_few_edges(kind):
    x = leaf(1.0, "x")
    y = tg.stack([x] * 2_000).sum()
    made = picture(kind, y, x)
    edges = made._drawing.graph.edges
    assert len(edges) < 10
    assert sum(edge.count for edge in edges) == 2_001
    assert len(made.html) < 200_000


def test_few_edges_between_two_nodes_are_drawn_each():
    x = leaf(1.0, "x")
    assert len(native(tg.stack([x] * 8)).source.split("->")) - 1 == 8
    assert "9 edges" in native(tg.stack([x] * 9)).svg


def test_thousands_of_calls_of_one_module_are_one_group():
    cell, h = nn.Linear(2, 2, rng=0), Tensor(np.ones(2))
    with tg.sources():
        for _ in range(1_500):
            h = tg.tanh(cell(h))
        y = h.sum()
    made = native(y)
    assert "Linear, tanh ×1500" in made.text
