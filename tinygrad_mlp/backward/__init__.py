"""Reverse accumulation: the gradient of one node in all nodes before it, by the chain rule.

``cotangents`` is the whole of it, for arrays, floats and nodes alike; ``backward`` stores the result on the leaves. A
graph that is floats throughout takes a shorter way (``floats.py``, tested equal to the table); while everything is
recorded its gradient is not written out before it has to be (``expand``).
"""

from tinygrad_mlp.backward.edges import check_fresh, contributions, derivative, initial_seed
from tinygrad_mlp.backward.reverse import backward, cotangents, expand

__all__ = ["backward", "check_fresh", "contributions", "cotangents", "derivative", "expand", "initial_seed"]
