"""The legend of a network diagram: what lines and fills say, in rows that fit below the picture."""

from tinygrad_mlp.viz.labels import number, width
from tinygrad_mlp.viz.records import Entry
from tinygrad_mlp.viz.theme import NEGATIVE_DASH, Theme

from .columns import LINE_SIZE
from .neurons import Diagram, Link

UNKNOWN_DASH, ODD_DASH = "2 3", "1 3"  # of a bias without a number, and of a number that is none
SHADES = (-1.0, -0.5, 0.0, 0.5, 1.0)


def stroke(link: Link, theme: Theme) -> tuple[str, str]:
    """Return the colour of a line and its dashes: negative ones are dashed, so that greyscale shows the sign too."""
    if link.value is None:
        return theme.unknown, UNKNOWN_DASH if link.source.startswith("b") else ""
    if link.value != link.value:
        return theme.text, ODD_DASH
    if not link.value:
        return theme.unknown, ""
    return (theme.negative, NEGATIVE_DASH) if link.value < 0 else (theme.positive, "")


def tone(link: Link, theme: Theme) -> str:
    """Return the colour of the number on a line."""
    if not link.value or link.value != link.value:
        return theme.text
    return theme.minus if link.value < 0 else theme.plus


def entries(diagram: Diagram, theme: Theme, precision: int = 4) -> list[Entry]:
    """Return what the legend says; swatches of one scale follow each other, the last has the words."""
    found, noun = [], diagram.shown.noun
    if any(link.value is not None for link in diagram.links):
        found.append(Entry(f"positive {noun}", "line", theme.positive))
        found.append(Entry(f"negative {noun}", "line", theme.negative, NEGATIVE_DASH))
        drawn = " drawn" * bool(diagram.gaps)
        found.append(Entry(f"width: |{noun}|, largest {noun}{drawn} {number(diagram.largest, precision)}"))
    if diagram.shown.missing:
        found.append(Entry(diagram.shown.missing))
    if diagram.gaps:
        total = sum(layer.parameters for layer in diagram.layers)
        found.append(Entry(f"lines only between the circles drawn: {len(diagram.links):,} of {total:,} parameters"))
    if any(circle.kind == "bias" for circle in diagram.circles):
        found.append(Entry("small circle: bias unit, always 1"))
    drawn_of = zip(diagram.shown.layers, diagram.layers, strict=True)
    if any(lines.weights is not None and layer.weight.shape[2] > 1 for lines, layer in drawn_of):
        found.append(Entry("maxout: of a unit's pieces the line shows the one farthest from 0"))
    if diagram.sampled:
        below = any(circle.negative for circle in diagram.circles)
        found += [Entry("", "fill", theme.shade(t)) for t in SHADES[0 if below else 2 : -1]]
        words = "fill: output for the sample, full colour for the largest of its column"
        found.append(Entry(words + ", dashed outline: negative" * below, "fill", theme.shade(SHADES[-1])))
    found += map(Entry, diagram.notes)
    return found


def room(entry: Entry) -> float:
    """Return how wide an entry is, with its sample and the space after it."""
    sample = {"line": 32.0, "fill": 17.0}.get(entry.sample, 0.0)
    return sample + (width(entry.words, LINE_SIZE) + 16 if entry.words else 0.0)


def rows(found: list[Entry], wide: float) -> list[list[Entry]]:
    """Return the entries in rows of at most ``wide``; a row has one at least, and no scale is broken."""
    chunks: list[list[Entry]] = [[]]
    for entry in found:
        chunks[-1].append(entry)
        if entry.words:
            chunks.append([])
    lines: list[list[Entry]] = []
    for chunk in filter(None, chunks):
        if lines and sum(map(room, [*lines[-1], *chunk])) <= wide:
            lines[-1] += chunk
        else:
            lines.append(list(chunk))
    return lines
