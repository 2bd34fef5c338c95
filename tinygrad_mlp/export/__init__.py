"""Models as files: ``save_model`` and ``load_model`` keep a network with its preprocessing in one .npz without pickle.

Read ``files`` (written whole or not at all), then ``npz``.
"""

from .files import replacing
from .npz import SavedModel, load_model, save_model

__all__ = ["SavedModel", "load_model", "replacing", "save_model"]
