"""What ``fit`` is given, checked before the first epoch: data, validation rows, optimizer, numbers."""

from typing import Any

import numpy as np

from tinygrad_mlp.data import split_rows
from tinygrad_mlp.errors import DataError, ShapeError, TinygradError, UnsupportedError
from tinygrad_mlp.nn import MLP, Module, scalar
from tinygrad_mlp.optim import SGD, Adam

from .metrics import Objective

OPTIMIZERS: dict[str, tuple[Any, float]] = {"adam": (Adam, 0.01), "sgd": (SGD, 0.1)}  # with their usual learning rates


def check_model(model: Any) -> None:
    """Raise if ``model`` cannot be trained on rows of an array."""
    if not isinstance(model, Module):
        raise UnsupportedError(f"fit: the model is {type(model).__name__}, not an nn.Module")
    if isinstance(model, scalar.Neuron | scalar.Layer | scalar.MLP):
        raise UnsupportedError("fit: a scalar network takes one sample at a time: write the loop, or use nn.MLP")


def check_count(what: str, n: Any) -> int:
    """Return ``n`` as an int.

    Raises:
        TinygradError: It is no whole number of at least 1.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise TinygradError(f"fit: {what} is {n!r}; it must be a whole number of at least 1")
    return int(n)


def as_rows(objective: Objective, X: Any, y: Any, what: str = "") -> tuple[Any, Any]:
    """Return data as arrays in the dtype of the model, one row a sample.

    Args:
        objective: Whose model and loss the data are for.
        X: shape (rows, features).
        y: shape (rows, …).
        what: "validation " for the validation rows, in messages.

    Raises:
        DataError: No rows, different numbers of rows, text, NaN or infinity, or targets that the output cannot have.
        ShapeError: Another number of features than the model takes.
    """
    X, y = _numbers(X, f"{what}X"), _numbers(y, f"{what}y")
    if X.ndim < 2:
        raise ShapeError(f"fit: {what}X has shape {X.shape}; it must have two axes: rows and features")
    if not len(X) or not y.ndim or len(X) != len(y):
        raise DataError(f"fit: {what}X has {len(X)} rows, {what}y {len(y) if y.ndim else 'is a single number'}")
    model = objective.model
    parameters = model.parameters()
    dtype = parameters[0].dtype if parameters else X.dtype
    if X.dtype.kind == "f" or isinstance(model, MLP):
        X = X.astype(dtype, copy=False)
    if isinstance(model, MLP) and X.shape[-1] != model.sizes[0]:
        raise ShapeError(
            f"fit: {what}X has {X.shape[-1]} features, the first layer of the model takes {model.sizes[0]}"
        )
    if objective.plain and objective.loss is None:
        try:
            model.family.check(y, model.sizes[-1])
        except DataError as error:
            raise DataError(f"fit: {what}{error}") from None
        y = model.family.targets(np.broadcast_to(np.zeros((), dtype), (*X.shape[:-1], model.sizes[-1])), y)
    elif y.dtype.kind == "f":
        y = y.astype(dtype, copy=False)
    return X, y


def _numbers(values: Any, name: str) -> Any:
    """Return an array of finite numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise DataError(f"fit: {name} holds {array.dtype}, not numbers: encode text first, classes as 0, 1, 2, …")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise DataError(f"fit: {name} holds {array[place]} at {list(place)}: remove or fill in such values first")
    return array


def split(objective: Objective, X: Any, y: Any, validation: Any, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Return training rows, their targets, and the validation pair or None.

    Args:
        objective: Whose model and loss the data are for.
        X: shape (rows, features).
        y: shape (rows, …).
        validation: None, a share of the rows, or a pair of data of its own.
        rng: Which draws the rows; classes are shared out in proportion.
    """
    X, y = as_rows(objective, X, y)
    if validation is None:
        return X, y, None
    if isinstance(validation, tuple | list):
        if len(validation) != 2:
            raise DataError(f"fit: validation holds {len(validation)} things; give a share of the rows, or (X, y)")
        return X, y, as_rows(objective, validation[0], validation[1], "validation ")
    if isinstance(validation, bool) or not isinstance(validation, float) or not 0 < validation < 1:
        raise DataError(f"fit: validation is {validation!r}; give a share of the rows between 0 and 1, or (X, y)")
    classes = y if y.ndim == 1 and y.dtype.kind in "iu" and np.unique(y, return_counts=True)[1].min() > 1 else None
    train, test = split_rows(len(X), test_size=validation, rng=rng, stratify=classes)
    return X[train], y[train], (X[test], y[test])


def make_optimizer(optimizer: Any, lr: float | None, model: Module) -> Any:
    """Return the optimizer of a name, or ``optimizer`` itself, which must hold the model's parameters.

    Raises:
        UnsupportedError: An unknown name, or something without ``step()`` and ``zero_grad()``.
        TinygradError: A learning rate beside an optimizer that has its own, or other parameters than the model's.
    """
    if optimizer is None:
        optimizer = "adam"
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise UnsupportedError(f"fit: optimizer {optimizer!r} is unknown: choose one of {', '.join(OPTIMIZERS)}")
        kind, usual = OPTIMIZERS[optimizer]
        return kind(model, usual if lr is None else lr)
    if isinstance(optimizer, type) or not hasattr(optimizer, "step") or not hasattr(optimizer, "zero_grad"):
        raise UnsupportedError(
            f"fit: optimizer is {optimizer!r}; give a name, or an object such as optim.SGD(model, lr=0.1)"
        )
    if lr is not None:
        raise TinygradError("fit: lr goes with the name of an optimizer; set it on the optimizer itself instead")
    held = {id(p) for p in getattr(optimizer, "params", model.parameters())}
    if not held.intersection(id(p) for p in model.parameters()):
        raise TinygradError("fit: the optimizer holds none of the model's parameters: make it of this model")
    return optimizer
