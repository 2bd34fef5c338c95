"""The gallery of the documentation: its programs run, and its page and pictures are theirs."""

import sys
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from tinygrad_mlp.table import OPS
from tinygrad_mlp.viz import KINDS, engines

DOCS = Path(__file__).resolve().parents[1] / "docs"
sys.path.insert(0, str(DOCS))

import make_gallery as gallery  # noqa: E402

PAGE = (DOCS / "gallery.md").read_text("utf-8")


@pytest.mark.parametrize("name", gallery.PROGRAMS)
def test_a_program_draws_the_picture_of_the_page(name, tmp_path, monkeypatch):
    monkeypatch.setenv(engines.VARIABLE, "native")
    before = set(OPS)
    try:
        printed = gallery.drawn(name, tmp_path)
    finally:
        for new in set(OPS) - before:
            del OPS[new]
    assert gallery.section(name, printed) in PAGE, "run: python docs/make_gallery.py"
    drawn, shown = (fromstring((folder / f"{name}.svg").read_bytes()) for folder in (tmp_path, DOCS / "pictures"))
    assert [e.tag for e in drawn.iter()] == [e.tag for e in shown.iter()], "run: python docs/make_gallery.py"


def test_the_gallery_has_every_kind_and_nothing_is_left_over():
    code = "".join((DOCS / "gallery" / f"{name}.py").read_text("utf-8") for name in gallery.PROGRAMS)
    for kind in KINDS:
        assert f"| `{kind}` |" in PAGE
        assert f'kind="{kind}"' in code or kind == "network"
    assert {p.stem for p in (DOCS / "gallery").glob("*.py")} == set(gallery.PROGRAMS)
    assert {p.stem for p in (DOCS / "pictures").iterdir()} == set(gallery.PROGRAMS)
