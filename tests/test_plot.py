"""Plots: each draws what it was given, takes and returns axes, and refuses what it cannot draw."""

import subprocess
import sys

import numpy as np
import pytest

from tinygrad_mlp.errors import DataError, ShapeError, UnsupportedError
from tinygrad_mlp.ops import relu, sigmoid, tanh
from tinygrad_mlp.tensors import Tensor

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib")

from matplotlib.figure import Figure

from tinygrad_mlp import nn
from tinygrad_mlp.train import History
from tinygrad_mlp.viz import plot
from tinygrad_mlp.viz.theme import OKABE_ITO


@pytest.fixture
def ax():
    return Figure().add_subplot()


def three_clusters():
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 0.0], [4.0, 1.0], [1.0, 4.0]])
    X = np.concatenate([rng.normal(size=(20, 2)) + c for c in centres])
    return X, np.repeat(["a", "b", "c"], 20), centres


def filled(ax):
    """The filled regions by their colours."""
    from matplotlib.colors import to_hex
    from matplotlib.contour import QuadContourSet

    regions = [c for c in ax.collections if isinstance(c, QuadContourSet) and c.filled]
    return {to_hex(region.get_facecolor()[0]).upper(): region.get_paths()[0] for region in regions}


def test_history_draws_every_curve_over_epochs_from_one(ax):
    assert plot.history({"training": [3.0, 2.0, 1.0], "validation": [3.0, 2.5]}, ax=ax, log=True) is ax
    training, validation = ax.get_lines()
    assert training.get_xdata().tolist() == [1, 2, 3]
    assert validation.get_ydata().tolist() == [3.0, 2.5]
    assert training.get_linestyle() != validation.get_linestyle()
    assert ax.get_yscale() == "log"


def test_history_takes_one_sequence_and_refuses_none(ax):
    assert len(plot.history([1.0, 0.5], ax=ax).get_lines()) == 1
    with pytest.raises(DataError, match="no values to draw"):
        plot.history({"training": []}, ax=ax)


def test_history_takes_what_training_returns_and_marks_its_best_epoch(ax):
    history = History(loss=[3.0, 2.0, 1.0], validation_loss=[3.0, 2.0, 2.5], best_epoch=2)
    plot.history(history, ax=ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation", "best epoch: 2"]
    assert list(ax.get_lines()[-1].get_xdata()) == [2, 2]
    alone = plot.history(History(loss=[3.0, 2.0], best_epoch=2), ax=Figure().add_subplot())
    assert len(alone.get_lines()) == 1
    assert all(tick == round(tick) for tick in alone.get_xticks())


def test_clusters_give_every_class_its_colour_and_marker(ax):
    X, y, _ = three_clusters()
    plot.clusters(Tensor(X), y, ax=ax, names=("length", "depth"))
    assert [len(c.get_offsets()) for c in ax.collections] == [20, 20, 20]
    assert len({tuple(c.get_facecolor()[0]) for c in ax.collections}) == 3
    assert len({c.get_paths()[0].vertices.tobytes() for c in ax.collections}) == 3
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("length", "depth")


def test_clusters_read_one_hot_rows(ax):
    X, _, _ = three_clusters()
    plot.clusters(X, np.eye(3)[np.repeat([0, 1, 2], 20)], ax=ax, classes=["a", "b", "c"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]


@pytest.mark.parametrize("form", ["labels", "scores", "tensor"])
def test_decision_regions_colour_the_plane_by_the_predicted_class(form, ax):
    X, y, centres = three_clusters()

    def predict(points):
        scores = -((points[:, None] - centres) ** 2).sum(axis=-1)
        if form == "labels":
            return np.array(["a", "b", "c"])[scores.argmax(axis=1)]
        return Tensor(scores) if form == "tensor" else scores

    assert plot.decision_regions(predict, X, y, ax=ax, resolution=40) is ax
    regions = filled(ax)
    assert list(regions) == list(OKABE_ITO[:3])
    for c, centre in enumerate(centres):
        assert [path.contains_point(centre) for path in regions.values()] == [c == other for other in range(3)]


def test_decision_regions_read_the_probability_of_the_second_of_two_classes(ax):
    X = np.array([[0.0, 0.0], [1.0, 1.0]])
    plot.decision_regions(lambda p: (p[:, :1] > 0.5).astype(float), X, [0, 1], ax=ax, resolution=20)
    assert filled(ax)[OKABE_ITO[1]].contains_point((0.9, 0.5))


@pytest.mark.parametrize("form", ["labels", "scores"])
def test_no_third_class_appears_on_the_boundary_of_two(form, ax):
    """Between the numbers 0 and 2 of two classes a single contour passes through 1."""
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]])

    def predict(points):
        left = points[:, 0] < 0.5
        scores = np.stack([left, np.zeros(len(points)), ~left], axis=1)
        return scores if form == "scores" else scores.argmax(axis=1)

    plot.decision_regions(predict, X, [0, 2, 1], ax=ax, resolution=30)
    assert list(filled(ax)) == [OKABE_ITO[0], OKABE_ITO[2]]


