"""Products of vectors, matrices and arrays of more axes: NumPy's, and sums over any letters by ``einsum``."""

from collections.abc import Sequence
from itertools import pairwise
from string import ascii_letters, ascii_uppercase
from typing import Any

import numpy as np

from tinygrad_mlp.errors import DTypeError, ShapeError
from tinygrad_mlp.ops.arranging import moveaxis, ravel
from tinygrad_mlp.ops.elementwise import multiply, negative, subtract
from tinygrad_mlp.ops.indexing import getitem
from tinygrad_mlp.ops.linalg import matmul
from tinygrad_mlp.ops.shaping import (
    as_array,
    as_arrays,
    as_tuple,
    broadcast_to,
    expand_dims,
    normal_axis,
    reshape,
    squeeze,
    stack,
    swapaxes,
    transpose,
)
from tinygrad_mlp.table import defvjp_argnum, primitive


def _shapes(*xs: Any) -> str:
    return " and ".join(str(tuple(x.shape)) for x in xs)


# ------------------------------------------------------------------------------------------------ vectors and matrices


def dot(a: Any, b: Any) -> Any:
    """Return the sum of products over the last axis of ``a`` and the last but one of ``b`` (its last, if 1-d).

    A number multiplies the other operand.

    >>> dot([1.0, 2.0], [3.0, 4.0])
    np.float64(11.0)

    Raises:
        ShapeError: The two axes differ in length.
    """
    a, b = as_array(a), as_array(b)
    if not a.shape or not b.shape:
        return multiply(a, b)
    at = -1 if len(b.shape) == 1 else -2
    if a.shape[-1] != b.shape[at]:
        raise ShapeError(f"dot: {_shapes(a, b)}: inner lengths {a.shape[-1]} and {b.shape[at]} differ")
    return matmul(a, b) if len(b.shape) <= 2 else tensordot(a, b, axes=((-1,), (-2,)))


def inner(a: Any, b: Any) -> Any:
    """Return the sum of products over the last axis of ``a`` and of ``b``; a number multiplies the other operand.

    Raises:
        ShapeError: The last axes differ in length.
    """
    a, b = as_array(a), as_array(b)
    if not a.shape or not b.shape:
        return multiply(a, b)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"inner: {_shapes(a, b)}: last lengths {a.shape[-1]} and {b.shape[-1]} differ")
    return matmul(a, b) if len(b.shape) == 1 else tensordot(a, b, axes=((-1,), (-1,)))


def outer(a: Any, b: Any) -> Any:
    """Return the product of every element of ``a`` with every element of ``b``: a matrix, with a row for each of ``a``.

    >>> outer([1.0, 2.0], [3.0, 4.0])
    array([[3., 4.],
           [6., 8.]])
    """
    return multiply(expand_dims(ravel(a), axis=1), expand_dims(ravel(b), axis=0))


def vdot(a: Any, b: Any) -> Any:
    """Return the sum of products of the elements of ``a`` and ``b``, each taken in C order.

    Raises:
        ShapeError: They have different numbers of elements.
    """
    a, b = ravel(a), ravel(b)
    if a.shape != b.shape:
        raise ShapeError(f"vdot: {a.shape[0]} elements with {b.shape[0]}")
    return matmul(a, b)


def vecdot(a: Any, b: Any, *, axis: int = -1) -> Any:
    """Return the sum of products along ``axis``; the other axes broadcast.

    Raises:
        ShapeError: The axis differs in length, or the other axes do not broadcast.
    """
    a, b = (moveaxis(_at_least("vecdot", x, 1), axis, -1) for x in (a, b))
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"vecdot: lengths {a.shape[-1]} and {b.shape[-1]} along axis {axis} differ")
    product = matmul(expand_dims(a, axis=-2), expand_dims(b, axis=-1))
    return squeeze(product, axis=(-2, -1))


def matvec(a: Any, b: Any) -> Any:
    """Return the product of matrices (…, m, n) and vectors (…, n); the leading axes broadcast."""
    a, b = _at_least("matvec", a, 2), _at_least("matvec", b, 1)
    return squeeze(matmul(a, expand_dims(b, axis=-1)), axis=-1)


def vecmat(a: Any, b: Any) -> Any:
    """Return the product of vectors (…, m) and matrices (…, m, n); the leading axes broadcast."""
    a, b = _at_least("vecmat", a, 1), _at_least("vecmat", b, 2)
    return squeeze(matmul(expand_dims(a, axis=-2), b), axis=-2)


def matrix_transpose(x: Any) -> Any:
    """Return ``x`` with its last two axes exchanged."""
    return swapaxes(_at_least("matrix_transpose", x, 2), -1, -2)


