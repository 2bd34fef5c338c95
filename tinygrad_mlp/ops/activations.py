"""Activation functions, in forms that neither overflow nor lose digits in the tails."""

import math
from typing import Any

from tinygrad_mlp import scalars
from tinygrad_mlp.errors import ShapeError, UnsupportedError
from tinygrad_mlp.ops.comparison import clip, isinf, logical_not
from tinygrad_mlp.ops.elementwise import abs, divide, exp, multiply, negative, square, where
from tinygrad_mlp.ops.indexing import along
from tinygrad_mlp.ops.reductions import spread, sum
from tinygrad_mlp.ops.shaping import as_array, normal_axis
from tinygrad_mlp.ops.special import erfc, logaddexp, logaddexp2
from tinygrad_mlp.ops.trigonometry import tanh
from tinygrad_mlp.table import defvjp, primitive


@primitive(symbol="σ", latex=r"\sigma({0})", elementwise=True, analytic=True)
def sigmoid(xp: Any, x: Any) -> Any:
    """Return the logistic function ``1 / (1 + exp(-x))``, without overflow.

    >>> sigmoid(0.0)
    0.5
    """
    if xp is scalars:
        e = xp.exp(-abs(x))  # in (0, 1]: exp never sees a positive number
        return (1.0 if x >= 0 else e) / (1 + e) if x == x else x
    with xp.quiet():  # exp may overflow to inf, and 1 / inf is the right 0; twice as fast as never overflowing
        return 1 / (1 + xp.exp(-x))


defvjp(sigmoid, lambda g, y, _x: g * (y * (1 - y)))


def _first_share(a: Any, b: Any, base: float) -> Any:
    """Return what ``a`` contributes to ``baseᵃ + baseᵇ``, between 0 and 1; half where both are the same infinity."""
    same = (a == b) & isinf(a)
    return sigmoid(where(same, 0.0, a - b) * math.log(base))


defvjp(
    logaddexp,
    lambda g, _y, a, b: g * _first_share(a, b, math.e),
    lambda g, _y, a, b: g * _first_share(b, a, math.e),
)
defvjp(
    logaddexp2,
    lambda g, _y, a, b: g * _first_share(a, b, 2.0),
    lambda g, _y, a, b: g * _first_share(b, a, 2.0),
)


@primitive(symbol="relu", latex=r"\max(0, {0})", elementwise=True, kinks="0 at 0")
def relu(xp: Any, x: Any) -> Any:
    """Return ``max(x, 0)``; the derivative at 0 is 0, at nan 1."""
    return xp.maximum(x, 0.0)


defvjp(relu, lambda g, y, _x: where(logical_not(y <= 0), g, 0.0))


@primitive(
    symbol="leaky_relu",
    latex=r"\max(0, {0}) + {negative_slope} \min(0, {0})",
    elementwise=True,
    kinks="negative_slope at 0",
)
def leaky_relu(xp: Any, x: Any, /, negative_slope: float = 0.01) -> Any:
    """Return ``x`` where it is positive, else ``negative_slope * x``; the derivative at 0 is the slope."""
    return xp.where(x > 0, x, negative_slope * x)


defvjp(leaky_relu, lambda g, _y, x, negative_slope=0.01: where(x > 0, g, negative_slope * g))


@primitive(symbol="softplus", latex=r"\log(1 + e^{{{0}}})", elementwise=True)
def softplus(xp: Any, x: Any) -> Any:
    """Return ``log(1 + exp(x))``, without overflow."""
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))


defvjp(softplus, lambda g, _y, x: g * sigmoid(x))


@primitive(symbol="softmax", latex=r"\operatorname{{softmax}}({0})", analytic=True)
def softmax(xp: Any, x: Any, /, axis: int = -1) -> Any:
    """Return ``exp(x) / sum(exp(x))`` along ``axis``; the maximum is subtracted before exp."""
    if not x.size:
        return x - xp.sum(x, axis=axis, keepdims=True)  # of nothing there is no maximum, but an axis must exist
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


def _axis(axis: int, x: Any) -> int | None:
    """Return the axis; None, which is none, for a number without axes."""
    return axis if x.shape else None


defvjp(softmax, lambda g, y, _x, axis=-1: y * (g - sum(g * y, axis=_axis(axis, _x), keepdims=True)))


@primitive(symbol="log_softmax", latex=r"\log\operatorname{{softmax}}({0})", analytic=True)
def log_softmax(xp: Any, x: Any, /, axis: int = -1) -> Any:
    """Return ``log(softmax(x))`` along ``axis``, without the logarithm of a rounded zero."""
    if not x.size:
        return x - xp.sum(x, axis=axis, keepdims=True)
    z = x - xp.max(x, axis=axis, keepdims=True)
    return z - xp.log(xp.sum(xp.exp(z), axis=axis, keepdims=True))


