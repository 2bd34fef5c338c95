"""Programs in C: fused loops with vector math, built by the machine's compiler and called through ctypes."""

from .building import Compiler, CompilerError, compiler
from .program import CKernel

__all__ = ["CKernel", "Compiler", "CompilerError", "compiler"]
