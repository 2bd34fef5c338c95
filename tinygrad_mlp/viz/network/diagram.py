"""The textbook network diagram: circles in columns, lines for weights, drawn by the library itself.

The SVG needs no program. The DOT carries the same positions (``layout=neato``, pinned), so that Graphviz makes PNG and
PDF of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.viz.labels import clean, escape, number, shape_text, width
from tinygrad_mlp.viz.records import Drawing
from tinygrad_mlp.viz.svg import Canvas
from tinygrad_mlp.viz.theme import NEGATIVE_DASH, Theme, find_theme

from .neurons import BIAS_RADIUS, LINE_SIZE, MARGIN, NAME_SIZE, Diagram, Link, place, read_layers


def drawing(
    model: Any,
    *,
    weights: bool = True,
    max_units: int = 8,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    precision: int = 4,
    theme: str = "light",
    title: str = "",
) -> Drawing:
    """Return the diagram of ``model``, a module or the record that its ``describe()`` returns.

    Args:
        model: What to draw.
        weights: Show weights by width and colour, where they are known.
        max_units: Circles in one column, the rest is '⋮'; at least 3.
        inputs: Names of the inputs.
        outputs: Names of the outputs.
        precision: Significant digits of every number.
        theme: light, or print for greyscale.
        title: A heading; by default the model's name, its sizes and its number of parameters.

    Raises:
        DataError: the record has no layers, or a layer without units.
        UnsupportedError: an unknown theme, or something that describes no layers.
    """
    look = find_theme(theme)
    record = model if isinstance(model, Mapping) else model.describe()
    if not isinstance(record, Mapping):
        raise UnsupportedError(f"draw: describe() of {type(model).__name__} returned no dict: {type(record).__name__}")
    layers = read_layers(record)
    count = sum(layer.parameters for layer in layers)
    sizes = "-".join(str(layer.units) for layer in layers)
    title = clean(title) or f"{clean(record.get('name', '') or 'network')} {sizes}, {count:,} parameters"
    diagram = place(
        layers, look, weights=weights, max_units=max_units, precision=precision, inputs=inputs, outputs=outputs
    )
    return Drawing(
        kind="network",
        title=title,
        source=dot(diagram, look, title, precision),
        text=text(diagram, title),
        native=lambda: svg(diagram, look, title, precision),
        laid_out=True,
    )


def text(diagram: Diagram, title: str) -> str:
    """Return the layers as a table of text."""
    lines = [title]
    broad = max(len(layer.name) for layer in diagram.layers)
    for layer in diagram.layers:
        line = f"  {layer.name:<{broad}}  {layer.units} unit{'s' * (layer.units > 1)}"
        line += f", {layer.activation}" if layer.activation else ""
        if layer.weight is not None:
            line += f", weights {shape_text(layer.weight.shape)}"
        lines.append(line + (f", {layer.parameters:,} parameters" if layer.parameters else ""))
    return "\n".join(lines)


def svg(diagram: Diagram, theme: Theme, title: str, precision: int = 4) -> str:
    """Return the diagram as SVG."""
    legend = _legend(diagram, theme, precision)
    wide = max(diagram.size[0], 2 * MARGIN + 1.05 * width(title, NAME_SIZE), 2 * MARGIN + sum(w for *_, w in legend))
    shift = (wide - diagram.size[0]) / 2
    bottom = diagram.size[1] + 26
    canvas = Canvas(wide, bottom + 38, theme, title, text(diagram, title))
    where = {circle.key: (circle.x + shift, circle.y) for circle in diagram.circles}
    lines = canvas.group("weights")
    for link in sorted(diagram.links, key=lambda link: link.width):  # the strong ones lie on top
        colour, dash = _stroke(link, theme)
        canvas.line(lines, where[link.source], where[link.target], colour, link.width, dash, link.tip)
    for circle in diagram.circles:
        group = canvas.group(f"unit {circle.kind}", circle.tip, circle.key)
        x, y = where[circle.key]
        canvas.circle(group, (x, y), circle.radius, circle.fill, theme.faint)
        canvas.text(group, x, y + 4.5, circle.label, 11 if circle.kind == "bias" else 13)
        if circle.side:
            offset, anchor = (-circle.radius - 7, "end") if circle.kind == "input" else (circle.radius + 7, "start")
            canvas.text(group, x + offset, y + 4, circle.side, LINE_SIZE, anchor)
    for x, y in diagram.dots:
        group = canvas.group("more", "units that are not drawn")
        for step in (-8, 0, 8):
            canvas.circle(group, (x + shift, y + step), 2.2, theme.faint, "none")
    for x, y, caption, size, bold in diagram.captions:
        colour = theme.text if bold else theme.faint
        canvas.text(canvas.root, x + shift, y, caption, size, weight="bold" if bold else "normal", colour=colour)
    canvas.text(canvas.root, MARGIN, bottom, title, NAME_SIZE, "start", "bold")
    _draw_legend(canvas, legend, bottom + 20)
    return canvas.source()


def _stroke(link: Link, theme: Theme) -> tuple[str, str]:
    """Return the colour of a line and its dashes: negative ones are dashed, so that greyscale shows the sign too."""
    if link.value is None:
        return "#8C8C8C", "2 3" if link.source.startswith("b") else ""
    if link.value != link.value:
        return theme.text, "1 3"
    return (theme.negative, NEGATIVE_DASH) if link.value < 0 else (theme.positive, "")


def _legend(diagram: Diagram, theme: Theme, precision: int) -> list[tuple[str, str, str, float]]:
    """Return the entries (words, colour, dashes, room); an entry without a colour has no sample."""
    known = any(link.value is not None for link in diagram.links)
    entries = []
    if known:
        entries += [("positive weight", theme.positive, ""), ("negative weight", theme.negative, NEGATIVE_DASH)]
        entries.append((f"width: |weight|, largest {number(diagram.largest, precision)}", "", ""))
    if any(circle.kind == "bias" for circle in diagram.circles):
        entries.append(("small circle: bias unit, always 1", "", ""))
    return [(words, colour, dash, width(words, LINE_SIZE) + (46 if colour else 18)) for words, colour, dash in entries]


def _draw_legend(canvas: Canvas, entries: list[tuple[str, str, str, float]], y: float) -> None:
    group, x = canvas.group("legend", "legend"), MARGIN
    for words, colour, dash, room in entries:
        start = x
        if colour:
            canvas.line(group, (x, y - 4), (x + 26, y - 4), colour, 2.5, dash)
            start += 32
        canvas.text(group, start, y, words, LINE_SIZE, "start", colour=canvas.theme.faint)
        x += room


def dot(diagram: Diagram, theme: Theme, title: str, precision: int = 4) -> str:
    """Return the diagram in the DOT language, every position pinned; points are the SVG's pixels."""
    from graphviz import Digraph
    from graphviz import escape as literal

    high = diagram.size[1]

    def at(x: float, y: float) -> str:
        return f"{x / 72:.4f},{(high - y) / 72:.4f}!"

    out = Digraph(
        "network",
        graph_attr={
            "layout": "neato",
            "splines": "line",
            "outputorder": "edgesfirst",
            "bgcolor": theme.background,
            "fontname": "Arial",
            "fontsize": "11",
            "labelloc": "b",
            "labeljust": "l",
            "label": _dot_caption(diagram, theme, title, precision),
            "tooltip": literal(title),
        },
        node_attr={"fontname": "Arial", "fontcolor": theme.text},
        edge_attr={"dir": "none"},
    )
    for c in diagram.circles:
        look = {"shape": "circle", "fixedsize": "true", "width": f"{c.radius / 36:.4f}", "style": "filled"}
        size = "11" if c.radius == BIAS_RADIUS else "13"
        look |= {"fillcolor": c.fill, "color": theme.faint, "fontsize": size, "pos": at(c.x, c.y)}
        out.node(c.key, label=c.label, _attributes=look)
    _dot_texts(out, diagram, theme, at)
    for link in diagram.links:
        colour, dash = _stroke(link, theme)
        style = {"": "solid", "2 3": "dotted", "1 3": "dotted"}.get(dash, "dashed")
        look = {"color": colour, "style": style, "penwidth": f"{link.width:.2f}", "tooltip": literal(link.tip)}
        out.edge(link.source, link.target, _attributes=look)
    return str(out.source)


