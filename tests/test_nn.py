"""Modules find their parameters, networks compute what their formulas say, and describe themselves."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tinygrad_mlp import nn, ops
from tinygrad_mlp.errors import DataError, DTypeError, ShapeError, TinygradError, UnsupportedError
from tinygrad_mlp.nest import flatten
from tinygrad_mlp.tensors import Tensor, Value

PLAIN = {
    "sigmoid": lambda z: np.where(z >= 0, 1, np.exp(-np.abs(z))) / (1 + np.exp(-np.abs(z))),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "softplus": lambda z: np.logaddexp(0, z),
    "linear": lambda z: z,
}
sizes = st.lists(st.integers(1, 5), min_size=2, max_size=5)
seeds = st.integers(0, 2**32 - 1)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def matrices(model):
    """The weights and biases of an MLP, layer by layer."""
    return [(layer.weight.numpy(), layer.bias.numpy()) for layer in model.layers]


# ---------------------------------------------------------------------------------------------- what networks compute


@given(sizes, st.data(), seeds)
def test_an_mlp_computes_its_formula(sizes, data, seed):
    units = [data.draw(st.sampled_from(sorted(PLAIN))) for _ in sizes[2:]]
    model = nn.MLP(sizes, units, rng=seed)
    x = X = data.draw(arrays(np.float64, (data.draw(st.integers(0, 4)), sizes[0]), elements=st.floats(-1e3, 1e3)))
    for (W, b), unit in zip(matrices(model)[:-1], units, strict=True):
        x = PLAIN[unit](x @ W + b)
    W, b = matrices(model)[-1]
    np.testing.assert_allclose(model(X).numpy(), x @ W + b, rtol=1e-12, atol=1e-300)


@given(sizes, seeds)
@example([2, 3, 1], 0).via("the notes' networks, whose 12 and 18 are miscounted")
@example([2, 3, 3, 3], 0)
def test_a_network_has_as_many_parameters_as_its_diagram_has_lines(sizes, seed):
    model = nn.MLP(sizes, rng=seed)
    count = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    assert sum(p.size for p in model.parameters()) == count
    assert sum(row["parameters"] for row in model.describe()["layers"]) == count
    assert len(nn.scalar.MLP(sizes[0], sizes[1:], rng=seed).parameters()) == count


@pytest.mark.parametrize(("sizes", "count"), [([2, 3, 1], 13), ([2, 3, 2], 17), ([2, 3, 3], 21), ([2, 3, 3, 3], 33)])
def test_the_summary_counts_the_notes_networks(sizes, count):
    assert nn.MLP(sizes).summary().splitlines()[-1].split() == ["total", str(count)]


@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(2, 4),
    seeds,
    st.sampled_from([0.1, 1.0, 300.0]),
)
def test_the_gradients_of_the_two_layer_network_are_the_notes_formulas(n, d, h, c, seed, scale):
    """Of the log-likelihood: dV = Hᵀ(T - Y), dW = Xᵀ(((T - Y)Vᵀ) ⊙ H ⊙ (1 - H)), sums for the biases; saturated too."""
    rng = np.random.default_rng(seed)
    X, T = rng.standard_normal((n, d)), np.eye(c)[rng.integers(0, c, n)]
    model = nn.MLP([d, h, c], "sigmoid", "softmax", rng=rng)
    for p in model.parameters():
        p.assign(scale * rng.standard_normal(p.shape))
    (-model.loss(X, T, reduction="sum")).backward()
    (W, b1), (V, b2) = matrices(model)
    H = PLAIN["sigmoid"](X @ W + b1)
    D = T - softmax(H @ V + b2)
    A = (D @ V.T) * H * (1 - H)
    hidden, output = model.layers
    for got, wanted in [
        (output.weight, H.T @ D), (output.bias, D.sum(axis=0)), (hidden.weight, X.T @ A), (hidden.bias, A.sum(axis=0)),
    ]:  # fmt: skip
        np.testing.assert_allclose(got.grad, wanted, rtol=1e-9, atol=1e-12 * scale)


@given(st.integers(2, 5), st.sampled_from(sorted(nn.HIDDEN_UNITS)), seeds, st.randoms())
def test_hidden_units_may_change_places(h, unit, seed, random):
    """Parameters are not identifiable: permuting hidden units permutes the gradients and leaves the loss."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((6, 2)), rng.integers(0, 3, 6)
    model, other = (nn.MLP([2, h, 3], unit, "softmax", rng=seed) for _ in range(2))
    order = list(range(h))
    random.shuffle(order)
    columns = np.arange(model.layers[0].weight.shape[1]).reshape(h, -1)  # the pieces of a maxout unit move together
    columns = columns[order].ravel()
    state = model.state_dict()
    permuted = {name: v[..., columns] if name.startswith("hidden1") else v for name, v in state.items()}
    permuted["output.weight"] = state["output.weight"][order]
    other.load_state_dict(permuted)
    losses = [m.loss(X, y) for m in (model, other)]
    for loss in losses:
        loss.backward()
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-12)
    for name, p in model.named_parameters():
        q = dict(other.named_parameters())[name]
        moved = (
            p.grad[order] if name == "output.weight" else p.grad[..., columns] if name.startswith("hidden1") else p.grad
        )
        np.testing.assert_allclose(q.grad, moved, rtol=1e-9, atol=1e-12)