def _at_least(name: str, x: Any, ndim: int) -> Any:
    """Return ``x`` as an array that has ``ndim`` axes or more."""
    x = as_array(x)
    if len(x.shape) < ndim:
        raise ShapeError(f"{name}: shape {tuple(x.shape)} has {len(x.shape)} axes, and at least {ndim} are needed")
    return x


def multi_dot(arrays: Sequence[Any]) -> Any:
    """Return the product of two or more matrices, multiplied in the order that takes the fewest operations.

    The first may be 1-d, a row, and the last, a column.

    Raises:
        ShapeError: There are fewer than two, one between the ends is no matrix, or inner lengths differ.

    Source: T. Cormen et al., *Introduction to algorithms*, matrix-chain multiplication.
    """
    matrices = as_arrays("multi_dot", arrays)
    n = len(matrices)
    if n < 2:
        raise ShapeError(f"multi_dot: {n} arrays, and two at least are needed")
    for i, x in enumerate(matrices):
        if len(x.shape) != 2 and (len(x.shape) != 1 or 0 < i < n - 1):
            raise ShapeError(f"multi_dot: array {i} has shape {tuple(x.shape)}: only the ends may be 1-d, none else")
    for a, b in pairwise(matrices):
        if a.shape[-1] != b.shape[0]:
            raise ShapeError(f"multi_dot: {_shapes(a, b)}: inner lengths {a.shape[-1]} and {b.shape[0]} differ")
    first = 1 if len(matrices[0].shape) == 1 else matrices[0].shape[0]
    last = 1 if len(matrices[-1].shape) == 1 else matrices[-1].shape[1]
    lengths = [first, *(x.shape[0] for x in matrices[1:]), last]
    return _chain(matrices, _best_cuts(lengths), 0, n - 1)


def _chain(matrices: Sequence[Any], cuts: dict[tuple[int, int], int], i: int, j: int) -> Any:
    """Return the product of the matrices from ``i`` up to ``j``, that one included."""
    if i == j:
        return matrices[i]
    return matmul(_chain(matrices, cuts, i, cuts[i, j]), _chain(matrices, cuts, cuts[i, j] + 1, j))


def _best_cuts(lengths: Sequence[int]) -> dict[tuple[int, int], int]:
    """Return for each stretch of a chain of matrices after which of them to cut it."""
    n = len(lengths) - 1
    cost = {(i, i): 0 for i in range(n)}
    cuts: dict[tuple[int, int], int] = {}
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            cost[i, j], cuts[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1], k) for k in range(i, j)
            )
    return cuts


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Return the sum of products over some axes of ``a`` and as many of ``b``; the others follow one another.

    Args:
        a, b: arrays.
        axes: how many of the last of ``a`` and the first of ``b``; or a pair, the axes of each.

    Raises:
        ShapeError: The axes differ in number or in length, or one is named twice.
    """
    a, b = as_array(a), as_array(b)
    ndims = len(a.shape), len(b.shape)
    if isinstance(axes, (int, np.integer)):
        if axes > min(ndims):
            raise ShapeError(f"tensordot: {_shapes(a, b)}: there are not {axes} axes in both")
        pairs: Any = (range(-axes, 0), range(axes))
    else:
        pairs = tuple(axes)
        if len(pairs) != 2:
            raise ShapeError(f"tensordot: axes {axes!r}: a number, or two axes or lists of axes, is needed")
    summed = [
        tuple(normal_axis(i, n, "tensordot") for i in as_tuple(given)) for given, n in zip(pairs, ndims, strict=True)
    ]
    lengths = [tuple(x.shape[i] for i in given) for x, given in zip((a, b), summed, strict=True)]
    if lengths[0] != lengths[1] or any(len(set(given)) < len(given) for given in summed):
        raise ShapeError(
            f"tensordot: {_shapes(a, b)} over axes {summed[0]} and {summed[1]}: "
            "as many different axes of equal lengths are needed"
        )
    free = [[i for i in range(n) if i not in given] for n, given in zip(ndims, summed, strict=True)]
    kept = [tuple(x.shape[i] for i in rest) for x, rest in zip((a, b), free, strict=True)]
    inner_size, sizes = _product(lengths[0]), [_product(shape) for shape in kept]
    left = reshape(transpose(a, axes=(*free[0], *summed[0])), shape=(sizes[0], inner_size))
    right = reshape(transpose(b, axes=(*summed[1], *free[1])), shape=(inner_size, sizes[1]))
    return reshape(matmul(left, right), shape=kept[0] + kept[1])


def _product(lengths: Sequence[int]) -> int:
    n = 1
    for length in lengths:
        n *= length
    return n


def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product: a copy of ``b`` for each element of ``a``, multiplied by it, in the place of it.

    >>> kron([1.0, 10.0], [1.0, 2.0])
    array([ 1.,  2., 10., 20.])
    """
    a, b = as_array(a), as_array(b)
    ndim = max(len(a.shape), len(b.shape))
    shape_a, shape_b = ((1,) * (ndim - len(x.shape)) + tuple(x.shape) for x in (a, b))
    left = reshape(a, shape=tuple(n for length in shape_a for n in (length, 1)))
    right = reshape(b, shape=tuple(n for length in shape_b for n in (1, length)))
    return reshape(multiply(left, right), shape=tuple(m * n for m, n in zip(shape_a, shape_b, strict=True)))


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Return the cross product of vectors of two or three elements; the other axes broadcast.

    Args:
        a, b: arrays; a vector of two elements has the third element 0.
        axisa, axisb, axisc: the axes of the vectors in ``a``, in ``b`` and in the result. Of vectors that both have two
            elements the result is the third component alone, without that axis.
        axis: all three at once.

    Raises:
        ShapeError: A vector has neither two nor three elements.
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    parts = []
    for x, at in ((a, axisa), (b, axisb)):
        x = moveaxis(_at_least("cross", x, 1), at, -1)
        if x.shape[-1] not in (2, 3):
            raise ShapeError(f"cross: a vector of {x.shape[-1]} elements, in shape {tuple(x.shape)}; it has 2 or 3")
        parts.append([getitem(x, index=(..., i)) for i in range(x.shape[-1])])
    (a0, a1, *a2), (b0, b1, *b2) = parts
    third = subtract(multiply(a0, b1), multiply(a1, b0))
    if not a2 and not b2:
        return third
    if a2 and b2:
        first = subtract(multiply(a1, b2[0]), multiply(a2[0], b1))
        second = subtract(multiply(a2[0], b0), multiply(a0, b2[0]))
    elif a2:
        first, second = negative(multiply(a2[0], b1)), multiply(a2[0], b0)
    else:
        first, second = multiply(a1, b2[0]), negative(multiply(a0, b2[0]))
    return stack([first, second, third], axis=axisc)


