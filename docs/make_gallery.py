"""Draw the gallery: ``python docs/make_gallery.py`` runs the programs of gallery/ and writes gallery.md of them."""

import ast
import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))
PROGRAMS = (
    "scalar", "backward", "path", "steps", "ops", "blocks", "micrograd", "network", "sample", "health", "check", "diff",
)  # fmt: skip
HEAD = DOCS / "gallery" / "head.md"


def drawn(name, folder):
    """Run a program in ``folder``, where it leaves its picture; return what it printed."""
    code = (DOCS / "gallery" / f"{name}.py").read_text("utf-8")
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        exec(compile(code, f"{name}.py", "exec"), {"__name__": "__main__"})
    return out.getvalue()


def section(name, printed=""):
    """Return a section of the page: the docstring of a program, its code, what it printed, its picture."""
    code = (DOCS / "gallery" / f"{name}.py").read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(code))
    title, _, words = docstring.partition("\n\n")
    rest = code.partition('"""\n\n')[2]
    shown = f"\n```text\n{printed}```\n" if printed else ""
    heading = re.sub(r'kind="\w+"', r"`\g<0>`", title.rstrip("."))
    return f"## {heading}\n\n{words}\n\n```python\n{rest}```\n{shown}\n![{title}](pictures/{name}.svg)\n"


def page(printed):
    """Return the text of the page; ``printed`` is what the programs printed, by name."""
    return "\n".join([HEAD.read_text("utf-8"), *(section(name, printed.get(name, "")) for name in PROGRAMS)])


def main():
    """Run every program, and write the pictures and the page."""
    os.environ["TINYGRAD_MLP_DOT"] = "native"  # the same layout on every machine
    printed = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in PROGRAMS:
            printed[name] = drawn(name, folder)
            (DOCS / "pictures" / f"{name}.svg").write_bytes((Path(folder) / f"{name}.svg").read_bytes())
    (DOCS / "gallery.md").write_text(page(printed), "utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit("make_gallery.py takes no arguments: it draws all pictures and writes gallery.md")
    main()