@given(sizes, st.data(), seeds)
def test_a_scalar_network_is_the_network_of_arrays(sizes, data, seed):
    unit = data.draw(st.sampled_from(sorted(PLAIN)))
    rng = np.random.default_rng(seed)
    big, small = nn.MLP(sizes, unit), nn.scalar.MLP(sizes[0], sizes[1:], unit, rng=rng)
    for layer, neurons in zip(big.layers, small.layers, strict=True):
        layer.weight.assign(
            [[float(neuron.weights[i]) for neuron in neurons.neurons] for i in range(len(neurons.neurons[0].weights))]
        )
        for neuron in neurons.neurons:
            neuron.bias.assign(rng.standard_normal())
        layer.bias.assign([float(neuron.bias) for neuron in neurons.neurons])
    x = rng.standard_normal(sizes[0])
    outputs = small(x)
    outputs = [outputs] if sizes[-1] == 1 else outputs
    np.testing.assert_allclose([float(y) for y in outputs], big(x).numpy(), rtol=1e-12, atol=1e-14)
    sum((y * y for y in outputs), Value(0.0)).backward()
    ops.sum(ops.square(big(x))).backward()
    for layer, neurons in zip(big.layers, small.layers, strict=True):
        for j, neuron in enumerate(neurons.neurons):
            got = [0.0 if w.grad is None else w.grad for w in (*neuron.weights, neuron.bias)]
            np.testing.assert_allclose(got, [*layer.weight.grad[:, j], layer.bias.grad[j]], rtol=1e-9, atol=1e-12)


def test_the_sum_of_a_neuron_is_one_node():
    neuron = nn.Neuron(3, "linear", rng=0)
    y = neuron([1.0, 2.0, 3.0])
    assert nn.Neuron is nn.scalar.Neuron
    assert y.op is ops.affine
    assert [x for x in y.inputs if isinstance(x, Value)] == [*neuron.weights, neuron.bias]


def test_the_neurons_of_a_layer_cannot_be_mixed():
    layer = nn.scalar.Layer(2, 2)
    with pytest.raises(TypeError):
        layer.neurons[0] = nn.Neuron(2, "tanh")


def test_float32_stays_float32(rng):
    for unit in nn.HIDDEN_UNITS:
        model = nn.MLP([2, 3, 2], unit, "softmax", dtype=np.float32)
        X = rng.standard_normal((5, 2)).astype(np.float32)
        loss = model.loss(X, np.eye(2)[[0, 1, 1, 0, 1]])
        loss.backward()
        assert {loss.dtype, model(X).dtype, *(p.dtype for p in model.parameters())} == {np.dtype(np.float32)}
        assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}


# -------------------------------------------------------------------------------------------------- dropout and modes


@given(st.floats(0, 1), seeds)
def test_dropout_gives_zero_or_the_rescaled_input_and_nothing_else(p, seed):
    layer = nn.Dropout(p, rng=seed)
    x = np.arange(1.0, 101.0)
    y = layer(Tensor(x)).numpy()
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / (1 - p) if p < 1 else [])
    assert kept.all() if p == 0 else True
    np.testing.assert_array_equal(layer.eval()(x), x)


def test_dropout_drops_its_share_and_differs_from_call_to_call():
    layer = nn.Dropout(0.25, rng=1)
    x = Tensor(np.ones(10_000))
    first, second = layer(x).numpy(), layer(x).numpy()
    assert abs((first == 0).mean() - 0.25) < 0.02
    assert (first != second).any()
    np.testing.assert_array_equal(nn.Dropout(0.25, rng=1)(x).data, first)


