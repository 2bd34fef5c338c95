"""See, check and train neural networks as graphs."""

from tinygrad_mlp.graph import no_grad, sources
from tinygrad_mlp.ops import *  # noqa: F403
from tinygrad_mlp.tensors import Tensor, Value, tensor
