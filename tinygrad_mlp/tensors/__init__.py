"""Tensor and Value: the operators, methods and NumPy protocols through which people write down a graph; no rules."""

from tinygrad_mlp.tensors.array import Tensor, tensor
from tinygrad_mlp.tensors.value import Value, neurons

__all__ = ["Tensor", "Value", "neurons", "tensor"]