def test_train_and_eval_reach_every_module_and_prediction_drops_nothing():
    model = nn.MLP([2, 50, 2], "relu", "softmax", dropout=0.5)
    net = nn.Sequential(model, nn.Sequential(nn.Dropout(0.5, rng=0)))
    assert all(m.training for m in net.modules())
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert net.train() is net
    assert model.dropout.training
    X = np.random.default_rng(0).standard_normal((20, 2))
    assert (model(X).data != model(X).data).any()
    model.eval()
    labels = model(X).numpy().argmax(axis=1)
    model.train()
    model.layers[0].eval()  # a module keeps a mode of its own
    np.testing.assert_array_equal(model.predict(X), labels)
    assert [m.training for m in model.modules()] == [True, False, True, True]


# ------------------------------------------------------------------------------------- finding parameters and buffers


class Odd(nn.Module):
    """Everything that an attribute may hold, a circle among it."""

    def __init__(self):
        self.first = nn.Linear(2, 2, rng=0)
        self.list = [nn.Linear(2, 1, rng=1), {"a": nn.Parameter([1.0]), "b": (Value(2.0),)}]
        self.shared = self.first.weight
        self.again = self.list
        self.mean = Tensor([0.0, 0.0])
        self.count = Tensor([0])
        self.me = self
        self.list.append(self.list)
        self.cached = self.first(np.ones(2))
        self.text, self.nothing, self.function = "text", None, np.tanh


def test_parameters_are_found_wherever_they_are_once_and_in_order():
    odd = Odd()
    names = ["first.weight", "first.bias", "list.0.weight", "list.0.bias", "list.1.a", "list.1.b.0"]
    assert [name for name, _ in odd.named_parameters()] == names
    assert [name for name, _ in odd.named_buffers()] == ["mean", "count"]
    assert [name for name, _ in odd.named_modules()] == ["", "first", "list.0"]
    assert set(odd.state_dict()) == {*names, "mean", "count"}
    assert odd.parameters()[0] is odd.first.weight
    assert odd.buffers()[1] is odd.count


def test_a_module_a_thousand_deep_is_walked():
    net = nn.Linear(1, 1, rng=0)
    for _ in range(3000):
        net = nn.Sequential(net)
    assert len(net.parameters()) == 2
    assert len(net.modules()) == 3001


def test_a_module_is_a_nest_of_its_parameters_by_name():
    model = nn.Sequential(nn.Linear(2, 1, rng=0), ops.relu)
    leaves, rebuild = flatten(model)
    assert leaves == model.parameters()
    assert rebuild([1, 2]) == {"0.weight": 1, "0.bias": 2}


def test_zero_grad_forgets_the_gradients():
    model = nn.MLP([2, 2, 1])
    model.loss(np.ones((3, 2)), np.ones(3)).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


@given(sizes, seeds, seeds)
def test_a_state_moves_from_one_model_to_another(sizes, seed, other):
    a, b = nn.MLP(sizes, rng=seed), nn.MLP(sizes, rng=other)
    x = np.random.default_rng(0).standard_normal((3, sizes[0]))
    b.load_state_dict(a.state_dict())
    np.testing.assert_array_equal(a(x).data, b(x).data)


def test_a_state_is_a_copy_and_loading_copies():
    model = nn.Linear(2, 3, rng=0)
    before = model.weight.numpy()
    state = model.state_dict()
    assert type(state["weight"]) is np.ndarray
    state["weight"][:] = 7
    np.testing.assert_array_equal(model.weight.data, before)
    model.load_state_dict(state)
    state["weight"][:] = 8
    assert (model.weight.data == 7).all()
    odd = Odd()
    saved = odd.state_dict()
    assert saved["list.1.b.0"].shape == ()
    odd.mean.assign([1.0, 2.0])
    odd.load_state_dict(saved)
    assert odd.mean.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("bias"), DataError, "the state lacks bias"),
        (lambda s: s.update(extra=1.0), DataError, "has unknown extra"),
        (lambda s: s.update(bias=np.zeros(4)), ShapeError, r"bias has shape \(4,\) in the state, \(3,\) here"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, error, message):
    model = nn.Linear(2, 3, rng=0)
    before = model.state_dict()
    state = {name: value + 1 for name, value in model.state_dict().items()}
    change(state)
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_loading_what_is_common_leaves_the_rest():
    model = nn.Linear(2, 3, rng=0)
    before = model.weight.numpy()
    model.load_state_dict({"bias": np.ones(3), "other": 1.0}, strict=False)
    assert model.bias.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(model.weight.data, before)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_a_copied_model_is_a_model_of_its_own(clone):
    model = nn.MLP([2, 3, 2], "relu", "softmax", rng=3, dropout=0.1)
    other = clone(model)
    X = np.ones((2, 2))
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    other.layers[0].weight.assign(np.zeros((2, 3)))
    assert (model.layers[0].weight.data != 0).any()


