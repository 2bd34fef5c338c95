"""Write what their programs print into the pages on checking: ``python docs/make_outputs.py [PAGE.md …]``."""

import contextlib
import io
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from tinygrad_mlp.table import OPS  # noqa: E402

# Page -> the file name that its programs have, and whether each goes on from the one before.
PAGES = {
    "gradcheck.md": ("loss.py", False),
    "derivations.md": ("derivations.md", True),
    "checks.md": ("loss.py", False),
}
PROGRAM = re.compile(r"(```python\n(.*?)```\n\n```text\n)(.*?)(```)", re.DOTALL)


def printed(code, file, names):
    """Return what a program prints; the operations that it enters in the table leave it again."""
    before, out = set(OPS), io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, file, "exec"), names)
    for new in set(OPS) - before:
        del OPS[new]
    return out.getvalue()


def page(name):
    """Return the text of a page with the outputs of now."""
    file, goes_on = PAGES[name]
    names = {"__name__": "loss"}
    text = (DOCS / name).read_text("utf-8")
    return PROGRAM.sub(lambda m: m[1] + printed(m[2], file, names if goes_on else dict(names)) + m[4], text)


if __name__ == "__main__":
    for name in sys.argv[1:] or PAGES:
        (DOCS / name).write_text(page(name), "utf-8")
