"""See, check and train neural networks as graphs."""

from tinygrad_mlp.graph import no_grad, sources
from tinygrad_mlp.ops import *  # noqa: F403
from tinygrad_mlp.table import defjvp, defvjp, defvjp_argnum, defvjps, primitive
from tinygrad_mlp.tensors import Tensor, Value, tensor
from tinygrad_mlp.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
