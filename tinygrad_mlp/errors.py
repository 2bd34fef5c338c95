"""The errors of the library: each message says what is wrong, where, and what to do.

Every error is also one of Python's own kinds, so that ``except ValueError`` keeps working for people who come from
NumPy.
"""

import numpy as np


class TinygradError(Exception):
    """The base of every error that the library raises on purpose."""


class ShapeError(TinygradError, ValueError):
    """Shapes do not fit each other, or do not fit the operation."""


class ZeroWeightsError(TinygradError, ZeroDivisionError):
    """Weights that sum to zero have no average."""


class AxisError(ShapeError, IndexError):
    """An axis does not exist; an ``IndexError`` and a ``ValueError``, as in NumPy."""


class MatrixError(TinygradError, np.linalg.LinAlgError):
    """A matrix without what the operation asks of it: singular, or not positive definite."""


class IndexingError(TinygradError, IndexError):
    """An index does not exist, or is of a kind that cannot index."""


class DTypeError(TinygradError, TypeError):
    """A dtype, or a Python type, that the operation cannot take."""


class UnsupportedError(TinygradError, TypeError, ValueError, NotImplementedError):
    """A NumPy function, an argument, or a choice among values that the library does not have; the message names it."""


class GradientError(TinygradError, RuntimeError):
    """A gradient that does not exist: no graph, no seed, no derivative."""


class StaleError(GradientError):
    """A recorded operand was overwritten after its use, so the gradient would be wrong."""


class TracingError(TinygradError, TypeError):
    """A value was read while a function is traced, where only a graph is known."""


class DataError(TinygradError, ValueError):
    """Data that cannot be used: a missing column, a NaN, too few rows."""


class ModelFileError(TinygradError, ValueError):
    """A model file that cannot be read, or that another program wrote."""


class TrainingError(TinygradError, FloatingPointError):
    """Training cannot go on, for example because the loss became NaN."""


class GradcheckError(TinygradError, AssertionError):
    """An analytic gradient disagrees with the numbers."""


class MissingDependencyError(TinygradError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class LayoutError(TinygradError, RuntimeError):
    """A picture cannot be laid out: no layout engine, too many nodes, or out of time."""


def own_kind(error: Exception) -> type[TinygradError]:
    """Return which of the errors above says what an error of Python's or NumPy's says about operands."""
    if isinstance(error, np.exceptions.AxisError):
        return AxisError
    if isinstance(error, IndexError):
        return IndexingError
    if isinstance(error, np.linalg.LinAlgError):
        return MatrixError
    return ShapeError if isinstance(error, ValueError) else DTypeError
