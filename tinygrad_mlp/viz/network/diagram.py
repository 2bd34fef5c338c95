"""The textbook network diagram: circles in columns, lines for weights, drawn by the library itself.

The SVG needs no program. The DOT carries the same positions (``layout=neato``, pinned), so that Graphviz makes PNG and
PDF of it; the TikZ goes into papers.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.nn import Module
from tinygrad_mlp.viz.labels import clean, norm, number, summary
from tinygrad_mlp.viz.records import Drawing
from tinygrad_mlp.viz.theme import find_theme

from .layers import Layer, read_layers
from .lines import Shown, changes, find_shown
from .neurons import Diagram, place
from .pinned import dot
from .tikz import tex
from .vector import svg
from .wording import norm_text

ORDER = (
    "layers in the order in which they were assigned",
    "how they are joined is known when the module is called: draw(model, X)",
)


class Options(TypedDict, total=False):
    """How a network is drawn.

    Attributes:
        max_units: circles in one column, the rest is '⋮'; at least 3.
        numbers: whether numbers are written on the lines; by default where there is room.
        inputs: names of the inputs, one for each.
        outputs: names of the outputs, one for each.
        precision: significant digits of every number.
        theme: light, dark, or print for greyscale.
        title: a heading; by default the model's name, its sizes and its number of parameters.
    """

    max_units: int
    numbers: bool | None
    inputs: Sequence[str]
    outputs: Sequence[str]
    precision: int
    theme: str
    title: str


def drawing(model: Any, *, show: str = "weights", sample: Any = None, **options: Unpack[Options]) -> Drawing:
    """Return the diagram of ``model``, a module or the record that its ``describe()`` returns.

    Args:
        model: What to draw.
        show: What width and colour of the lines tell: weights, gradients, or structure for neither.
        sample: One row of input numbers: the fill of every circle shows what it gives for them.
        **options: As of ``Options``.

    Raises:
        DataError: the record has no layers, or a layer without units.
        ShapeError: the sample does not fit the network, or there are not as many names as inputs or outputs.
        UnsupportedError: an unknown theme or ``show``, or something that describes no layers.
    """
    chosen = find_shown(show)
    record = _record(model, sample)
    layers = read_layers(record)
    sampled = any(layer.output is not None for layer in layers)
    notes = _order(model, layers)
    return _finished("network", _heading(record, layers), layers, chosen(layers), options, notes, sampled)


def difference(before: Any, after: Any, **options: Unpack[Options]) -> Drawing:
    """Return the diagram whose lines show what ``after`` has more than ``before``.

    Args:
        before: A module, its record, or its ``state_dict()``.
        after: The same; one of the two is more than a state.
        **options: As of ``Options``.

    Raises:
        ShapeError: layers have other sizes.
        DataError: a state has other names than the module.
        UnsupportedError: both are states, so that the order of the layers is unknown.
    """
    old, new = (_record(_loaded(x, other)) for x, other in ((before, after), (after, before)))
    layers = [read_layers(record) for record in (old, new)]
    shown = changes(*layers)
    digits = options.get("precision", 4)
    start = norm([norm(x) for layer in layers[0] for x in (layer.weight, layer.bias) if x is not None])
    share = f", {number(shown.size / start, 3)} of the norm before" if start else ""
    heading = f"what changed: {_heading(new, layers[1])}, norm of the change {number(shown.size, digits)}{share}"
    return _finished("diff", heading, layers[1], shown, options, _order(after, layers[1]) or _order(before, layers[0]))


def _record(model: Any, sample: Any = None) -> Mapping[str, Any]:
    """Return the record of a module, with the outputs of its layers for a sample; a record as it is."""
    if isinstance(model, Mapping):
        if sample is not None:
            raise UnsupportedError("draw: a record is not computed: pass the model with sample=, or describe(sample)")
        return model
    if isinstance(model, type) or not callable(getattr(model, "describe", None)):
        raise UnsupportedError(f"draw: {type(model).__name__} describes no layers; pass a module or a record")
    if sample is not None and not _is_row(sample):
        raise UnsupportedError("draw: sample= is no row of real numbers; give one row of the data, such as X[0]")
    record = model.describe() if sample is None else model.describe(sample)
    if not isinstance(record, Mapping):
        raise UnsupportedError(f"draw: describe() of {type(model).__name__} returned no dict: {type(record).__name__}")
    return record


def _is_row(sample: Any) -> bool:
    """Return whether a sample is made of real numbers; whether there are as many as it takes the model knows."""
    items = sample if isinstance(sample, list | tuple) else [sample]
    return all(np.asarray(getattr(x, "_payload", x)).dtype.kind in "biuf" for x in items)


def _loaded(x: Any, other: Any) -> Any:
    """Return a copy of the module ``other`` in the state ``x``, if ``x`` is a state; otherwise ``x`` itself."""
    if not isinstance(x, Mapping) or "layers" in x:
        return x
    if not callable(getattr(other, "load_state_dict", None)):
        raise UnsupportedError("difference: a state does not tell the order of the layers; pass a module beside it")
    model = copy.deepcopy(other)
    model.load_state_dict(x)
    return model


def _heading(record: Mapping[str, Any], layers: list[Layer]) -> str:
    count = sum(layer.parameters for layer in layers)
    sizes = "-".join(str(layer.units) for layer in layers)
    return f"{clean(record.get('name', '') or 'network')} {sizes}, {count:,} parameters"


def _order(model: Any, layers: list[Layer]) -> Sequence[str]:
    """Return a remark on the order of the layers, where it is only that in which the module was built."""
    return ORDER if len(layers) > 2 and getattr(type(model), "stages", None) is Module.stages else ()


def _finished(
    kind: str,
    heading: str,
    layers: list[Layer],
    shown: Shown,
    options: Options,
    notes: Sequence[str],
    sampled: bool = False,
) -> Drawing:
    theme = find_theme(options.get("theme", "light"))
    title = clean(options.get("title", "")) or heading
    precision = options.get("precision", 4)
    diagram = place(
        layers,
        shown,
        theme,
        max_units=options.get("max_units", 8),
        precision=precision,
        numbers=options.get("numbers"),
        inputs=options.get("inputs", ()),
        outputs=options.get("outputs", ()),
        sampled=sampled,
        notes=notes,
    )
    words = text(diagram, title, precision)
    return Drawing(
        kind=kind,
        title=title,
        source=dot(diagram, theme, title, precision),
        text=words,
        native=lambda: svg(diagram, theme, title, words, precision),
        laid_out=True,
        extra=lambda suffix: tex(diagram, theme, title, precision) if suffix == ".tex" else "",
        theme=theme,
    )


def text(diagram: Diagram, title: str, precision: int = 4) -> str:
    """Return the layers as a table of text."""
    lines = [title]
    broad = max(len(layer.name) for layer in diagram.layers)
    for layer, shown in zip(diagram.layers, diagram.shown.layers, strict=True):
        parts = [f"{layer.units} unit{'s' * (layer.units > 1)}", layer.activation]
        if layer.weight is not None:
            inputs, units, pieces = layer.weight.shape
            parts.append(f"weights {inputs}×{units * pieces}")
        parts.append(f"{layer.parameters:,} parameters" if layer.parameters else "")
        parts.append(norm_text(diagram.shown, shown, precision))
        if diagram.sampled:
            parts.append("output " + ("not known" if layer.output is None else summary(layer.output, precision)))
        lines.append(f"  {layer.name:<{broad}}  " + ", ".join(part for part in parts if part))
    return "\n".join([*lines, *filter(None, [diagram.shown.missing]), *diagram.notes])
