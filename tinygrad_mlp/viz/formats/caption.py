"""What stands below a graph drawn as SVG: its title, the legend and the remarks, in lines that are not too long."""

from dataclasses import replace
from xml.etree.ElementTree import Element

from tinygrad_mlp.viz.labels import clean, width
from tinygrad_mlp.viz.records import Entry, GraphView
from tinygrad_mlp.viz.svg import Canvas
from tinygrad_mlp.viz.theme import Style, Theme

from .words import MARK, legend, style_of

TITLE, LINE = 12.0, 10.0
LEAST = 420.0  # how wide a caption may be under a narrow graph
SAMPLE = 30.0  # from the left of an entry to its words


class Caption:
    """A title, a legend and remarks, as wide as the graph above them, or ``LEAST``."""

    def __init__(self, graph: GraphView, theme: Theme, title: str, wide: float) -> None:
        """Cut everything into lines."""
        most = max(wide, LEAST)
        self.title = clean(title)
        self.rows = lines_of(legend(graph, theme), most)
        self.notes = [line for note in graph.notes for line in wrapped(clean(note), most)]
        lengths = [sum(length(entry) for entry in row) - 16 for row in self.rows]
        self.width = max([*lengths, *(width(note, LINE) for note in self.notes), 1.05 * width(self.title, TITLE), 0.0])
        self.height = 22 + (20 if self.title else 0) + 20 * len(self.rows) + 15 * len(self.notes)

    def draw(self, canvas: Canvas, left: float, top: float) -> None:
        """Draw it with its upper left corner at ``left, top``."""
        y = top + 22
        if self.title:
            canvas.text(canvas.root, left, y + 13, self.title, TITLE, "start", "bold", kind="heading")
            y += 20
        group = canvas.group("legend", "legend")
        for row in self.rows:
            x = left
            for entry in row:
                start = x
                if entry.sample:
                    _draw_sample(canvas, group, entry, x, y)
                    start += SAMPLE
                canvas.text(group, start, y + 13, entry.words, LINE, "start", colour=canvas.theme.faint)
                x += length(entry)
            y += 20
        for note in self.notes:
            canvas.text(canvas.root, left, y + 11, note, LINE, "start", colour=canvas.theme.faint, kind="note")
            y += 15


def wrapped(text: str, most: float) -> list[str]:
    """Return ``text`` in lines no wider than ``most`` pixels, unless one word is."""
    lines, line, long = [], "", 0.0
    for word in text.split(" "):
        step = width(f"{word} ", LINE)
        if line and long + step > most:
            lines.append(line)
            line, long = "", 0.0
        line, long = f"{line} {word}" if line else word, long + step
    return [*lines, line]


def lines_of(entries: list[Entry], most: float) -> list[list[Entry]]:
    """Return the entries of a legend in lines no wider than ``most`` pixels, unless one entry is."""
    rows: list[list[Entry]] = []
    room = 0.0
    for entry in entries:
        if not rows or length(entry) > room:
            rows.append([])
            room = most + 16
        rows[-1].append(entry)
        room -= length(entry)
    return rows


def length(entry: Entry) -> float:
    """Return how many pixels an entry of the legend takes, with the space behind it."""
    return width(clean(entry.words), LINE) + 16 + (SAMPLE if entry.sample else 0.0)


def _draw_sample(canvas: Canvas, group: Element, entry: Entry, x: float, y: float) -> None:
    theme = canvas.theme
    box = (x + 3, y + 3, 20.0, 13.0)
    if entry.sample == "line":
        wide = 3.0 if entry.colour == theme.lit else 1.5
        canvas.line(group, (x + 1, y + 9.5), (x + 25, y + 9.5), entry.colour or theme.edge, wide, entry.dash)
    elif entry.sample == MARK:
        canvas.panel(group, box, entry.colour, theme.mark(entry.words).text, 6.0)
    elif entry.sample == "fill":
        canvas.shape(group, box, Style(entry.colour or theme.background, theme.faint))
    else:
        style = style_of(entry.sample, theme)
        if entry.sample == "group":
            canvas.shape(group, (x + 6, y, 20.0, 13.0), replace(style, double=False, width=1.0))
            style = replace(style, double=False)
        canvas.shape(group, box, style)