def test_scores_give_a_straight_boundary_on_a_coarse_grid(ax):
    X = np.array([[0.0, 0.0], [1.0, 1.0]])
    plot.decision_regions(
        lambda p: np.stack([p.sum(axis=1), 2 - p.sum(axis=1)], axis=1), X, [1, 0], ax=ax, resolution=7
    )
    for path in filled(ax).values():
        low, high = path.vertices.sum(axis=1).min(), path.vertices.sum(axis=1).max()
        assert low == pytest.approx(1) or high == pytest.approx(1)


def test_equal_and_infinite_scores_leave_no_hole(ax):
    X = np.array([[0.0, 0.0], [1.0, 1.0]])
    plot.decision_regions(lambda p: np.zeros((len(p), 2)), X, [0, 1], ax=ax, resolution=5)
    assert list(filled(ax)) == [OKABE_ITO[0]]
    other = Figure().add_subplot()
    scores = lambda p: np.where(np.stack([p[:, 0] > 0.5, p[:, 0] <= 0.5], axis=1), -np.inf, 0.0)  # noqa: E731
    plot.decision_regions(scores, X, [0, 1], ax=other, resolution=5)
    assert len(filled(other)) == 2


def test_decision_regions_of_one_class_are_drawn_too(ax):
    plot.decision_regions(lambda p: np.zeros(len(p), int), np.ones((3, 2)), [0, 0, 0], ax=ax, resolution=5)
    assert len(ax.collections) == 2


def test_a_surface_is_three_dimensional():
    def logistic(p):
        return 1 / (1 + np.exp(-p @ np.array([1.0, 2.0])))

    ax = plot.surface(logistic, ax=Figure().add_subplot(projection="3d"), resolution=20, extent=(-1, 1, -2, 2))
    assert ax.get_zlim()[0] < 0.05 < 0.95 < ax.get_zlim()[1]
    assert ax.get_xlim()[1] == pytest.approx(1, abs=0.2)
    assert ax.get_ylim()[1] == pytest.approx(2, abs=0.4)
    assert ax.get_xlabel() == "x₁"


def test_a_surface_refuses_flat_axes_and_functions_of_another_shape(ax):
    with pytest.raises(UnsupportedError, match='projection="3d"'):
        plot.surface(lambda p: p[:, 0], ax=ax)
    with pytest.raises(ShapeError, match="one value a point"):
        plot.surface(lambda p: p, ax=ax)


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
        (tanh, lambda x: 1 - tanh(x) ** 2),
        (relu, lambda x: (x > 0) * 1.0),
        (lambda x: x, np.ones_like),
        (lambda x: x.numpy() * 0 + 2.0, np.zeros_like),
        (lambda x: 1 / (1 + np.exp(-x)), lambda x: sigmoid(x) * (1 - sigmoid(x))),
    ],
    ids=["sigmoid", "tanh", "relu", "linear", "constant", "numpy"],
)
def test_a_unit_is_drawn_with_the_derivative_that_the_engine_finds(f, slope, ax):
    plot.activation(f, ax=ax)
    value, derivative = ax.get_lines()[-2:]
    at = value.get_xdata()
    np.testing.assert_allclose(derivative.get_ydata(), slope(at), atol=1e-12)
    np.testing.assert_allclose(value.get_ydata(), np.asarray(f(Tensor(at, requires_grad=False))), atol=1e-12)


