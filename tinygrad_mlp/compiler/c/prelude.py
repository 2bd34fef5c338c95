"""Prelude: what every C program begins with: the layout of Python's objects, and functions with NumPy's conventions."""

import re

# glibc's vector library has these, for float64 and, with the suffix f, for float32; a call in a loop is vectorised if
# the function is declared so, with or without -ffast-math.
VECTOR_UNARY = (
    "exp", "log", "sin", "cos", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cosh", "erf", "erfc",
    "exp2", "expm1", "log10", "log1p", "log2", "sinh", "tan", "tanh",
)  # fmt: skip
VECTOR_BINARY = ("pow", "atan2", "hypot")

HEAD = """\
#include <math.h>
#include <stdint.h>
#include <string.h>

/* The beginnings of NumPy's arrays and of Python's tuples; both are checked before anything is built. */
typedef struct {
    int64_t count; void *type; char *data; int nd; int64_t *shape, *strides; void *base, *dtype; int flags;
} Array;
typedef struct { int64_t count; void *type; double value; } Float;
typedef struct { int64_t count; void *type; int64_t length; void *items[]; } Tuple;
#define PLAIN 0x101  /* C-contiguous and aligned */
#define ARRAY(i) ((const Array *)t->items[i])
#define OVERLAP(a, m, b, n) ((a)->data < (b)->data + (n) && (b)->data < (a)->data + (m))

#ifdef __FMA__
#define MAC(a, b, c) __builtin_fma(a, b, c)
#define MACf(a, b, c) __builtin_fmaf(a, b, c)
#else
#define MAC(a, b, c) ((a) * (b) + (c))
#define MACf(a, b, c) ((a) * (b) + (c))
#endif
"""

# Written once for double and float; T is the type, F(name) the function of libm.
FUNCTIONS = """\
static inline T F(most)(T a, T b) { T m = a > b ? a : b; return a != a ? a : m; }
static inline T F(least)(T a, T b) { T m = a < b ? a : b; return a != a ? a : m; }
static inline T F(firstmost)(T a, T b) { T m = a > b ? a : b; return b != b ? a : m; }
static inline T F(firstleast)(T a, T b) { T m = a < b ? a : b; return b != b ? a : m; }
static inline T F(sgn)(T x) { return x > 0 ? (T)1 : x < 0 ? (T)-1 : x == 0 ? (T)0 : x; }
static inline T F(step)(T x, T h) { return x != x ? x : x > 0 ? (T)1 : x < 0 ? (T)0 : h; }
static inline T F(logsum)(T a, T b) {
    T d = a - b, m = a > b ? a : b, y = m + F(log1p)(F(exp)(-F(fabs)(d)));
    return a == b ? a + (T)0.693147180559945309417 : d == d ? y : d;
}
static inline T F(logsum2)(T a, T b) {
    T d = a - b, m = a > b ? a : b, y = m + (T)1.44269504088896340736 * F(log1p)(F(exp2)(-F(fabs)(d)));
    return a == b ? a + 1 : d == d ? y : d;
}
/* A third faster than the library's, and as accurate. */
static inline T F(htan)(T x) { T e = F(expm1)(-2 * F(fabs)(x)); return F(copysign)(-e / (e + 2), x); }
/* x / s is x * p[0] * p[1] * p[2] for every x, to rounding, without over- or underflow on the way. */
static inline void F(inverse)(T s, T *p) {
    int e = 0;
    T m = s;
    if (s - s == 0 && s != 0) m = F(frexp)(s, &e);
    p[0] = F(ldexp)(1, -(e / 2));
    p[1] = F(ldexp)(1, -(e - e / 2));
    p[2] = 1 / m;
}
static inline T F(modulo)(T a, T b) {
    T m = F(fmod)(a, b);
    if (b == 0) return m;
    return m == 0 ? F(copysign)((T)0, b) : (b < 0) != (m < 0) ? m + b : m;
}
static inline T F(quotient)(T a, T b) {
    T m = F(fmod)(a, b), d, f;
    if (b == 0) return a / b;
    d = (a - m) / b;
    if (m != 0 && (b < 0) != (m < 0)) d -= 1;
    if (d == 0) return F(copysign)((T)0, a / b);
    f = F(floor)(d);
    return d - f > (T)0.5 ? f + 1 : f;
}
#pragma omp declare reduction(F(most) : T : omp_out = F(most)(omp_in, omp_out)) initializer(omp_priv = -(T)INFINITY)
#pragma omp declare reduction(F(least) : T : omp_out = F(least)(omp_in, omp_out)) initializer(omp_priv = (T)INFINITY)
"""


def prelude(vector: bool) -> str:
    """Return the head of a program; with ``vector`` the functions of libmvec are declared."""
    lines = [HEAD]
    if vector:
        lines.append('#define VECTOR __attribute__((simd("notinbranch"), const))')
        for suffix, kind in (("", "double"), ("f", "float")):
            lines += [f"VECTOR {kind} {name}{suffix}({kind});" for name in VECTOR_UNARY]
            lines += [f"VECTOR {kind} {name}{suffix}({kind}, {kind});" for name in VECTOR_BINARY]
    lines.append(_functions("double", ""))
    lines.append(_functions("float", "f"))
    return "\n".join(lines)


def _functions(kind: str, suffix: str) -> str:
    """Return the functions for one type."""
    text = re.sub(r"\bF\((\w+)\)", rf"\1{suffix}", FUNCTIONS)
    return re.sub(r"\bT\b", kind, text)
