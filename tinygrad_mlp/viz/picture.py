"""A picture: its source, its SVG, files of several kinds, and what a notebook shows."""

import html
import os
from pathlib import Path
from typing import Any

from tinygrad_mlp.errors import LayoutError, UnsupportedError

from . import engines
from .records import Drawing
from .svg import FONT

SUFFIXES = (".svg", ".gv", ".dot", ".txt", ".html", ".png", ".pdf")


class Picture:
    """A drawing that knows how to become SVG, a file or notebook output.

    Attributes:
        source: The picture in the DOT language, the same bytes for the same graph.
        text: The picture as text.
        title: Its heading, may be empty.
        kind: ``ops`` or ``network``.
    """

    def __init__(self, drawing: Drawing, *, engine: str | None = None, timeout: float = engines.TIMEOUT) -> None:
        """Take what was drawn, and which program shall lay it out."""
        self._drawing = drawing
        self._engine = engine
        self._timeout = timeout
        self._svg = ""
        self.source = drawing.source
        self.text = drawing.text
        self.title = drawing.title
        self.kind = drawing.kind

    @property
    def svg(self) -> str:
        """The picture as SVG: by Graphviz where there is one, otherwise by the library's own layout.

        Raises:
            LayoutError: the program that was asked for does not exist, failed, or ran out of time.
        """
        if not self._svg:
            self._svg = self._drawing.native() if self._drawing.laid_out else self._layout()
        return self._svg

    def _layout(self) -> str:
        """Return the SVG of a program; without one, or if it fails and nobody chose it, that of the own layout."""
        wanted = engines.chosen(self._engine)
        if wanted != engines.NATIVE:
            try:
                return _element(engines.render(self.source, "svg", self._engine, self._timeout).decode())
            except LayoutError:
                if wanted:
                    raise
        return self._drawing.native()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to ``path`` in the format of its suffix, whole or not at all, and return the path.

        ``.svg``, ``.gv``, ``.dot``, ``.txt`` and ``.html`` always work; ``.png`` needs Graphviz or graphviz-pure, and
        ``.pdf`` Graphviz.

        Raises:
            UnsupportedError: an unknown suffix; the message lists the known ones.
            LayoutError: no program can make this format; the message says which could.
        """
        target = Path(path)
        content = self._content(target)
        beside = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            beside.write_bytes(content)
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
        return target

    def _content(self, target: Path) -> bytes:
        suffix = target.suffix.lower()
        if suffix == ".svg":
            return b'<?xml version="1.0" encoding="UTF-8"?>\n' + self.svg.encode()
        if suffix in (".gv", ".dot"):
            return self.source.encode()
        if suffix == ".txt":
            return (self.text + "\n").encode()
        if suffix == ".html":
            return self._page().encode()
        if suffix in (".png", ".pdf"):
            return engines.render(self.source, suffix[1:], self._engine, self._timeout)
        raise UnsupportedError(f"save: {target.name!r}: the suffix must be one of {', '.join(SUFFIXES)}")

    def _page(self) -> str:
        title = html.escape(self.title or f"tinygrad_mlp: {self.kind}")
        return (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
            "<style>body{font-family:sans-serif;margin:1.5rem}svg{max-width:100%;height:auto}"
            "pre{overflow-x:auto}</style>\n</head>\n<body>\n"
            f"{self.svg}\n<details><summary>As text</summary><pre>{html.escape(self.text)}</pre></details>\n"
            "</body>\n</html>\n"
        )

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        title = f" {self.title!r}" if self.title else ""
        return f"<Picture {self.kind}{title}: .svg, .source, .text, .save(path)>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002  (IPython)
        """Return SVG and text for a notebook; where no SVG can be made, the text says why. Never raises."""
        try:
            return {"image/svg+xml": self.svg, "text/plain": self.text}
        except Exception as error:  # noqa: BLE001  (whatever went wrong, a cell must not show a traceback)
            return {"text/plain": f"{self.text}\n(no image: {str(error) or type(error).__name__})"}


def _element(svg: str) -> str:
    """Return an SVG from its root element on, as HTML pages and notebooks want it, with fonts of the same widths."""
    svg = svg.replace('font-family="Arial"', f'font-family="{FONT}"')  # a wider default font would leave the boxes
    start = svg.find("<svg")
    return svg[start:] if start >= 0 else svg