defvjp(
    log_softmax,
    lambda g, y, _x, axis=-1: g - exp(y) * spread(sum(g, axis=_axis(axis, _x)), y.shape, _axis(axis, _x)),
)


@primitive(symbol="log σ", latex=r"\log\sigma({0})", elementwise=True)
def log_sigmoid(xp: Any, x: Any) -> Any:
    """Return ``log(sigmoid(x))``, exact in both tails.

    >>> log_sigmoid(-1000.0)
    -1000.0
    """
    return -softplus.forward(xp, -x)


defvjp(log_sigmoid, lambda g, _y, x: g * sigmoid(-x))


@primitive(symbol="softsign", latex=r"\frac{{{0}}}{{1 + \lvert {0} \rvert}}", elementwise=True)
def softsign(xp: Any, x: Any) -> Any:
    """Return ``x / (1 + |x|)``."""
    return x / (1 + xp.abs(x))


defvjp(softsign, lambda g, _y, x: divide(g, square(1 + abs(x))))

# -------------------------------------------------------------------------------------------- pieces of straight lines


@primitive(symbol="relu6", latex=r"\min(\max({0}, 0), 6)", elementwise=True, kinks="0 at 0 and at 6")
def relu6(xp: Any, x: Any) -> Any:
    """Return ``min(max(x, 0), 6)``; the derivative at 0 and at 6 is 0, at nan 1."""
    return xp.minimum(xp.maximum(x, 0.0), 6.0)


defvjp(relu6, lambda g, y, _x: where((y <= 0) | (y >= 6), 0.0, g))