# -------------------------------------------------------------------------------------------------------------- einsum


@primitive(symbol="einsum", latex=r"\operatorname{{einsum}}({0}, \dots)")
def contraction(xp: Any, *arrays: Any, subscripts: str) -> Any:
    """Return the product of arrays summed over the letters that the result lacks; what ``einsum`` comes down to.

    ``subscripts`` has an arrow, a letter for each axis, and no letter twice in one operand; an axis of length one
    broadcasts.
    """
    if len({x.dtype for x in arrays}) > 1:  # or a sum of booleans alone, taken first, would be their "or"
        common = xp.result_type(*arrays)
        arrays = tuple(xp.astype(x, common) for x in arrays)
    left, _, out = subscripts.partition("->")
    if hasattr(xp, "einsum_path"):
        return xp.einsum(subscripts, *arrays, optimize=len(arrays) > 1)
    terms = left.split(",")
    letters = out + "".join(sorted(set("".join(terms)) - set(out)))
    product = None
    for term, x in zip(terms, arrays, strict=True):
        order = [term.index(c) for c in letters if c in term]
        lengths = tuple(x.shape[term.index(c)] if c in term else 1 for c in letters)
        factor = xp.reshape(xp.permute_dims(x, tuple(order)), lengths)
        product = factor if product is None else product * factor
    return xp.sum(product, axis=tuple(range(len(out), len(letters))))


def _contraction_vjp(argnum: int, g: Any, _y: Any, *arrays: Any, subscripts: str) -> Any:
    left, _, out = subscripts.partition("->")
    terms = left.split(",")
    length: dict[str, int] = {}
    for term, x in zip(terms, arrays, strict=True):
        length.update((c, n) for c, n in zip(term, x.shape, strict=True) if c not in length or n != 1)
    own, shape = terms[argnum], tuple(arrays[argnum].shape)
    terms[argnum] = out
    elsewhere = "".join(terms)
    # A length of one that was broadcast is summed away here, and a letter that only this operand has is broadcast.
    kept = [c for c, n in zip(own, shape, strict=True) if c in elsewhere and (n != 1 or length[c] == 1)]
    factors = [*arrays[:argnum], g, *arrays[argnum + 1 :]]
    pulled = contraction(factors, subscripts=f"{','.join(terms)}->{''.join(kept)}")
    pulled = reshape(pulled, shape=tuple(pulled.shape[kept.index(c)] if c in kept else 1 for c in own))
    return pulled if tuple(pulled.shape) == shape else broadcast_to(pulled, shape=shape)


defvjp_argnum(contraction, _contraction_vjp)


def einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:  # noqa: ARG001  (NumPy's argument)
    """Return a sum of products by Einstein's convention: a letter for each axis, summed where the result lacks it.

    Args:
        subscripts: as "ij,jk->ik"; without an arrow the result has, in alphabetical order, the letters that occur
            once. "..." stands for any axes, which broadcast, and are summed too where the result lacks them, as PyTorch
            and NumPy's optimize=True do. A letter twice in one operand takes its diagonal.
        *operands: one array for each part between commas.
        optimize: accepted as NumPy's; the order of several products is always chosen by cost.

    NumPy's other form, ``einsum(a, [0, 1], b, [1, 2], [0, 2])``, has lists of integers in place of letters.

    >>> einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
    array([21., 43.])

    Raises:
        ShapeError: The subscripts are malformed or do not fit the operands.
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists((subscripts, *operands))
    arrays = [as_array(x) for x in operands]
    terms, out = _parse(subscripts, [tuple(x.shape) for x in arrays])
    for i, term in enumerate(terms):
        letters = "".join(dict.fromkeys(term))
        if letters != term:
            arrays[i] = getitem(arrays[i], index=_diagonal_index(term, letters, arrays[i].shape))
            terms[i] = letters
    return contraction(arrays, subscripts=f"{','.join(terms)}->{out}")


def _diagonal_index(term: str, letters: str, shape: Sequence[int]) -> tuple[Any, ...]:
    """Return the index that takes the axes of ``term`` which have the same letter together."""
    places = [[-1 if c == letter else 1 for letter in letters] for c in term]
    return tuple(np.arange(n).reshape(place) for n, place in zip(shape, places, strict=True))


def _from_lists(args: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Return the subscripts and the operands of NumPy's form with lists of integers."""
    symbols = ascii_uppercase + ascii_letters[:26]  # in the order in which a result without an arrow has them
    if len(args) < 2:
        raise DTypeError("einsum: takes subscripts, as 'ij,jk->ik', and then the operands")
    texts = []
    for labels in [*args[1::2], *(args[-1:] if len(args) % 2 else ())]:
        if isinstance(labels, str) or not hasattr(labels, "__iter__"):
            raise DTypeError(f"einsum: {labels!r} where a list of integers belongs, after each operand")
        text = ""
        for label in labels:
            if label is not Ellipsis and not (isinstance(label, (int, np.integer)) and 0 <= label < len(symbols)):
                raise ShapeError(
                    f"einsum: {labels!r}: a list of integers from 0 to {len(symbols) - 1}, or ..., goes here"
                )
            text += "..." if label is Ellipsis else symbols[label]
        texts.append(text)
    n = len(args) // 2
    return ",".join(texts[:n]) + "".join("->" + text for text in texts[n:]), args[: 2 * n : 2]


def _parse(subscripts: str, shapes: list[tuple[int, ...]]) -> tuple[list[str], str]:
    """Return the letters of each operand and of the result, with letters in place of "..."."""
    where = f"einsum {subscripts!r} of {', '.join(map(str, shapes)) or 'nothing'}"
    left, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise ShapeError(f"{where}: subscripts for {len(terms)} operands, and {len(shapes)} are given")
    for part in (*terms, out):
        if any(c not in ascii_letters for c in part.replace("...", "", 1)):
            raise ShapeError(f"{where}: {part!r} is not made of letters and at most one '...'")
    widths = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)]
    for term, width, shape in zip(terms, widths, shapes, strict=True):
        if width < 0 or (width > 0 and "..." not in term):
            raise ShapeError(f"{where}: {term!r} does not name the {len(shape)} axes of shape {shape}")
    free = [c for c in ascii_letters if c not in subscripts]
    if max(widths) > len(free):
        raise ShapeError(f"{where}: more than {len(ascii_letters)} axes")
    dots = "".join(free[: max(widths)])
    counted = left.replace("...", "")
    if not arrow:
        out = "..." + "".join(sorted(c for c in set(counted) - {","} if counted.count(c) == 1))
    wrong = [c for c in out.replace("...", "") if c not in counted or out.count(c) > 1]
    if wrong:
        raise ShapeError(f"{where}: letter {wrong[0]!r} of the result is in no operand, or stands there twice")
    terms = [term.replace("...", dots[len(dots) - width :]) for term, width in zip(terms, widths, strict=True)]
    _check_lengths(where, terms, shapes)
    return terms, out.replace("...", dots)


def _check_lengths(where: str, terms: list[str], shapes: list[tuple[int, ...]]) -> None:
    """Raise if a letter stands for different lengths; between operands, one broadcasts."""
    length: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        own: dict[str, int] = {}
        for c, n in zip(term, shape, strict=True):
            for known, fits in ((own.get(c, n), False), (length.get(c, n), True)):
                if n != known and not (fits and 1 in (n, known)):
                    raise ShapeError(f"{where}: letter {c!r} stands for lengths {known} and {n}")
            own[c] = n
        length.update((c, n) for c, n in own.items() if n != 1)
