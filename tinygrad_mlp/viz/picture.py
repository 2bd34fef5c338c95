"""A picture: its source, its SVG, files of several kinds, and what a notebook shows."""

import errno
import html as markup
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinygrad_mlp.errors import LayoutError, UnsupportedError

from . import engines
from .formats import mermaid
from .formats.words import describe
from .kinds.steps import frame_drawing
from .labels import clean
from .page import html
from .records import Drawing
from .svg import FONT

SUFFIXES = (".svg", ".gv", ".dot", ".txt", ".html", ".png", ".pdf", ".mmd", ".mermaid", ".tex")


class Picture:
    """A drawing that knows how to become SVG, a file or notebook output.

    Attributes:
        source: The picture in the DOT language, the same bytes for the same graph.
        text: The picture as text.
        title: Its heading, may be empty.
        kind: ``ops``, ``network``, …
    """

    def __init__(self, drawing: Drawing, *, engine: str | None = None, timeout: float = engines.TIMEOUT) -> None:
        """Take what was drawn, and which program shall lay it out."""
        self._drawing = drawing
        self._engine = engine
        self._timeout = timeout
        self._svg = ""
        self.source = drawing.source
        headed = drawing.text if drawing.graph is None else f"{drawing.title}\n{drawing.text}"
        self.text = headed if drawing.title else drawing.text
        self.title = drawing.title
        self.kind = drawing.kind

    @property
    def svg(self) -> str:
        """The picture as SVG: by Graphviz where there is one, otherwise, or with frames, by the library's own layout.

        Raises:
            LayoutError: the program that was asked for does not exist, failed, or ran out of time.
        """
        if not self._svg:
            self._svg = self._drawing.native() if self._is_own() else self._layout()
        return self._svg

    def _is_own(self) -> bool:
        """Return whether the own layout goes first: for steps, which must not move, and frames, which it stacks."""
        drawing = self._drawing
        framed = drawing.graph is not None and bool(drawing.graph.clusters)
        return drawing.laid_out or (not engines.chosen(self._engine) and (framed or bool(drawing.frames)))

    def _layout(self) -> str:
        """Return the SVG of a program; without one, or if it fails and nobody chose it, that of the own layout."""
        wanted = engines.chosen(self._engine)
        if wanted != engines.NATIVE:
            try:
                svg = engines.render(self.source, "svg", self._engine, self._timeout).decode()
                return _described(_element(svg), self._drawing)
            except LayoutError:
                if wanted:
                    raise
        return self._drawing.native()

    @property
    def mermaid(self) -> str:
        """The picture in Mermaid's language, which many wikis and forges draw.

        Raises:
            UnsupportedError: it is no graph.
        """
        if self._drawing.graph is None:
            raise UnsupportedError(f"draw: kind {self.kind!r} has no Mermaid form, its lines mean widths; .svg has it")
        return mermaid.flowchart(self._drawing.graph, self._drawing.theme, self.title, self._drawing.rankdir)

    @property
    def html(self) -> str:
        """The picture as one page that needs no network: pan, zoom, hover, light paths, search, play steps."""
        drawing = self._drawing
        if drawing.explored is not None:
            drawing = replace(drawing, graph=drawing.explored())
        return html(drawing, drawing.native())

    @property
    def frames(self) -> tuple["Picture", ...]:
        """The steps of a picture of kind ``steps``, each a picture; empty for other kinds."""
        count = len(self._drawing.frames)
        drawings = (frame_drawing(self._drawing, i) for i in range(count))
        return tuple(Picture(d, engine=self._engine or engines.NATIVE, timeout=self._timeout) for d in drawings)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to ``path`` in the format of its suffix, whole or not at all, and return the path.

        ``.svg``, ``.html``, ``.gv``, ``.dot``, ``.mmd``, ``.mermaid`` and ``.txt`` always work, ``.tex`` for a network;
        ``.png`` needs Graphviz or graphviz-pure, and ``.pdf`` Graphviz. The steps of a picture of kind ``steps`` are
        written beside an ``.svg``, as ``name-01.svg`` and so on.

        Raises:
            UnsupportedError: an unknown suffix, or one that this kind does not have; the message says which it has.
            LayoutError: no program can make this format; the message says which could.
            FileNotFoundError: the folder does not exist.
        """
        target = Path(path)
        if not target.parent.is_dir():  # named as it was asked for, not by the file that is written beside it first
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target))
        contents = {target: self._content(target)}
        if self._drawing.frames and target.suffix.lower() == ".svg":
            frames = self.frames
            digits = max(2, len(str(len(frames))))
            for i, frame in enumerate(frames, 1):
                contents[target.with_name(f"{target.stem}-{i:0{digits}}{target.suffix}")] = _svg_file(frame.svg)
        written: dict[Path, Path] = {}
        try:
            for name, content in contents.items():
                beside = written[name] = name.with_name(f".{name.name}.{os.getpid()}.part")
                beside.write_bytes(content)
            for name, beside in written.items():
                os.replace(beside, name)
        finally:
            for beside in written.values():
                beside.unlink(missing_ok=True)
        return target

    def _content(self, target: Path) -> bytes:
        suffix = target.suffix.lower()
        texts: dict[str, Callable[[], str]] = {
            ".gv": lambda: self.source,
            ".dot": lambda: self.source,
            ".txt": lambda: self.text + "\n",
            ".html": lambda: self.html,
            ".mmd": lambda: self.mermaid,
            ".mermaid": lambda: self.mermaid,
        }
        if suffix == ".svg":
            return _svg_file(self.svg)
        if suffix in texts:
            return texts[suffix]().encode()
        if suffix in (".png", ".pdf"):
            return engines.render(self.source, suffix[1:], self._engine, self._timeout)
        if suffix == ".tex" and self._drawing.extra is not None:
            return self._drawing.extra(suffix).encode()
        if suffix == ".tex":
            raise UnsupportedError(f"save: {target.name!r}: only kind 'network' has a TikZ form; LaTeX takes .pdf")
        raise UnsupportedError(f"save: {target.name!r}: the suffix must be one of {', '.join(SUFFIXES)}")

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


def _svg_file(svg: str) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + svg.encode()


def _element(svg: str) -> str:
    """Return an SVG from its root element on, as HTML pages and notebooks want it, with fonts of the same widths."""
    svg = svg.replace('font-family="Arial"', f'font-family="{FONT}"')  # a wider default font would leave the boxes
    start = svg.find("<svg")
    return svg[start:] if start >= 0 else svg


def _described(svg: str, drawing: Drawing) -> str:
    """Return an SVG of a program with the title and the description that the own layout has, for screen readers."""
    words = {"title": drawing.title or "computational graph"}
    if drawing.graph is not None:
        words["desc"] = describe(drawing.graph)
    lines = "".join(f"\n<{tag}>{markup.escape(clean(text), quote=False)}</{tag}>" for tag, text in words.items())
    opening, rest = svg.split(">", 1)
    return f'{opening} role="img">{lines}{rest}'