@primitive(symbol="hardtanh", latex=r"\min(\max({0}, {min_val}), {max_val})", elementwise=True, kinks="0 on the bounds")
def hardtanh(xp: Any, x: Any, /, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Return ``x`` held between ``min_val`` and ``max_val``; the derivative on the bounds is 0, at nan 1."""
    if min_val > max_val:
        raise UnsupportedError(f"hardtanh: min_val {min_val} is greater than max_val {max_val}")
    return xp.minimum(xp.maximum(x, min_val), max_val)


defvjp(hardtanh, lambda g, _y, x, min_val=-1.0, max_val=1.0: where((x <= min_val) | (x >= max_val), 0.0, g))


@primitive(
    symbol="hardsigmoid",
    latex=r"\tfrac{{1}}{{6}} \min(\max({0} + 3, 0), 6)",
    elementwise=True,
    kinks="0 at -3 and at 3",
)
def hardsigmoid(xp: Any, x: Any) -> Any:
    """Return ``relu6(x + 3) / 6``; the derivative at -3 and at 3 is 0."""
    return relu6.forward(xp, x + 3) / 6


defvjp(hardsigmoid, lambda g, _y, x: where((x > -3) & (x < 3), g / 6, 0.0))


@primitive(
    symbol="hardswish",
    latex=r"\tfrac{{1}}{{6}} {0} \min(\max({0} + 3, 0), 6)",
    elementwise=True,
    kinks="0 at -3 and 1 at 3",
)
def hardswish(xp: Any, x: Any) -> Any:
    """Return ``x * relu6(x + 3) / 6``; the derivative at -3 is 0, at 3 it is 1."""
    return x * (relu6.forward(xp, x + 3) / 6)


defvjp(hardswish, lambda g, _y, x: where(x <= -3, 0.0, where(x < 3, g * (x / 3 + 0.5), g)))


@primitive(
    symbol="prelu",
    latex=r"\max(0, {0}) + {1} \min(0, {0})",
    elementwise=True,
    kinks="the weight in x, and 0 in the weight, at 0",
)
def prelu(xp: Any, x: Any, weight: Any) -> Any:
    """Return ``x`` where it is positive, else ``weight * x``; the weight, which is learnt, broadcasts."""
    return xp.where(x > 0, x, weight * x)


defvjp(
    prelu,
    lambda g, _y, x, weight: where(x > 0, g, g * weight),
    lambda g, _y, x, _weight: where(x > 0, 0.0, g * x),
)

# ---------------------------------------------------------------------------------------------------- smooth relatives

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848  # Klambauer et al., NeurIPS 2017, section 2


@primitive(symbol="elu", latex=r"\max(0, {0}) + {alpha} (e^{{\min(0, {0})}} - 1)", elementwise=True, kinks="alpha at 0")
def elu(xp: Any, x: Any, /, alpha: float = 1.0) -> Any:
    """Return ``x`` where it is positive, else ``alpha * (exp(x) - 1)``."""
    return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0.0)))


def _below(x: Any) -> Any:
    """Return ``x`` where it is negative, else 0, with derivative 0 at 0: the second derivative of an ELU there is 0."""
    return where(x < 0, x, 0.0)


defvjp(elu, lambda g, _y, x, alpha=1.0: where(x > 0, g, g * (alpha * exp(_below(x)))))


@primitive(symbol="celu", latex=r"\max(0, {0}) + {alpha} (e^{{\min(0, {0}) / {alpha}}} - 1)", elementwise=True)
def celu(xp: Any, x: Any, /, alpha: float = 1.0) -> Any:
    """Return ``x`` where it is positive, else ``alpha * (exp(x / alpha) - 1)``; alpha is not 0."""
    if alpha == 0:
        raise UnsupportedError("celu: alpha is 0, by which x is divided")
    return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0.0) / alpha))


defvjp(celu, lambda g, _y, x, alpha=1.0: where(x > 0, g, g * exp(_below(x) / alpha)))


@primitive(
    symbol="selu",
    latex=r"\lambda \max(0, {0}) + \lambda \alpha (e^{{\min(0, {0})}} - 1)",
    elementwise=True,
    kinks="1.7581 at 0",
)
def selu(xp: Any, x: Any) -> Any:
    """Return the self-normalising ``1.0507 * elu(x, 1.6733)``.

    Source: G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, *Self-normalizing neural networks*, NeurIPS 2017.
    """
    return SELU_SCALE * elu.forward(xp, x, SELU_ALPHA)


defvjp(
    selu,
    lambda g, _y, x: g * SELU_SCALE * where(x > 0, 1.0, SELU_ALPHA * exp(_below(x))),
)


@primitive(symbol="silu", latex=r"{0} \, \sigma({0})", elementwise=True, analytic=True)
def silu(xp: Any, x: Any) -> Any:
    """Return ``x * sigmoid(x)``, also called swish."""
    return x * sigmoid.forward(xp, x)


def _silu_vjp(g: Any, _y: Any, x: Any) -> Any:
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


defvjp(silu, _silu_vjp)


@primitive(symbol="mish", latex=r"{0} \tanh(\log(1 + e^{{{0}}}))", elementwise=True)
def mish(xp: Any, x: Any) -> Any:
    """Return ``x * tanh(softplus(x))``."""
    return x * xp.tanh(softplus.forward(xp, x))


def _mish_vjp(g: Any, _y: Any, x: Any) -> Any:
    t = tanh(softplus(x))
    return g * (t + x * sigmoid(x) * (1 - t * t))


defvjp(mish, _mish_vjp)


@primitive(symbol="gelu", latex=r"{0} \, \Phi({0})", elementwise=True)
def gelu(xp: Any, x: Any, /, approximate: str = "none") -> Any:
    """Return ``x`` times the normal distribution function of ``x``.

    Args:
        x: any numbers.
        approximate: "none" with erf, or "tanh" for ``x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))``.

    Source: D. Hendrycks, K. Gimpel, *Gaussian error linear units*, 2016.
    """
    if approximate == "tanh":
        return x * sigmoid.forward(xp, 2 * GELU_RATE * (x + GELU_CUBIC * x * x * x))  # σ(2u) is ½ (1 + tanh u)
    if approximate != "none":
        raise UnsupportedError(f"gelu: approximate={approximate!r}: choose 'none' or 'tanh'")
    return 0.5 * x * xp.erfc(x * -math.sqrt(0.5))


GELU_RATE, GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715


def _gelu_vjp(g: Any, _y: Any, x: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        x = clip(x, -40.0, 40.0)  # where the slope is 0 or 1, and the cube of x far from overflow
        square = x * x
        s = sigmoid(x * (2 * GELU_RATE + 2 * GELU_RATE * GELU_CUBIC * square))
        return g * (s * (1 + x * (1 - s) * (2 * GELU_RATE + 6 * GELU_RATE * GELU_CUBIC * square)))
    density = math.sqrt(0.5 / math.pi) * exp(-0.5 * x * x)
    return g * (0.5 * erfc(x * -math.sqrt(0.5)) + x * density)


defvjp(gelu, _gelu_vjp)

# -------------------------------------------------------------------------------------------------------- over an axis


def softmin(x: Any, axis: int = -1) -> Any:
    """Return ``softmax(-x)`` along ``axis``."""
    return softmax(negative(x), axis=axis)


def glu(x: Any, axis: int = -1) -> Any:
    """Return the first half of ``x`` along ``axis`` times the sigmoid of the second half.

    Source: Y. Dauphin, A. Fan, M. Auli, D. Grangier, *Language modeling with gated convolutional networks*, ICML 2017.

    Raises:
        ShapeError: The axis has an odd length.
    """
    x = as_array(x)
    length = x.shape[normal_axis(axis, len(x.shape), "glu")]
    if length % 2:
        raise ShapeError(f"glu: axis {axis} of shape {tuple(x.shape)} has length {length}; it must be even")
    half = length // 2
    return multiply(along(x, axis, slice(half)), sigmoid(along(x, axis, slice(half, None))))
