"""Configuration of Sphinx; ``python3 dev.py docs`` builds the pages into docs/_build/html."""

from importlib import metadata

project = "tinygrad_mlp"
author = "tinygrad_mlp authors"
release = metadata.version("tinygrad-mlp")
extensions = ["myst_nb"]
exclude_patterns = ["_build", "gallery/*"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]  # the fences that GitHub shows as formulas
myst_heading_anchors = 3
mathjax3_config = {"chtml": {"displayAlign": "left", "displayIndent": "2em"}}
html_theme = "alabaster"
html_theme_options = {"description": "See, check and train neural networks as graphs.", "page_width": "1000px"}
html_show_sourcelink = False
