"""Colours and shapes of every picture: what colour says, shape says too, so that no meaning is lost in greyscale."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tinygrad_mlp.errors import UnsupportedError

from .colours import BLACK, WHITE, ink, mix

# Okabe and Ito (2008), "Color Universal Design": distinguishable with every common colour vision.
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"

NEGATIVE_DASH = "7 3"
OKABE_ITO = (BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE, YELLOW, BLACK)
# Cividis in five steps, its lightness nearly linear: J. Nuñez, C. Anderton, R. Renslow, *Optimizing colormaps with
# consideration for color vision deficiency*, PLOS ONE 2018.
CIVIDIS = ("#00224E", "#404C6B", "#7C7B78", "#BBAD6C", "#FEE838")


@dataclass(frozen=True)
class Style:
    """How one kind of node looks: ``shape`` is box, rounded, note, ellipse or circle."""

    fill: str
    stroke: str
    shape: str = "box"
    width: float = 1.0
    dash: str = "solid"
    double: bool = False


@dataclass(frozen=True)
class Mark:
    """The colours of a word that says what is the matter with a node."""

    fill: str
    text: str


@dataclass(frozen=True)
class Theme:
    """The colours of a picture, and the style of each kind of node.

    Attributes:
        name: what ``theme=`` is called.
        nodes: the style of each kind of node.
        hidden: fills of hidden layers in a network diagram, by turns.
        marks: fills of the words that ``mark`` knows.
        scale: the colours that ``ramp`` runs through, from that nearest to the background on.
        positive, negative: lines of numbers with that sign; negative ones are dashed too.
        background, text, faint, edge: the paper, text, small print and outlines, arrows.
        plus, minus: text of a number with that sign, which is printed too.
        unknown: lines without a number.
        lit: a highlighted path, drawn thicker too.
    """

    name: str
    nodes: Mapping[str, Style]
    hidden: tuple[str, ...]
    marks: Mapping[str, str] = field(default_factory=dict)
    scale: tuple[str, ...] = CIVIDIS[::-1]
    negative: str = VERMILLION
    positive: str = BLUE
    background: str = WHITE
    text: str = "#1A1A1A"
    faint: str = "#5A5A5A"
    edge: str = "#4A4A4A"
    plus: str = "#00507F"  # blue and vermillion, darkened to be readable in small print, on fills too
    minus: str = "#A34700"
    unknown: str = "#8C8C8C"
    lit: str = PURPLE

    def mark(self, word: str) -> Mark:
        """Return the colours of a word, ``dead`` or ``dead: 3 of 16``; an unknown one looks like ``undecided``."""
        fill = self.marks.get(word.partition(":")[0], self.marks["undecided"])
        return Mark(fill, ink(fill))

    def ramp(self, t: float) -> str:
        """Return the colour of ``t`` between 0 and 1: the further it is, the less it is like the background.

        Write upon it in ``ink(…)``. What lies outside is taken as 0 or 1.
        """
        place = min(1.0, max(0.0, t)) * (len(self.scale) - 1)
        step = min(int(place), len(self.scale) - 2)
        return mix(self.scale[step], self.scale[step + 1], place - step)

    def shade(self, t: float) -> str:
        """Return the colour of ``t`` between -1 and 1: that of its sign, the fainter the nearer to 0; 0 where nan."""
        share = min(1.0, abs(t)) if t == t else 0.0
        return mix(self.nodes["op"].fill, self.negative if t < 0 else self.positive, share)


LIGHT = Theme(
    name="light",
    nodes=MappingProxyType(
        {
            "input": Style("#E4E4E4", "#5A5A5A", "note"),
            "parameter": Style("#CFE6F5", BLUE, "box", 2.0),
            "constant": Style(WHITE, "#5A5A5A", "ellipse", dash="dotted"),
            "op": Style(WHITE, "#3A3A3A", "rounded"),
            "output": Style("#F8F1A0", "#8A7F00", "rounded", double=True),
            "group": Style("#EBDDF0", "#6B4A78", "box", double=True),
        }
    ),
    hidden=("#A9D8F3", "#8FD3BE", "#F5CE7A", "#E6BDD4"),  # sky, green, orange, purple, whitened
    marks=MappingProxyType(
        {
            "dead": "#5A5A5A",
            "saturated": "#F5CE7A",
            "nan": BLACK,
            "inf": PURPLE,
            "no gradient": "#DADADA",
            "right": "#8FD3BE",
            "kink": YELLOW,
            "undecided": "#BFE1F5",
            "wrong": VERMILLION,
            "changed": SKY,
        }
    ),
)

DARK = Theme(
    name="dark",
    nodes=MappingProxyType(
        {
            "input": Style("#3B4048", "#B9BEC5", "note"),
            "parameter": Style("#0E3B59", SKY, "box", 2.0),
            "constant": Style("#15181C", "#B9BEC5", "ellipse", dash="dotted"),
            "op": Style("#22262C", "#D5D9DE", "rounded"),
            "output": Style("#454000", YELLOW, "rounded", double=True),
            "group": Style("#3D2A47", "#D3B3E0", "box", double=True),
        }
    ),
    hidden=("#1D4E6B", "#17503F", "#5C430F", "#5B3350"),
    marks=MappingProxyType(
        {
            "dead": "#8A9099",
            "saturated": ORANGE,
            "nan": WHITE,
            "inf": "#E59AC4",
            "no gradient": "#3B4048",
            "right": "#0F6B50",
            "kink": YELLOW,
            "undecided": "#2B5F80",
            "wrong": "#F0792B",
            "changed": SKY,
        }
    ),
    scale=CIVIDIS,
    negative="#E8702A",
    positive=SKY,
    background="#15181C",
    text="#F4F5F6",
    faint="#C3C8CE",
    edge="#8E959E",
    plus="#6CBDF0",
    minus="#FFC8A3",
    unknown="#868C94",
    lit="#F0A6D0",
)

PRINT = Theme(
    name="print",
    nodes=MappingProxyType(
        {
            "input": Style("#E8E8E8", BLACK, "note"),
            "parameter": Style("#D8D8D8", BLACK, "box", 2.5),
            "constant": Style(WHITE, BLACK, "ellipse", dash="dotted"),
            "op": Style(WHITE, BLACK, "rounded"),
            "output": Style(WHITE, BLACK, "rounded", double=True),
            "group": Style("#C8C8C8", BLACK, "box", double=True),
        }
    ),
    hidden=("#D6D6D6", "#B8B8B8", "#F2F2F2"),
    marks=MappingProxyType(
        {
            "dead": "#5A5A5A",
            "saturated": "#BEBEBE",
            "nan": BLACK,
            "inf": "#333333",
            "no gradient": "#EFEFEF",
            "right": WHITE,
            "kink": "#CDCDCD",
            "undecided": "#E0E0E0",
            "wrong": "#7A7A7A",
            "changed": "#A8A8A8",
        }
    ),
    scale=("#F5F5F5", "#2B2B2B"),
    negative="#7A7A7A",
    positive=BLACK,
    plus=BLACK,
    minus=BLACK,
    text=BLACK,
    faint="#3A3A3A",
    edge="#6E6E6E",
    unknown="#8C8C8C",
    lit=BLACK,
)

THEMES = {"light": LIGHT, "dark": DARK, "print": PRINT}


def find_theme(name: str) -> Theme:
    """Return the theme called ``name``.

    Raises:
        UnsupportedError: there is no such theme; the message lists them.
    """
    if name not in THEMES:
        raise UnsupportedError(f"draw: unknown theme {name!r}; the themes are {', '.join(THEMES)}")
    return THEMES[name]
