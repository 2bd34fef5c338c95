r"""The op table: every operation once, with its forward rule, its derivatives, and what pictures and formulas call it.

An op is a forward rule and, per operand, a vjp::

    @primitive(symbol="log", latex=r"\log {0}", elementwise=True, domain=(0.1, 4.0))
    def log(xp, x):
        return xp.log(x)

    defvjp(log, lambda g, y, x: divide(g, x))

``xp`` is the namespace of the operands (``arrays.py``). Operands stand before a ``/``, or have no default; what follows
is a parameter. A forward rule may branch on shapes and dtypes, never on values.

A vjp gets the cotangent ``g`` of the output, the output ``y``, and the operands; it is written with ops and operators,
so that it runs on arrays and on nodes alike. **A rule names an operand whose values it does not read with a leading
underscore** (its shape and dtype may be read): such an operand may be overwritten before ``backward()``, and such a
constant is not copied.
"""

from tinygrad_mlp.table.op import NUMBERS, OPS, PLAIN, Op
from tinygrad_mlp.table.registering import defjvp, defvjp, defvjp_argnum, defvjps, primitive
from tinygrad_mlp.table.signature import VARARGS, VARIADIC

__all__ = [
    "NUMBERS", "OPS", "PLAIN", "VARARGS", "VARIADIC", "Op", "defjvp", "defvjp", "defvjp_argnum", "defvjps", "primitive",
]  # fmt: skip
