"""One HTML file around a picture: it needs no network, and without scripts the picture is still there."""

import html as markup
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from tinygrad_mlp.viz.colours import luminance
from tinygrad_mlp.viz.labels import clean
from tinygrad_mlp.viz.records import Drawing
from tinygrad_mlp.viz.theme import LIGHT, ORANGE, Theme

from .embedded import records

SCRIPTS = ("paths.js", "camera.js", "panel.js", "modules.js", "player.js", "search.js", "viewer.js")


def html(drawing: Drawing, svg: str) -> str:
    """Return a complete HTML document that shows ``svg``, the picture of ``drawing``, and lets the reader explore it.

    One can pan and zoom, point at nodes, light the paths from the output to a node and see their products summed beside
    the gradient, collapse modules, search, and play the drawing's frames.

    Args:
        drawing: What was drawn: its records, frames, text and theme.
        svg: The picture by the library's own layout, whose elements bear the records' keys as ids.
    """
    theme = drawing.theme if isinstance(drawing.theme, Theme) else LIGHT
    return Template(_part("skeleton.html")).substitute(
        title=markup.escape(clean(drawing.title or f"tinygrad_mlp: {drawing.kind}")),
        colours=_colours(theme),
        style=_part("viewer.css"),
        svg=svg[max(svg.find("<svg"), 0) :].strip(),
        notes=_notes(drawing.graph.notes if drawing.graph else ()),
        text=markup.escape(_printable(drawing.text)),
        data=records(drawing),
        script='"use strict";\n' + "\n".join(map(_part, SCRIPTS)),
    )


def _printable(text: str) -> str:
    """Return text with its line breaks and spaces, without what HTML may not contain, such as lone surrogates."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _colours(theme: Theme) -> str:
    """Return the theme's colours as variables of the style sheet."""
    scheme = "dark" if luminance(theme.background) < luminance(theme.text) else "light"
    colours = {
        "paper": theme.background,
        "ink": theme.text,
        "faint": theme.faint,
        "edge": theme.edge,
        "line": f"color-mix(in srgb, {theme.text} 16%, {theme.background})",
        "plus": theme.plus,
        "minus": theme.minus,
        "lit": theme.lit,
        "hit": ORANGE,
    }
    return f":root {{ color-scheme: {scheme}; {' '.join(f'--{name}: {value};' for name, value in colours.items())} }}"


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{markup.escape(clean(note))}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""
