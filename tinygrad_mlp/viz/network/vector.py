"""A network diagram as SVG, which needs no program."""

from tinygrad_mlp.viz.labels import width
from tinygrad_mlp.viz.records import Entry
from tinygrad_mlp.viz.svg import Canvas
from tinygrad_mlp.viz.theme import Style, Theme

from .columns import LINE_SIZE, MARGIN, NAME_SIZE
from .legend import entries, room, rows, stroke, tone
from .neurons import BIAS_RADIUS, SMALL_SIZE, Circle, Diagram

LINE_HEIGHT = 17.0


def svg(diagram: Diagram, theme: Theme, title: str, description: str, precision: int = 4) -> str:
    """Return the diagram as SVG; ``description`` is what a screen reader reads."""
    found = entries(diagram, theme, precision)
    wide = max(diagram.size[0], 2 * MARGIN + max([1.05 * width(title, NAME_SIZE), *map(room, found)]))
    legend = rows(found, wide - 2 * MARGIN)
    shift = (wide - diagram.size[0]) / 2
    bottom = diagram.size[1] + 26
    canvas = Canvas(wide, bottom + 18 + LINE_HEIGHT * len(legend), theme, title, description)
    _draw_lines(canvas, diagram, shift)
    for circle in diagram.circles:
        _draw_circle(canvas, circle, circle.x + shift)
    for gap in diagram.gaps:
        group = canvas.group("more", gap.tip)
        for step in (-8, 0, 8):
            canvas.circle(group, (gap.x + shift, gap.y + step), 2.2, theme.faint, "none")
    for caption in diagram.captions:
        colour, weight = (theme.text, "bold") if caption.bold else (theme.faint, "normal")
        where = (caption.x + shift, caption.y)
        canvas.text(canvas.root, *where, caption.text, caption.size, weight=weight, colour=colour)
    canvas.text(canvas.root, MARGIN, bottom, title, NAME_SIZE, "start", "bold")
    _draw_legend(canvas, legend, bottom + 20)
    return canvas.source()


def _draw_lines(canvas: Canvas, diagram: Diagram, shift: float) -> None:
    """Draw the lines, the strong ones on top, then the numbers on them."""
    where = {circle.key: (circle.x + shift, circle.y) for circle in diagram.circles}
    group, theme = canvas.group("weights"), canvas.theme
    for link in sorted(diagram.links, key=lambda link: link.width):
        colour, dash = stroke(link, theme)
        canvas.line(group, where[link.source], where[link.target], colour, link.width, dash, link.tip)
        ends = {"data-source": link.source, "data-target": link.target}
        group[-1].attrib.update({"class": "link", "id": f"{link.source}-{link.target}-0", **ends})
    labelled = [link for link in diagram.links if link.label]
    if not labelled:
        return
    group = canvas.group("numbers")
    plain = Style(theme.background, "none")
    for link in labelled:
        (x, y), (x2, y2) = where[link.source], where[link.target]
        x, y, half = x + (x2 - x) * link.at, y + (y2 - y) * link.at, width(link.label, SMALL_SIZE) / 2
        canvas.shape(group, (x - half, y - 5.5, 2 * half, 11), plain)
        canvas.text(group, x, y + 3.4, link.label, SMALL_SIZE, colour=tone(link, theme))


def _draw_circle(canvas: Canvas, circle: Circle, x: float) -> None:
    group = canvas.group(f"node unit {circle.kind}", circle.tip, circle.key)
    box = (x - circle.radius, circle.y - circle.radius, 2 * circle.radius, 2 * circle.radius)
    outline = Style(circle.fill, canvas.theme.faint, "circle", 1.6 if circle.negative else 1.0)
    canvas.shape(group, box, outline, dashed=circle.negative)
    size = 11 if circle.radius == BIAS_RADIUS else 13
    high = circle.y - 1.5 if circle.value else circle.y + 4.5
    canvas.text(group, x, high, circle.label, size, colour=circle.ink)
    if circle.value:
        canvas.text(group, x, circle.y + 10.5, circle.value, SMALL_SIZE, colour=circle.ink)
        group[-1].set("class", "value")
    if circle.side:
        away, anchor = (-circle.radius - 7, "end") if circle.kind == "input" else (circle.radius + 7, "start")
        canvas.text(group, x + away, circle.y + 4, circle.side, LINE_SIZE, anchor)


def _draw_legend(canvas: Canvas, legend: list[list[Entry]], y: float) -> None:
    group = canvas.group("legend", "legend")
    for row in legend:
        x = MARGIN
        for entry in row:
            start = x
            if entry.sample == "line":
                canvas.line(group, (x, y - 4), (x + 26, y - 4), entry.colour, 2.5, entry.dash)
                start += 32
            elif entry.sample == "fill":
                canvas.circle(group, (x + 7, y - 4), 6, entry.colour, canvas.theme.faint)
                start += 19
            canvas.text(group, start, y, entry.words, LINE_SIZE, "start", colour=canvas.theme.faint)
            x += room(entry)
        y += LINE_HEIGHT