# --------------------------------------------------------------------------------------------------- initial weights


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("glorot_uniform", 2 / 500), ("glorot_normal", 2 / 500), ("he_normal", 2 / 200),
        ("he_uniform", 2 / 200), ("lecun_normal", 1 / 200), ("standard_normal", 1.0),
    ],
)  # fmt: skip
def test_initial_weights_have_the_variance_of_their_source(init, variance):
    W = nn.Linear(200, 300, rng=5, init=init).weight.numpy()
    assert abs(W.var() / variance - 1) < 0.03
    assert abs(W.mean()) < 4 * np.sqrt(variance / W.size)
    if "uniform" in init:
        assert abs(W).max() <= np.sqrt(3 * variance)


@pytest.mark.parametrize("unit", ["relu", "leaky_relu", "maxout", "tanh", "linear"])
def test_signals_keep_their_size_through_ten_layers(unit, rng):
    model = nn.MLP([100] * 12, unit, rng=1)
    x = rng.standard_normal((200, 100))
    last = model.hidden(x)[-1].numpy()
    assert 0.1 < np.sqrt((last**2).mean()) < 4


def test_the_seed_decides_the_weights_and_a_generator_moves_on():
    same = [nn.MLP([3, 4, 2], rng=9).state_dict()["hidden1.weight"] for _ in range(2)]
    np.testing.assert_array_equal(*same)
    generator = np.random.default_rng(9)
    first, second = nn.Linear(3, 3, rng=generator), nn.Linear(3, 3, rng=generator)
    assert (first.weight.data != second.weight.data).all()


# ------------------------------------------------------------------------------------------------------ descriptions


def test_a_network_describes_its_layers():
    model = nn.MLP([2, 3, 1], ["maxout"], "logistic")
    record = model.describe()
    assert record["name"] == "MLP"
    assert [(row["name"], row["units"], row["activation"]) for row in record["layers"]] == [
        ("input", 2, ""), ("hidden 1", 3, "maxout"), ("output", 1, "logistic"),
    ]  # fmt: skip
    assert record["layers"][0]["weight"] is None
    np.testing.assert_array_equal(record["layers"][2]["weight"], model.layers[1].weight.data)
    record["layers"][2]["weight"][:] = 0  # a copy
    assert (model.layers[1].weight.data != 0).any()


def test_a_sequence_describes_its_layers_with_the_functions_after_them():
    net = nn.Sequential(
        nn.Linear(2, 3, rng=0), ops.relu, nn.Dropout(0.1, rng=0),
        nn.Sequential(nn.Linear(3, 2, rng=1, bias=False), lambda x: x * 2), nn.Linear(2, 1, rng=2),
    )  # fmt: skip
    rows = net.describe()["layers"]
    assert [(row["name"], row["activation"], row["parameters"]) for row in rows] == [
        ("input", "", 0), ("hidden 1", "relu", 9), ("hidden 2", "function", 6), ("output", "", 3),
    ]  # fmt: skip
    assert rows[2]["bias"] is None
    assert repr(net[0]) == "Linear(2, 3)"
    assert len(net) == 5


def test_scalar_networks_describe_themselves_with_their_weights():
    model = nn.scalar.MLP(2, [3, 1], "tanh", rng=0)
    rows = model.describe()["layers"]
    assert [(row["units"], row["activation"]) for row in rows] == [(2, ""), (3, "tanh"), (1, "linear")]
    assert rows[1]["weight"].shape == (2, 3)
    assert rows[1]["weight"][1, 2] == model.layers[0].neurons[2].weights[1].data


def test_a_summary_reads_well():
    rule = "─" * 67
    assert repr(nn.MLP([2, 3, 3], "sigmoid", "softmax").summary()).splitlines() == [
        "MLP 2-3-3",
        rule,
        "layer    kind          activation  shapes                parameters",
        rule,
        "hidden1  Linear(2, 3)  sigmoid     weight 2 × 3, bias 3           9",
        "output   Linear(3, 3)  softmax     weight 3 × 3, bias 3          12",
        rule,
        "total                                                            21",
    ]


