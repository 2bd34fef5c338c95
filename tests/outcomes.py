"""What a function gives, or that it refuses; whether NumPy agrees; and what goes back to its operand."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp.errors import TinygradError
from tinygrad_mlp.graph import NODES


def outcome(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function gives, as an array, or the error that it raises."""
    try:
        y = f(*args, **kwargs)
    except (ValueError, TypeError, IndexError) as error:
        return error
    return np.asarray(y.data if type(y) in NODES else y)


def agree(ours: Any, theirs: Any) -> bool:
    """Whether two outcomes are the same: errors in both, or equal arrays of one dtype."""
    if isinstance(theirs, Exception):
        return isinstance(ours, TinygradError)
    if isinstance(ours, Exception):
        raise ours
    near = {2: 2e-3, 4: 1e-5}.get(theirs.dtype.itemsize, 1e-12)
    return (
        ours.dtype == theirs.dtype
        and ours.shape == theirs.shape
        and np.allclose(ours, theirs, rtol=near, atol=near, equal_nan=True)
    )


def numpys_axis(x: Any, axis: Any) -> Any:
    """The axis for NumPy, whose sums find an axis 0 in a number, and whose means do not: here all do, as in PyTorch."""
    return None if x.ndim == 0 and axis in (0, -1) else axis


def gradient(f: Callable[[Any], Any], x: Any, seed: Any = None) -> Any:
    """The gradient of ``f`` at ``x`` for a seed, which broadcasts, or for random numbers."""
    x = tg.Tensor(x)
    y = f(x)
    y.backward(np.random.default_rng(0).normal(size=y.shape) if seed is None else np.broadcast_to(seed, y.shape))
    return x.grad
