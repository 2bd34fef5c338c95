"""Themes: every pair of colours that meet can be read, and every distinction survives greyscale."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mlp.errors import UnsupportedError
from tinygrad_mlp.viz.colours import channels, contrast, ink, lightness, luminance, mix
from tinygrad_mlp.viz.theme import NEGATIVE_DASH, PRINT, THEMES, Style, Theme, find_theme

each_theme = pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
MARKS = ("dead", "saturated", "nan", "inf", "no gradient", "right", "kink", "undecided", "wrong", "changed")
colours = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06X}")
shares = st.floats(0, 1)


def fills(theme: Theme) -> dict[str, str]:
    return {kind: style.fill for kind, style in theme.nodes.items()} | {"background": theme.background}


def every_colour(theme: Theme) -> set[str]:
    own = {value for value in vars(theme).values() if isinstance(value, str) and value.startswith("#")}
    nodes = {colour for style in theme.nodes.values() for colour in (style.fill, style.stroke)}
    return own | nodes | {*theme.hidden, *theme.marks.values(), *theme.scale}


def form(style: Style) -> tuple[str, str, bool]:
    return style.shape, style.dash, style.double


@each_theme
@pytest.mark.parametrize("text", ["text", "faint", "plus", "minus"])
def test_text_is_readable_on_the_background_and_on_every_node(theme, text):
    weak = {kind: contrast(getattr(theme, text), fill) for kind, fill in fills(theme).items()}
    assert {kind: c for kind, c in weak.items() if c < 4.5} == {}


@each_theme
def test_lines_and_outlines_stand_out_from_what_they_lie_on(theme):
    lines = ("positive", "negative", "edge", "unknown", "lit", "faint")
    assert {name: c for name in lines if (c := contrast(getattr(theme, name), theme.background)) < 3} == {}
    for kind, style in theme.nodes.items():
        assert contrast(style.stroke, style.fill) >= 3, kind
        assert contrast(style.stroke, theme.background) >= 3, kind


@each_theme
def test_names_and_outlines_of_neurons_stand_out_from_every_layer(theme):
    for fill in theme.hidden:
        assert contrast(theme.text, fill) >= 4.5
        assert contrast(theme.faint, fill) >= 3


@each_theme
def test_kinds_of_nodes_differ_in_shape_dashes_or_lightness(theme):
    for (one, a), (other, b) in combinations(theme.nodes.items(), 2):
        assert form(a) != form(b) or abs(lightness(a.fill) - lightness(b.fill)) >= 8, (one, other)


@each_theme
def test_signs_and_highlights_differ_in_lightness_too(theme):
    assert abs(lightness(theme.positive) - lightness(theme.negative)) >= 8
    assert abs(lightness(theme.lit) - lightness(theme.edge)) >= 8
    assert NEGATIVE_DASH
    if theme is not PRINT:  # where all text is black; the sign itself is printed
        assert abs(lightness(theme.plus) - lightness(theme.minus)) >= 8


@each_theme
def test_neighbouring_hidden_layers_are_parted_by_hue_or_lightness(theme):
    for one, other in zip(theme.hidden, theme.hidden[1:], strict=False):
        assert sum(abs(a - b) for a, b in zip(channels(one), channels(other), strict=True)) >= 30


@each_theme
def test_every_word_has_a_fill_on_which_it_can_be_read(theme):
    for word in MARKS:
        mark = theme.mark(word)
        assert contrast(mark.text, mark.fill) >= 4.5
    assert set(theme.marks) == set(MARKS)
    assert len(set(theme.marks.values())) == len(MARKS)
    assert theme.mark("a word of tomorrow") == theme.mark("undecided")


@each_theme
@given(one=shares, other=shares)
def test_the_ramp_is_ordered_by_lightness_and_leaves_the_background(theme, one, other):
    low, high = sorted((one, other))
    near, far = (abs(lightness(theme.ramp(t)) - lightness(theme.background)) for t in (low, high))
    assert near <= far + 0.5  # a step of 1 in 255
    if high - low > 0.05:
        assert near < far


@each_theme
@given(t=st.floats(-1, 1))
def test_a_shade_keeps_its_text_readable_and_its_sign_in_its_hue(theme, t):
    assert contrast(ink(theme.shade(t)), theme.shade(t)) >= 4.5
    assert contrast(ink(theme.ramp(t)), theme.ramp(t)) >= 4.5
    assert theme.shade(1.0) == theme.positive
    assert theme.shade(-1.0) == theme.negative
    assert theme.shade(float("nan")) == theme.shade(0.0) == theme.nodes["op"].fill


def test_print_is_grey_throughout():
    assert [colour for colour in every_colour(PRINT) if len(set(channels(colour))) > 1] == []
    assert {len(set(channels(f(t / 20)))) for f in (PRINT.ramp, PRINT.shade) for t in range(-20, 21)} == {1}


def test_every_theme_knows_the_same_kinds_and_words():
    assert len({frozenset(theme.nodes) for theme in THEMES.values()}) == 1
    assert len({frozenset(theme.marks) for theme in THEMES.values()}) == 1
    assert [theme.name for theme in THEMES.values()] == list(THEMES)


def test_an_unknown_theme_lists_the_themes():
    with pytest.raises(UnsupportedError, match="the themes are light, dark, print"):
        find_theme("neon")


@given(colours)
def test_ink_is_readable_on_any_colour(fill):
    assert contrast(ink(fill), fill) >= 4.5


@given(colours, colours, shares)
def test_a_mixture_lies_between_its_parts(one, other, t):
    for a, b, c in zip(channels(one), channels(other), channels(mix(one, other, t)), strict=True):
        assert min(a, b) <= c <= max(a, b)
    assert (mix(one, other, 0), mix(one, other, 1)) == (one, other)


@given(colours, colours)
def test_contrast_is_symmetric_and_lightness_follows_luminance(one, other):
    assert contrast(one, other) == contrast(other, one) >= 1
    assert (luminance(one) < luminance(other)) <= (lightness(one) <= lightness(other))


@pytest.mark.parametrize(
    ("colour", "expected"), [("#FFFFFF", 100), ("#000000", 0), ("#777777", 50.03), ("#FF0000", 53.24)]
)
def test_lightness_is_that_of_cielab(colour, expected):
    assert lightness(colour) == pytest.approx(expected, abs=0.02)