def test_a_derivative_by_hand_is_drawn_instead_and_a_shape_must_be_kept(ax):
    plot.activation(sigmoid, derivative=lambda x: 0 * x + 7, ax=ax, title="mine")
    assert set(ax.get_lines()[-1].get_ydata()) == {7.0}
    assert ax.get_title() == "mine"
    with pytest.raises(ShapeError, match="elementwise"):
        plot.activation(lambda x: x.sum(), ax=ax)


def test_a_confusion_matrix_shows_every_count(ax):
    plot.confusion([[20, 1], [0, 3]], classes=["yes", "no"], ax=ax)
    assert [text.get_text() for text in ax.texts] == ["20", "1", "0", "3"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["yes", "no"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[20 / 21, 1 / 21], [0, 1]])
    plot.confusion(np.zeros((2, 2), int), ax=ax)  # a class without a sample divides by nothing
    with pytest.raises(ShapeError, match="square"):
        plot.confusion([[1, 2, 3]], ax=ax)
    with pytest.raises(ShapeError, match="1 names for 2 classes"):
        plot.confusion(np.eye(2), classes=["yes"], ax=ax)


def small_network():
    model = nn.MLP([4, 3, 2], "tanh", "softmax", rng=0)
    return model, Figure().subplots(1, 2)


def test_weights_are_shown_layer_by_layer_with_zero_in_the_middle():
    model, axes = small_network()
    shown = plot.weights(model, ax=axes)
    for ax, layer in zip(shown, model.layers, strict=True):
        [image] = ax.images
        np.testing.assert_array_equal(image.get_array(), layer.weight.data)
        low, high = image.get_clim()
        assert -low == high == np.abs(layer.weight.data).max()
        assert len(ax.texts) == layer.weight.size
    assert [ax.get_title() for ax in shown] == ["hidden 1, 4×3", "output, 3×2"]


def test_one_layer_or_one_matrix_is_shown_in_the_axes_that_were_given(ax):
    model, _ = small_network()
    assert plot.weights(model, layer="output", ax=ax) is ax
    assert plot.weights(model, layer=2, ax=Figure().add_subplot()).get_title() == ax.get_title()
    drawn = plot.weights(np.array([[np.nan, 0.0]]), ax=Figure().add_subplot())
    assert [text.get_text() for text in drawn.texts] == ["nan", "0"]
    assert np.ma.count_masked(np.ma.masked_invalid(drawn.images[0].get_array())) == 1


@pytest.mark.parametrize("kind", ["image", "hist"])
def test_gradients_are_shown_after_backward_only(kind):
    model, axes = small_network()
    with pytest.raises(DataError, match=r"gradients of hidden 1, output are not computed: call backward\(\)"):
        plot.weights(model, show="gradients", kind=kind, ax=axes)
    model.loss(np.ones((2, 4)), [0, 1]).backward()
    assert plot.weights(model, show="gradients", kind=kind, ax=axes)[0].get_title() == "hidden 1: gradient, 4×3"


