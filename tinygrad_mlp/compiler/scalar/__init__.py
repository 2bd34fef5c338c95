"""Replay of graphs that are Python floats throughout."""

# from import ScalarProgram

__all__: list[str] = []
