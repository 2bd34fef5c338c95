"""The page that one file holds: a picture to explore, without a network."""

from .document import html

__all__ = ["html"]
