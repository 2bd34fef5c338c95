"""The first number of a graph that is not finite, and what helps: ``where_nan``.

Read ``dependence`` (which elements an element comes from), ``births`` (the searches), ``origins`` (what they found, in
words), ``remedies``, then ``finding``.
"""

from .finding import NonfiniteReport, where_nan
from .origins import Origin
from .remedies import Remedy

__all__ = ["NonfiniteReport", "Origin", "Remedy", "where_nan"]
