"""A trained network, its preprocessing and what is known about both in one .npz file, which needs no pickle.

The file holds, by key: ``format`` and ``version``; ``network``, how to build it, and ``details``, both JSON; ``state.``
and the dotted name for every parameter; ``preprocessor.`` and a name for what ``Preprocessor.to_arrays`` gives.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from os import PathLike, fspath
from typing import Any, NoReturn
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from tinygrad_mlp.data import Preprocessor
from tinygrad_mlp.errors import ModelFileError, TinygradError, UnsupportedError
from tinygrad_mlp.nn import FAMILIES, HIDDEN_UNITS, MLP

from .files import replacing

FORMAT = "tinygrad_mlp model"
VERSION = 1

_STATE, _PREPROCESSOR = "state.", "preprocessor."
_DTYPES = ("float32", "float64")
# What NumPy and zipfile raise on files that are cut short, damaged, or made to look like something else.
_UNREADABLE = (OSError, ValueError, EOFError, LookupError, TypeError, BadZipFile, zlib.error, RuntimeError, MemoryError)

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class SavedModel:
    """What a model file holds.

    Attributes:
        model: the network, in evaluation mode.
        preprocessor: from tables to its inputs, and from its outputs back; None if it was saved without.
        details: what was stored about its training: plain JSON values.
    """

    model: MLP
    preprocessor: Preprocessor | None = None
    details: dict[str, Any] = field(default_factory=dict)


def save_model(
    path: str | PathLike[str],
    model: MLP,
    preprocessor: Preprocessor | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write a network, whole or not at all.

    Args:
        path: the file; ``.npz`` by habit, nothing is appended.
        model: a multilayer perceptron of units and an output that have names.
        preprocessor: from tables to its inputs; stored in the same file.
        details: what else to keep, as values that JSON knows.

    Raises:
        UnsupportedError: another kind of module, a hidden unit that is a function of one's own, an output family of
            one's own; of these ``model.state_dict()`` can be saved with ``np.savez``.
        OSError: the file cannot be written.
    """
    arrays: dict[str, Any] = {
        "format": np.array(FORMAT),
        "version": np.array(VERSION),
        "network": np.array(json.dumps(_recipe(model))),
        "details": np.array(json.dumps(dict(details or {}), allow_nan=False)),
    }
    arrays |= {_STATE + name: np.ascontiguousarray(value) for name, value in model.state_dict().items()}
    if preprocessor is not None:
        arrays |= preprocessor.to_arrays()
    with replacing(path) as file:
        np.savez(file, **arrays)


def load_model(path: str | PathLike[str]) -> SavedModel:
    """Return what ``save_model`` wrote.

    Raises:
        ModelFileError: no such file, not readable, cut short, damaged, another program's, or of a newer version.
    """
    source = fspath(path)
    arrays = _read(source)
    if "format" not in arrays or str(arrays["format"]) != FORMAT:
        raise ModelFileError(f"{source}: not a model of tinygrad_mlp; `tinygrad-mlp train` or save_model() writes one")
    version = arrays.get("version")
    if version is None or version.dtype.kind not in "iu" or version.shape != ():
        _damaged(source, "its version cannot be read")
    if int(version) != VERSION:
        raise ModelFileError(f"{source}: model format {int(version)}; this version of tinygrad_mlp reads {VERSION}")
    try:
        model = _network(source, arrays)
        preprocessor = None
        if any(key.startswith(_PREPROCESSOR) for key in arrays):
            preprocessor = Preprocessor.from_arrays(arrays)
    except ModelFileError as error:
        raise ModelFileError(str(error) if str(error).startswith(source) else f"{source}: {error}") from None
    if preprocessor is not None and (preprocessor.n_inputs, preprocessor.n_outputs) != (
        model.sizes[0],
        model.sizes[-1],
    ):
        _damaged(source, "the network does not fit its preprocessing")
    return SavedModel(model, preprocessor, _json(source, arrays, "details"))


def _recipe(model: MLP) -> dict[str, Any]:
    """Return how to build the network, as plain values."""
    if type(model) is not MLP:
        raise UnsupportedError(f"save_model: {type(model).__name__} is no nn.MLP; np.savez(path, **model.state_dict())")
    for unit in model.units:
        if HIDDEN_UNITS.get(unit.name) is not unit:
            raise UnsupportedError(f"save_model: the hidden unit {unit.name!r} is not one of {', '.join(HIDDEN_UNITS)}")
    if FAMILIES.get(model.family.unit) is not model.family:
        raise UnsupportedError(f"save_model: the output {model.family!r} is not one of {', '.join(FAMILIES)}")
    return {
        "kind": "MLP",
        "sizes": list(model.sizes),
        "activations": [unit.name for unit in model.units],
        "output": model.family.unit,
        "dropout": model.dropout.p if model.dropout is not None else 0.0,
        "dtype": str(model.parameters()[0].dtype),
    }


def _read(source: str) -> dict[str, NDArray[Any]]:
    """Return every array of the file, read and checked against the checksums of the zip."""
    try:
        with open(source, "rb") as file:
            foreign = file.read(4) != b"PK\3\4"
            file.seek(0)
            if not foreign:
                with np.load(file, allow_pickle=False) as stored:
                    return {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        raise ModelFileError(f"{source}: no such file") from None
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.strerror:
            raise ModelFileError(f"{source}: cannot be read ({error.strerror})") from None
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise ModelFileError(f"{source}: the file is cut short, damaged or another program's ({reason})") from None
    raise ModelFileError(f"{source}: not a model of tinygrad_mlp, which is an .npz file")


def _network(source: str, arrays: Arrays) -> MLP:
    """Return the network that ``network`` describes, with the parameters of ``state.``."""
    recipe = _json(source, arrays, "network")
    state = {key.removeprefix(_STATE): array for key, array in arrays.items() if key.startswith(_STATE)}
    sizes: Any = recipe.get("sizes")
    dtype = recipe.get("dtype")
    whole = isinstance(sizes, list) and len(sizes) > 1 and all(type(n) is int and n > 0 for n in sizes)
    if recipe.get("kind") != "MLP" or not whole or dtype not in _DTYPES:
        _damaged(source, "the description of the network cannot be read")
    for name, array in state.items():
        if array.dtype != dtype or not np.isfinite(array).all():
            _damaged(source, f"the parameter {name} does not hold finite {dtype} numbers")
    needed = sum(a * b for a, b in pairwise(sizes))
    if needed > sum(array.size for array in state.values()):  # before memory is taken for it
        _damaged(source, f"a network of sizes {sizes} has more parameters than the file")
    try:
        model = MLP(sizes, recipe["activations"], recipe["output"], dropout=recipe["dropout"], dtype=dtype)
        model.load_state_dict(state)
    except (TinygradError, KeyError, TypeError) as error:
        _damaged(source, f"the network cannot be built ({error})")
    model.eval()
    return model


def _json(source: str, arrays: Arrays, key: str) -> dict[str, Any]:
    try:
        value = json.loads(str(arrays[key]))
    except (KeyError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        _damaged(source, f"its {key} cannot be read")
    return value


def _damaged(source: str, what: str) -> NoReturn:
    raise ModelFileError(f"{source}: the model is damaged: {what}")
