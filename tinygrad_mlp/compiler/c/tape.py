"""The loops of the tape for scalar graphs in C: one interpreter of opcodes for all graphs, built once."""

import ctypes
from collections.abc import Callable
from typing import Any

from tinygrad_mlp.compiler.scalar.opcodes import CODES

from .building import compiler
from .prelude import prelude

# What a row gives of x = v[a] and y = v[b]; v[c] is the third operand.
VALUES = {
    "add": "x + y", "subtract": "x - y", "multiply": "x * y", "divide": "x / y", "negative": "-x",
    "relu": "x <= 0 ? 0 : x", "tanh": "tanh(x)", "exp": "exp(x)", "log": "log(x)", "power": "pow(x, y)",
    "square": "x * x", "sqrt": "sqrt(x)", "sin": "sin(x)", "cos": "cos(x)", "sigmoid": "sigmoid(x)", "abs": "fabs(x)",
    "reciprocal": "1 / x", "identity": "x", "maximum": "x >= y || x != x ? x : y",
    "minimum": "x <= y || x != x ? x : y", "where": "x != 0 ? y : v[c]", "greater": "x > y",
    "greater_equal": "x >= y", "less": "x < y", "less_equal": "x <= y", "equal": "x == y", "not_equal": "x != y",
    "logical_not": "x == 0", "logical_and": "x != 0 && y != 0", "logical_or": "x != 0 || y != 0",
    "log1p": "log1p(x)", "expm1": "expm1(x)",
}  # fmt: skip
# What a row adds to the cotangent of its operand, where its own is d and its value r; x and y as above.
SLOPES = {
    "negative": "-d", "tanh": "d * (1 - r * r)", "exp": "d * r", "log": "d / x", "square": "d * (2 * x)",
    "sqrt": "d / (2 * r)", "sin": "d * cos(x)", "cos": "-d * sin(x)", "sigmoid": "d * (r * (1 - r))",
    "abs": "d * (x > 0 ? 1.0 : x < 0 ? -1.0 : x)", "reciprocal": "-d * (r * r)", "identity": "d",
    "log1p": "d / (1 + x)", "expm1": "d * exp(x)",
}  # fmt: skip
# And where it is not one sum: statements.
SWEEPS = {
    "add": "g[a] += d; g[b] += d;",
    "subtract": "g[a] += d; g[b] -= d;",
    "multiply": "g[a] += d * y; g[b] += d * x;",
    "divide": "g[a] += d / y; g[b] += -d * r / y;",
    "relu": "if (!(r <= 0)) g[a] += d;",
    "power": (
        "g[a] += y == 0 ? 0 : d * (y * pow(x, y - 1)); "
        "if (c == 0) g[b] += d * (x == 0 && y >= 0 ? 0 : r * log(x));"  # else the exponent is a constant
    ),
    # the larger gets all, at a tie each gets half
    "maximum": "g[a] += x == y ? d / 2 : x < y ? 0 : d; g[b] += x == y ? d / 2 : y < x ? 0 : d;",
    "minimum": "g[a] += x == y ? d / 2 : y < x ? 0 : d; g[b] += x == y ? d / 2 : x < y ? 0 : d;",
    "where": "g[x != 0 ? b : c] += d;",
}
TEXT = """
static double sigmoid(double x) { double e = exp(-fabs(x)); return x == x ? (x >= 0 ? 1 : e) / (1 + e) : x; }

void forward(int64_t first, int64_t last, const Array *ops, const Array *args, const Array *terms,
             const Array *values) {
    const uint8_t *op = (const uint8_t *)ops->data;
    const int64_t *arg = (const int64_t *)args->data, *term = (const int64_t *)terms->data;
    double *v = (double *)values->data;
    for (int64_t i = first; i < last; i++) {
        const int64_t a = arg[3 * i], b = arg[3 * i + 1], c = arg[3 * i + 2];
        if (op[i] == 0) {
            double y = v[term[2 * a]] * v[term[2 * a + 1]];
            for (int64_t k = a + 1; k < b; k++) y += v[term[2 * k]] * v[term[2 * k + 1]];
            v[i] = y;
            continue;
        }
        const double x = v[a], y = v[b];
        switch (op[i]) {
VALUES
        }
    }
}

void backward(const Array *nodes, int64_t one, const Array *ops, const Array *args, const Array *terms,
              const Array *values, const Array *slopes) {
    const uint8_t *op = (const uint8_t *)ops->data;
    const int64_t *arg = (const int64_t *)args->data, *term = (const int64_t *)terms->data;
    const int64_t *node = (const int64_t *)nodes->data, n = *nodes->shape;
    const double *v = (const double *)values->data;
    double *g = (double *)slopes->data;
    for (int64_t j = 0; j < n; j++) {
        const int64_t i = node[j], a = arg[3 * i], b = arg[3 * i + 1], c = arg[3 * i + 2];
        const double d = g[i];
        if (op[i] == 0) {
            for (int64_t k = a; k < b; k++) {
                const int64_t p = term[2 * k], q = term[2 * k + 1];
                if (q == one) g[p] += d;
                else {
                    g[p] += d * v[q];
                    g[q] += d * v[p];
                }
            }
            continue;
        }
        const double x = v[a], y = v[b], r = v[i];
        switch (op[i]) {
SLOPES
        }
    }
}
"""


def loops() -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the two loops; they are called as those of the numba engine.

    Raises:
        MissingDependencyError: The machine has no C compiler.
    """
    values = [f"case {CODES[name]}: v[i] = {text}; break;" for name, text in VALUES.items()]
    slopes = [f"case {CODES[name]}: g[a] += {text}; break;" for name, text in SLOPES.items()]
    slopes += [f"case {CODES[name]}: {text} break;" for name, text in SWEEPS.items()]
    text = TEXT.replace("VALUES", "\n".join(values)).replace("SLOPES", "\n".join(slopes))
    library = compiler().load(prelude(False) + text, (), release=True)
    whole, array = ctypes.c_int64, ctypes.py_object
    forward: Any = library.forward
    forward.argtypes, forward.restype = [whole, whole, array, array, array, array], None
    backward: Any = library.backward
    backward.argtypes, backward.restype = [array, whole, array, array, array, array, array], None
    return forward, backward
