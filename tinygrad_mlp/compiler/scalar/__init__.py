"""Replay of graphs that are Python floats throughout."""

from tinygrad_mlp.compiler.scalar.program import ScalarProgram

__all__ = ["ScalarProgram"]