def _dot_caption(diagram: Diagram, theme: Theme, title: str, precision: int) -> str:
    samples = {"": "—", NEGATIVE_DASH: "- -"}
    words = [
        f'<FONT COLOR="{colour}">{samples[dash]} {escape(entry)}</FONT>' if colour else escape(entry)
        for entry, colour, dash, _ in _legend(diagram, theme, precision)
    ]
    return f'<<B>{escape(title)}</B><BR ALIGN="LEFT"/>{" &#160; ".join(words)}<BR ALIGN="LEFT"/>>'


def _dot_texts(out: Any, diagram: Diagram, theme: Theme, at: Any) -> None:
    """Add captions, names and '⋮' as nodes that are only text."""
    texts = [(x, y - size / 3, words, size, bold) for x, y, words, size, bold in diagram.captions]
    for c in diagram.circles:
        if c.side:
            away = c.radius + 7 + width(c.side, LINE_SIZE) / 2
            texts.append((c.x - away if c.kind == "input" else c.x + away, c.y, c.side, LINE_SIZE, False))
    texts += [(x, y, "⋮", 20.0, True) for x, y in diagram.dots]
    for number_of, (x, y, words, size, bold) in enumerate(texts):
        label = f"<<B>{escape(words)}</B>>" if bold else f"<{escape(words)}>"
        look = {"shape": "plaintext", "fontsize": f"{size:g}", "pos": at(x, y), "width": "0", "height": "0"}
        look |= {"margin": "0", "fontcolor": theme.text if bold else theme.faint}
        out.node(f"t{number_of}", label=label, _attributes=look)
