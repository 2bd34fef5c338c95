"""The catalogue: every function of this package whose derivative is known by hand, ready to be held against the engine.

>>> entry = CATALOGUE["cross_entropy_spelled"]
>>> print(entry.statement)
E = −Σ t log softmax(z);  ∂E/∂Z = Y − T
>>> Z, T = entry.inputs(np.random.default_rng(0))
>>> in_z, in_t = entry.by_hand(Z, T)
>>> in_z.shape, in_t
((5, 3), None)
>>> from tinygrad_mlp import transforms
>>> bool(np.allclose(transforms.grad(entry.function)(Z, T), in_z))
True
"""

from .entry import Formula
from .family_entries import FAMILY_ENTRIES
from .layer_entries import LAYER_ENTRIES
from .network_entries import NETWORK_ENTRIES
from .output_entries import OUTPUT_ENTRIES
from .unit_entries import UNIT_ENTRIES

CATALOGUE: dict[str, Formula] = {
    entry.name: entry for entry in (*UNIT_ENTRIES, *OUTPUT_ENTRIES, *FAMILY_ENTRIES, *LAYER_ENTRIES, *NETWORK_ENTRIES)
}
