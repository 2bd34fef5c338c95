"""The few pieces of HTML that a report is put together from; every text is escaped here."""

import html
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tinygrad_mlp.viz.labels import clean

SMALLEST = 0.7  # of its own size; smaller letters could not be read

_WIDTH = re.compile(r'<svg[^>]*? width="([0-9.]+)(pt|px)?"')


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Html:
    """Return a value as HTML: markup as it is, anything else escaped."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(clean(value)).replace(" %", "&#8239;%"))  # a number and its unit stay on one line


def paragraph(*parts: object) -> Html:
    """Return one paragraph of texts and markup."""
    return Html(f"<p>{' '.join(map(text, parts))}</p>")


def code(value: str) -> Html:
    """Return a block of code as it is, line breaks included."""
    shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in value)
    return Html(f"<pre><code>{html.escape(shown)}</code></pre>")


def table(
    head: Sequence[object], rows: Iterable[Sequence[object]], caption: str, numbers: Collection[int] = ()
) -> Html:
    """Return a table with a caption; the columns ``numbers``, counted from 0, are set flush right."""

    def cells(tag: str, row: Sequence[object]) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        return "".join(f"<{tag}{scope}{' class=n' * (i in numbers)}>{text(cell)}</{tag}>" for i, cell in enumerate(row))

    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    return Html(
        f'<div class="wide"><table><caption>{text(caption)}</caption>\n<thead><tr>{cells("th", head)}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def definitions(values: Mapping[str, str]) -> Html:
    """Return names and values, as many side by side as the page is wide."""
    return Html(
        "<dl class=settings>"
        + "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in values.items())
        + "</dl>"
    )


def figure(svg: str, alternative: str, caption: object = "", framed: bool = False) -> Html:
    """Return a picture with a text for readers who do not see it, and a caption.

    Args:
        svg: an SVG element.
        alternative: what the picture shows.
        caption: what to know about it.
        framed: draw a frame around it, and let it scroll where it would have to shrink below ``SMALLEST``.
    """
    drawn = svg.strip()
    size = _WIDTH.match(drawn)
    if framed and size:
        pixels = float(size[1]) * (4 / 3 if size[2] == "pt" else 1)
        drawn = drawn.replace("<svg", f'<svg style="min-width:{SMALLEST * pixels:.0f}px"', 1)
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    label = html.escape(clean(alternative))
    kind = " class=framed" if framed else ""
    return Html(f'<figure{kind}><div role="img" aria-label="{label}">{drawn}</div>{below}</figure>')


def pair(*figures: Html) -> Html:
    """Return pictures side by side where the page is wide enough."""
    return Html(f'<div class="pair">{"".join(figures)}</div>')


def section(key: str, title: str, *parts: Html) -> Html:
    """Return a section of the page that can be linked to."""
    head = f'<h2 id="{key}-title">{text(title)}</h2>'
    content = "\n".join(parts)
    return Html(f'<section id="{key}" aria-labelledby="{key}-title">\n{head}\n{content}\n</section>')


def quantity(value: Any, digits: int = 4) -> str:
    """Return a number as people read it, ``digits`` significant ones; a dash where there is none.

    >>> quantity(0.123456), quantity(12345.678), quantity(None), quantity(3)
    ('0.1235', '12,346', '–', '3')
    """
    if value is None:
        return "–"
    number = float(value)
    if not math.isfinite(number) or (number and not 1e-4 <= abs(number) < 1e9):
        return f"{number:.{digits - 1}g}"
    comma = "," if abs(number) >= 10_000 else ""
    if number.is_integer():
        return f"{number:{comma}.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    short = f"{number:{comma}.{decimals}f}"
    return short.rstrip("0").rstrip(".") if "." in short else short


def percent(share: float | None) -> str:
    """Return a share in per cent with one decimal, a dash where there is none.

    >>> percent(0.98765), percent(1.0), percent(None)
    ('98.8 %', '100 %', '–')
    """
    if share is None:
        return "–"
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def decimals(value: float | None, places: int = 3) -> str:
    """Return a number with a fixed number of decimals, a dash where there is none.

    >>> decimals(0.75), decimals(None)
    ('0.750', '–')
    """
    return "–" if value is None else f"{value:.{places}f}"
