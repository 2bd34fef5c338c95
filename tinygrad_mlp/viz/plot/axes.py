"""What all plots share: axes of their own or given, and matplotlib itself, which is imported when a plot is made."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from tinygrad_mlp.errors import MissingDependencyError
from tinygrad_mlp.tensors import Tensor
from tinygrad_mlp.viz.labels import subscript
from tinygrad_mlp.viz.theme import BLUE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray[Any, Any]


def svg(ax: "Axes") -> str:
    """Return the figure of ``ax`` as an SVG element; the same figure gives the same bytes."""
    matplotlib = load_matplotlib()
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "tinygrad_mlp"}):
        figure: Any = ax.figure
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def load_matplotlib() -> Any:
    """Return the package matplotlib.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        _missing()
    return matplotlib


def _missing() -> NoReturn:
    raise MissingDependencyError("plot: matplotlib is not installed: pip install matplotlib (the extra viz)") from None


def axes_or_new(ax: "Axes | None", projection: str | None = None) -> "Axes":
    """Return ``ax``, or the axes of a new figure."""
    load_matplotlib()
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.figure(layout="constrained").add_subplot(projection=projection)


def finish(ax: "Axes", xlabel: str, ylabel: str, title: str) -> "Axes":
    """Return ``ax`` with its labels and its heading."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.set_title(title)
    return ax


def feature_names(names: Sequence[str]) -> tuple[str, str]:
    """Return the names of two features, x₁ and x₂ unless given."""
    first, second = names if len(names) == 2 else (f"x{subscript(1)}", f"x{subscript(2)}")
    return first, second


def raw(x: Any) -> Any:
    """Return the array of a tensor; anything else as it is."""
    return x.numpy() if isinstance(x, Tensor) else x


def diverging() -> Any:
    """Return the colour map of signed numbers: vermillion below 0, white at 0, blue above, grey where nan."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("signed", [VERMILLION, "#FFFFFF", BLUE])
    return colours.with_extremes(bad="#BBBBBB")


def whole_numbers() -> Any:
    """Return what places ticks at whole numbers only, for epochs and counts."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins="auto", steps=[1, 2, 2.5, 5, 10], integer=True)
