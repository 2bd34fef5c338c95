"""More of PyTorch's operations in the library's words: rows by other names, and what a few rows make together."""
# (each function has PyTorch's arguments, needed or not)

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_mlp as tg

Adapter = Callable[..., Any]


def _along(dim: int, x: Any, part: Any) -> tuple[Any, ...]:
    """The index of a part along one axis of ``x``."""
    return (slice(None),) * (dim % len(x.shape)) + (part,)


def _with_mean(name: str) -> Adapter:
    """The variance, or its root, and the mean."""

    def call(x: Any, dim: Any = None, unbiased: Any = True, keepdim: bool = False, correction: Any = None) -> Any:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        ddof = correction if correction is not None else int(unbiased)
        return getattr(tg, name)(x, axis=dim, ddof=ddof, keepdims=keepdim), tg.mean(x, axis=dim, keepdims=keepdim)

    return call


def _quantile(name: str) -> Adapter:
    def call(x: Any, q: Any, dim: Any = None, keepdim: bool = False, interpolation: str = "linear") -> Any:
        return getattr(tg, name)(x, q, axis=dim, keepdims=keepdim, method=interpolation)

    return call


def _gradient(x: Any, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> Any:
    steps = spacing if isinstance(spacing, list | tuple) else [1 if spacing is None else spacing]
    return tg.gradient(x, *steps, axis=tuple(dim) if isinstance(dim, list) else dim, edge_order=edge_order)


def _diagonal_scatter(x: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    at = np.arange(src.shape[-1])
    matrices = tg.moveaxis(x, (dim1, dim2), (-2, -1))
    written = tg.index_update(matrices, (..., at + max(0, -offset), at + max(0, offset)), src)
    return tg.moveaxis(written, (-2, -1), (dim1, dim2))


def _put(x: Any, index: Any, values: Any, accumulate: bool = False) -> Any:
    write = tg.index_add if accumulate else tg.index_update
    return tg.reshape(write(tg.ravel(x), (index.ravel(),), tg.ravel(values)), x.shape)


def _masked_select(x: Any, mask: Any) -> Any:
    shape = np.broadcast_shapes(x.shape, mask.shape)
    return tg.broadcast_to(x, shape)[np.broadcast_to(mask, shape)]


def _unfold(x: Any, dim: int, size: int, step: int) -> Any:
    windows = np.arange((x.shape[dim] - size) // step + 1)[:, None] * step + np.arange(size)
    return tg.moveaxis(x[_along(dim, x, windows)], dim % len(x.shape) + 1, -1)


RARER: dict[str, Adapter] = {
    "addr": lambda x, a, b, alpha=1, beta=1: beta * x + alpha * tg.outer(a, b),
    "cummax": lambda x, dim: tg.cummax(x, axis=dim),
    "cummin": lambda x, dim: tg.cummin(x, axis=dim),
    "var_mean": _with_mean("var"),
    "var_mean|unbiased": _with_mean("var"),
    "std_mean": _with_mean("std"),
    "std_mean|unbiased": _with_mean("std"),
    "quantile": _quantile("quantile"),
    "nanquantile": _quantile("nanquantile"),
    "nanmedian": lambda x, dim=None, keepdim=False: tg.nanmedian(x, axis=dim, keepdims=keepdim),
    "linalg.diagonal": lambda x, offset=0, dim1=-2, dim2=-1: tg.diagonal(x, offset, dim1, dim2),
    "linalg.eigvalsh": lambda x, UPLO="L": tg.eigvalsh(x, UPLO),
    "linalg.svdvals": tg.svdvals,
    "dist": lambda a, b, p=2: tg.vector_norm(tg.ravel(a - b), ord=p),
    "nn.functional.pairwise_distance": lambda a, b, p=2.0, eps=1e-6, keepdim=False: tg.vector_norm(
        a - b + eps, ord=p, axis=-1, keepdims=keepdim
    ),
    "nn.functional.bilinear": lambda a, b, weight, bias=None: (
        tg.einsum("...i,oij,...j->...o", a, weight, b) + (0.0 if bias is None else bias)
    ),
    "nn.functional.embedding": lambda weight, index, **_: tg.take(weight, index, axis=0),
    "gradient": _gradient,
    "trapz": lambda y, x=None, dx=1.0, dim=-1: tg.trapezoid(y, x, dx=dx, axis=dim),
    "split_with_sizes": lambda x, sizes, dim=0: tg.split(x, np.cumsum(sizes)[:-1], axis=dim),
    "unfold": _unfold,
    "select_scatter": lambda x, src, dim, index: tg.index_update(x, _along(dim, x, index), src),
    "index_copy": lambda x, dim, index, src: tg.index_update(x, _along(dim, x, index), src),
    "diagonal_scatter": _diagonal_scatter,
    "put": _put,
    "masked_select": _masked_select,
    "nn.functional.soft_margin_loss": tg.soft_margin_loss,
    "nn.functional.margin_ranking_loss": tg.margin_ranking_loss,
    "nn.functional.multi_margin_loss": tg.multi_margin_loss,
    "nn.functional.triplet_margin_loss": tg.triplet_margin_loss,
    "nn.functional.gaussian_nll_loss": tg.gaussian_nll_loss,
    "nn.functional.poisson_nll_loss": tg.poisson_nll_loss,
}
