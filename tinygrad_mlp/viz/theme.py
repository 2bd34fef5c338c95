"""Colours and shapes of every picture: what colour says, shape says too, so that no meaning is lost in greyscale."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tinygrad_mlp.errors import UnsupportedError

# Okabe and Ito (2008), "Color Universal Design": distinguishable with every common colour vision.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"

NEGATIVE_DASH = "7 3"
OKABE_ITO = (BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE, YELLOW, BLACK)


@dataclass(frozen=True)
class Style:
    """How one kind of node looks: ``shape`` is box, rounded, note or ellipse."""

    fill: str
    stroke: str
    shape: str = "box"
    width: float = 1.0
    dash: str = "solid"
    double: bool = False


@dataclass(frozen=True)
class Theme:
    """The colours of a picture, and the style of each kind of node."""

    name: str
    nodes: Mapping[str, Style]
    hidden: tuple[str, ...]
    negative: str = VERMILLION
    positive: str = BLUE
    background: str = "#FFFFFF"
    text: str = "#1A1A1A"
    faint: str = "#5A5A5A"
    edge: str = "#4A4A4A"
    plus: str = BLUE  # the colour of a positive number in a label, whose sign is printed too
    minus: str = "#B34E00"  # vermillion, darkened to be readable in small print


LIGHT = Theme(
    name="light",
    nodes=MappingProxyType(
        {
            "input": Style("#E4E4E4", "#5A5A5A", "note"),
            "parameter": Style("#CFE6F5", BLUE, "box", 2.0),
            "constant": Style("#FFFFFF", "#5A5A5A", "ellipse", dash="dotted"),
            "op": Style("#FFFFFF", "#3A3A3A", "rounded"),
            "output": Style("#F8F1A0", "#8A7F00", "rounded", double=True),
        }
    ),
    hidden=("#A9D8F3", "#8FD3BE", "#F5CE7A", "#E6BDD4"),  # sky, green, orange, purple, whitened
)

PRINT = Theme(
    name="print",
    nodes=MappingProxyType(
        {
            "input": Style("#E8E8E8", BLACK, "note"),
            "parameter": Style("#D8D8D8", BLACK, "box", 2.5),
            "constant": Style("#FFFFFF", BLACK, "ellipse", dash="dotted"),
            "op": Style("#FFFFFF", BLACK, "rounded"),
            "output": Style("#FFFFFF", BLACK, "rounded", double=True),
        }
    ),
    hidden=("#D6D6D6", "#B8B8B8", "#F2F2F2"),
    negative="#7A7A7A",
    positive=BLACK,
    plus=BLACK,
    minus=BLACK,
    text=BLACK,
    faint="#3A3A3A",
    edge=BLACK,
)

THEMES = {"light": LIGHT, "print": PRINT}


def find_theme(name: str) -> Theme:
    """Return the theme called ``name``.

    Raises:
        UnsupportedError: there is no such theme; the message lists them.
    """
    if name not in THEMES:
        raise UnsupportedError(f"draw: unknown theme {name!r}; the themes are {', '.join(THEMES)}")
    return THEMES[name]
