"""The arithmetic of colours: how light one is, how well two can be told apart, and what lies between two."""

BLACK, WHITE = "#000000", "#FFFFFF"


def channels(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of ``#RRGGBB``, each from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: str) -> float:
    """Return the relative luminance, from 0 for black to 1 for white.

    Source: W3C, *Web Content Accessibility Guidelines 2.2*, definition of relative luminance.
    """
    red, green, blue = (_linear(c / 255) for c in channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21: text wants 4.5, lines and outlines 3.

    Source: W3C, *Web Content Accessibility Guidelines 2.2*, criteria 1.4.3 and 1.4.11.

    >>> round(contrast("#000000", "#FFFFFF"))
    21
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lightness(colour: str) -> float:
    """Return L* of CIELAB, from 0 for black to 100 for white: what is left of a colour in greyscale.

    >>> lightness("#FFFFFF")
    100.0
    """
    y = luminance(colour)
    return 116 * y ** (1 / 3) - 16 if y > 216 / 24389 else y * 24389 / 27


def mix(start: str, end: str, t: float) -> str:
    """Return the colour a share ``t`` of the way from ``start`` to ``end``.

    >>> mix("#000000", "#FFFFFF", 0.5)
    '#808080'
    """
    return "#" + "".join(f"{round(a + (b - a) * t):02X}" for a, b in zip(channels(start), channels(end), strict=True))


def ink(fill: str) -> str:
    """Return black or white, whichever is read better on ``fill``; its contrast is 4.5 at least on any colour."""
    return max(BLACK, WHITE, key=lambda colour: contrast(colour, fill))


def _linear(c: float) -> float:
    return c / 12.92 if c <= 0.04045 else float(((c + 0.055) / 1.055) ** 2.4)