def test_a_histogram_counts_every_weight_and_parts_the_signs_at_zero(ax):
    weights = np.array([[-1.0, -0.5, 0.0], [0.25, 2.0, np.inf]])
    plot.weights(weights, kind="hist", ax=ax)
    assert sum(bar.get_height() for bar in ax.patches) == 5
    for bar in ax.patches:
        assert (bar.get_x() >= -1e-12) == (bar.get_facecolor() == ax.patches[-1].get_facecolor())
    assert "1 not finite" in ax.get_xlabel()
    for constant in (np.zeros((2, 2)), np.full((2, 2), 3.0), np.full((2, 2), np.nan)):
        plot.weights(constant, kind="hist", ax=Figure().add_subplot())


@pytest.mark.parametrize("shape", [(2, 16), (1, 40), (300, 3)])
def test_units_and_inputs_are_counted_from_1_in_whole_numbers(shape, ax):
    plot.weights(np.ones(shape), ax=ax)
    for axis, size in zip((ax.yaxis, ax.xaxis), shape, strict=True):
        words = [int(label.get_text()) for label in axis.get_ticklabels()]
        assert words == [round(at) + 1 for at in axis.get_ticklocs()]
        assert 1 <= min(words) <= max(words) <= size


def test_weights_of_inputs_that_are_images_are_shown_as_images(ax):
    matrix = np.arange(24.0).reshape(6, 4)
    plot.weights(matrix, shape=(2, 3), ax=ax)
    mosaic = np.asarray(ax.images[0].get_array().filled(np.nan))
    assert mosaic.shape == (2 * 3 - 1, 2 * 4 - 1)
    np.testing.assert_array_equal(mosaic[:2, 4:], matrix[:, 1].reshape(2, 3))
    with pytest.raises(ShapeError, match="6 inputs, no images of 3×3"):
        plot.weights(matrix, shape=(3, 3), ax=ax)


def test_weights_that_are_not_there_are_refused(ax):
    model, _ = small_network()
    cases = [
        (lambda: plot.weights(model, layer=7, ax=ax), DataError, "no layer 7; the layers are hidden 1, output"),
        (lambda: plot.weights(model, ax=ax), ShapeError, "1 axes for 2 layers"),
        (lambda: plot.weights(model, kind="pie", ax=ax), UnsupportedError, "kind is image or hist"),
        (lambda: plot.weights(np.ones(3), ax=ax), ShapeError, r"not \(3,\)"),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize(
    ("X", "y", "classes", "error", "message"),
    [
        (np.ones((3, 3)), [0, 0, 0], None, ShapeError, r"\(n, 2\)"),
        (np.ones((0, 2)), [], None, ShapeError, r"n > 0"),
        (np.ones((3, 2)), [0, 0], None, ShapeError, "3 points and 2 labels"),
        (np.ones((2, 2)), ["a", "z"], ["a", "b"], DataError, "label z is not among the classes a, b"),
    ],
)
def test_points_and_labels_that_do_not_fit_are_refused(X, y, classes, error, message, ax):
    with pytest.raises(error, match=message):
        plot.clusters(X, y, classes=classes, ax=ax)


def test_a_prediction_of_another_shape_is_refused(ax):
    X, y, _ = three_clusters()
    with pytest.raises(ShapeError, match=r"predict gave shape \(25, 2\) for 25 points and 3 classes"):
        plot.decision_regions(lambda p: p, X, y, ax=ax, resolution=5)


def test_without_axes_a_figure_of_pyplot_is_made():
    import matplotlib.pyplot as plt

    ax = plot.history([1.0, 2.0])
    try:
        assert ax.figure.number in plt.get_fignums()
    finally:
        plt.close(ax.figure)


def test_a_figure_becomes_the_same_svg_each_time():
    svgs = {plot.svg(plot.history([2.0, 1.0], ax=Figure().add_subplot())) for _ in range(2)}
    assert len(svgs) == 1
    assert svgs.pop().startswith("<svg")


def test_without_matplotlib_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from tinygrad_mlp.viz import plot\n"
        "try:\n    plot.history([1.0])\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "MissingDependencyError plot: matplotlib is not installed: pip install matplotlib (the extra viz)"
    )