def test_a_summary_counts_every_number_once():
    lines = Odd().summary().splitlines()
    assert lines[0] == "Odd"
    assert [int(line.split()[-1]) for line in lines[4:-2]] == [2, 6, 3]
    assert lines[-1].split() == ["total", "11"]
    assert len(nn.scalar.MLP(2, [16, 16, 1]).summary().splitlines()) == 9  # layers, not 33 neurons
    shared = nn.Linear(2, 2, rng=0)
    assert nn.Sequential(shared, ops.relu, shared).summary().splitlines()[-1].split()[-1] == "6"


# ------------------------------------------------------------------------------------------------------------ errors

MODEL = nn.MLP([2, 3, 3], "relu", "softmax")
NAMES = "sigmoid, tanh, relu, leaky_relu, maxout, radial_basis, softplus, linear"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.MLP([2]), ShapeError, r"MLP: sizes is \[2\]; it needs the inputs and the outputs at least"),
        (lambda: nn.MLP(2), ShapeError, "MLP: sizes is 2; give a list"),
        (lambda: nn.MLP([2, 0, 1]), ShapeError, r"MLP: sizes\[1\] is 0: it must be a whole number of at least 1"),
        (lambda: nn.MLP([2, 1.5]), ShapeError, r"sizes\[1\] is 1.5"),
        (lambda: nn.MLP([2, 3, 1], "rleu"), UnsupportedError, f"'rleu' is unknown: choose one of {NAMES}"),
        (lambda: nn.MLP([2, 3, 1], 3), UnsupportedError, "activation 3 is no name and no function"),
        (lambda: nn.MLP([2, 3, 1], ["tanh", "relu"]), UnsupportedError, "2 activations for 1 hidden layers"),
        (lambda: nn.MLP([2, 3], output="soft"), UnsupportedError, "one of linear, logistic, softmax, exponential"),
        (lambda: nn.MLP([2, 3, 1], output="softmax"), ShapeError, "a softmax of 1 unit is always 1"),
        (lambda: nn.MLP([2, 3, 1], rng=None), DTypeError, "MLP: rng is None; pass a seed"),
        (lambda: MODEL(np.ones((4, 5))), ShapeError, r"MLP, layer hidden1: linear: input \(4, 5\), weight \(2, 3\)"),
        (lambda: MODEL.loss(np.ones((2, 2)), [0, 3]), TinygradError, "labels run from 0 to 3, with 3 classes"),
        (lambda: nn.Linear(0, 1, rng=0), ShapeError, "Linear: n_in is 0"),
        (lambda: nn.Linear(1, 1, rng=0, init="glorot"), UnsupportedError, "init 'glorot' is unknown: choose one"),
        (lambda: nn.Linear(1, 2, rng=0, init=lambda n, m, _: np.ones((m, n))), ShapeError, r"returned shape \(2, 1\)"),
        (lambda: nn.Maxout(2, 2, 1, rng=0), ShapeError, "Maxout: pieces is 1"),
        (lambda: nn.RadialBasis(2, 2, rng=0)(np.ones((4, 3))), ShapeError, "radial_basis: input"),
        (lambda: nn.Dropout(1.5, rng=0), TinygradError, "p is 1.5; a probability lies in"),
        (lambda: nn.Parameter([1, 2]), DTypeError, "int64"),
        (lambda: nn.Sequential(3), DTypeError, "layer 0 is 3, which cannot be called"),
        (lambda: nn.Module().describe(), UnsupportedError, "holds no layer with inputs and outputs"),
        (lambda: nn.Sequential(nn.Linear(2, 3, rng=0))([1.0]), ShapeError, "Sequential, layer 0: linear: input"),
        (lambda: nn.Neuron(2, rng=0)([1.0, 2.0, 3.0]), ShapeError, "Neuron: 3 inputs for 2 weights"),
        (lambda: nn.Neuron(2, "maxout", rng=0), UnsupportedError, "use nn.MLP"),
        (lambda: nn.scalar.MLP(2, []), ShapeError, "sizes is empty"),
        (lambda: nn.scalar.MLP(2, [2, 1])([1.0]), ShapeError, "layer hidden1: Neuron: 1 inputs for 2 weights"),
        (lambda: nn.scalar.MLP(2, [1])(np.ones((2, 2))), ShapeError, r"shape \(2, 2\); a scalar network"),
    ],
)  # fmt: skip
def test_an_error_says_what_where_and_what_to_do(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_module_with_forward_is_called_as_in_pytorch():
    class Twice(nn.Module):
        def forward(self, x):
            return 2 * x

    class Nothing(nn.Module):
        pass

    assert Twice()(3.0) == 6.0
    with pytest.raises(UnsupportedError, match="define __call__"):
        Nothing()(3.0)
