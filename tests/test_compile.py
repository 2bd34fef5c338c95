"""What ``tg.compile`` takes and gives: nests, transforms, kinds of calls, and what it refuses."""

import collections
import copy
import dataclasses
import enum
import functools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.errors import DTypeError, GradientError, TinygradError, TracingError, UnsupportedError
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.nest import Nest

Pair = collections.namedtuple("Pair", "left right")


class Colour(enum.Enum):
    RED = 1


def plain(nest):
    opened = Nest(nest)
    return opened.rebuild([x.numpy() if type(x) in NODES else x for x in opened.leaves])


def recordings(fast):
    """How often it was recorded."""
    return int(repr(fast).split()[-2])


def assert_same(ours, theirs):
    ours, theirs = Nest(ours), Nest(plain(theirs))
    assert ours.paths == theirs.paths
    for x, y in zip(ours.leaves, theirs.leaves, strict=True):
        assert type(x) not in NODES
        if isinstance(y, np.ndarray | float):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)
            assert np.asarray(x).dtype == np.asarray(y).dtype
        else:
            assert isinstance(y, np.generic) or type(x) is type(y)
            assert x == y


# ----------------------------------------------------------------------------------------------- nests


numbers = st.integers(-4, 4).map(float)
arrays = st.lists(numbers, min_size=1, max_size=3).map(np.array)
still = st.sampled_from([None, 3, True, "text", np.int64(2)])
nests = st.recursive(
    arrays | numbers | arrays | still,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.tuples(inner, inner).map(Pair._make)
        | st.dictionaries(st.sampled_from(["W", "b", "class", "np"]), inner, max_size=3)
        | st.dictionaries(st.sampled_from(["W", "b"]), inner, max_size=2).map(collections.OrderedDict)
    ),
    max_leaves=6,
)


def changed(x):
    return x * 2 + 1 if isinstance(x, np.ndarray | float) or type(x) in NODES else x


def shifted(nest):
    """The same nest with other numbers."""
    kind = type(nest)
    if isinstance(nest, dict):
        return kind((key, shifted(x)) for key, x in nest.items())
    if isinstance(nest, list | tuple):
        return getattr(kind, "_make", kind)([shifted(x) for x in nest])
    return nest + 0.5 if isinstance(nest, np.ndarray | float) else nest


def all_changed(*args, **kwargs):
    opened = Nest([args, kwargs])
    return opened.rebuild([changed(x) for x in opened.leaves])


@given(st.lists(nests, max_size=3), st.dictionaries(st.sampled_from(["first", "second"]), nests, max_size=2))
def test_any_nest_of_arguments_comes_back_changed(args, kwargs):
    fast = tg.compile(all_changed)
    for _ in range(2):
        assert_same(fast(*args, **kwargs), all_changed(*args, **kwargs))
    args, kwargs = shifted(args), shifted(kwargs)
    assert_same(fast(*args, **kwargs), all_changed(*args, **kwargs))
    assert recordings(fast) == 1


@given(nests)
def test_arguments_come_back_unchanged_as_copies(nest):
    fast = tg.compile(lambda x: (x, x))
    for _ in range(2):
        result = fast(nest)
        assert_same(result, (nest, nest))
        given = [x for x in Nest(nest).leaves if isinstance(x, np.ndarray)]
        for y in Nest(result).leaves:
            assert not any(isinstance(y, np.ndarray) and np.shares_memory(x, y) for x in given)


def test_any_callable_compiles():
    class Scaled:
        def __init__(self):
            self.scale = 2.0

        def __call__(self, x):
            return x * self.scale

        def method(self, x, by=3.0):
            return x * by

        @tg.compile
        def decorated(self, x):
            return x * self.scale

        @classmethod
        def of_class(cls, x):
            return x + 1.0

        @staticmethod
        @tg.compile(blocks=False)
        def alone(x):
            return x - 1.0

    x, a = np.array([1.0, 2.0]), Scaled()
    multiplied = functools.partial(lambda x, y, *, z: x * y + z, 3.0, z=1.0)
    for f in (Scaled(), a.method, Scaled.of_class, multiplied, np.exp, tg.tanh, lambda x, *, y=2.0: x * y, sum):
        for values in (x, x + 1):
            assert_same(tg.compile(f)(values), f(values))
    assert a.decorated(x).tolist() == Scaled.decorated(a, x).tolist() == [2.0, 4.0]
    a.alone(x)
    assert a.alone(x + 1).tolist() == Scaled.alone(x + 1).tolist() == [1.0, 2.0]
    assert Scaled.decorated.__name__ == "decorated"


def test_constants_texts_and_nothing_are_results():
    def f(x):
        y = np.arange(3)
        return 1, True, "a", None, 2.5, x.shape[0], y, np.array(["text"]), [], (), {}, Colour.RED, len

    fast = tg.compile(f)
    for x in (np.ones(2), np.zeros(2)):
        result = fast(x)
        assert result[:6] == (1, True, "a", None, 2.5, 2)
        assert result[6].tolist() == [0, 1, 2]
        assert result[7].tolist() == ["text"]
        assert result[8:] == ([], (), {}, Colour.RED, len)
        result[6][:] = 9
    assert tg.compile(lambda: None)() is None
    assert tg.compile(lambda: 3.0)() == 3.0


def test_keys_of_any_kind_come_back():
    keys = ("W", 1, (1, 2), Colour.RED, np.int64(3), None, 2.5, b"b")
    fast = tg.compile(lambda x: {key: x * i for i, key in enumerate(keys)})
    for _ in range(2):
        assert list(fast(2.0).items()) == [(key, 2.0 * i) for i, key in enumerate(keys)]


def test_arguments_by_name_keep_their_order():
    fast = tg.compile(lambda **options: list(options.values()))
    assert fast(a=1.0, b=2.0) == [1.0, 2.0]
    assert fast(b=5.0, a=6.0) == [5.0, 6.0]


def test_a_compiled_function_is_copied_and_pickled():
    fast = tg.compile(np.tanh, donate=0)
    fast(np.ones(2))
    for other in (copy.copy(fast), copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        assert_same(other(np.ones(2)), np.tanh(np.ones(2)))


# ------------------------------------------------------------------------------------------ transforms


def loss(x):
    return tg.sum(tg.tanh(x) * x)


X = np.array([0.3, -1.2, 2.0])
TRANSFORMS = {
    "grad": tg.grad,
    "value_and_grad": tg.value_and_grad,
    "jacobian": lambda f: tg.jacobian(lambda x: f(x) * x),
    "hessian": tg.hessian,
    "hvp": lambda f: lambda x: tg.hvp(f, x, x),
    "vjp": lambda f: lambda x: tg.vjp(f, x)[1](2.0),
    "jvp": lambda f: lambda x: tg.jvp(f, (x,), (x * 0 + 1,)),
    "twice": lambda f: tg.grad(lambda x: tg.sum(tg.grad(f)(x) * x)),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("called_before", [None, X, tg.Tensor(X), 0.5])
def test_transforms_go_inside_and_outside(transform, called_before):
    inner = tg.compile(loss)
    if called_before is not None:
        inner(called_before)
    ways = [tg.compile(transform(loss)), transform(inner), tg.compile(transform(inner)), tg.compile(tg.compile(loss))]
    for x in (X, X * 2):
        for way in ways[:3]:
            assert_same(way(x), transform(loss)(x))
        assert_same(ways[3](x), loss(x))


def test_a_gradient_flows_through_a_compiled_function_to_what_it_reads():
    model = tg.nn.MLP([3, 2, 1], rng=0)
    fast = tg.compile(lambda x: tg.sum(model(x) ** 2))
    fast(X)
    through = tg.grad(lambda m: fast(X) * 1.0)(model)  # noqa: ARG005
    for name, g in tg.grad(lambda m: tg.sum(m(X) ** 2))(model).items():
        np.testing.assert_allclose(through[name], g)
        assert np.any(g)


def test_other_transforms_pass_by_a_call_without_variables():
    fast = tg.compile(lambda x: x * 2)
    fast(X)
    assert tg.grad(lambda x: tg.sum(x * fast(X)))(X).tolist() == (2 * X).tolist()
    with tg.no_grad():
        assert_same(fast(X), 2 * X)


# ---------------------------------------------------------------------------------------- kinds of calls


def test_it_is_recorded_anew_for_another_kind_of_call_only():
    fast = tg.compile(lambda x, n: x * n)
    x = np.ones(2)
    calls = [(x, 2), (x, 3), (x, True), (x, 2.0), (np.ones(3), 2.0), (x.astype(np.float32), 2.0), (1.5, 2.0), ([], 2)]
    for count, (a, n) in enumerate(calls, 1):
        for _ in range(2):
            assert_same(fast(a, n), a * n)
            assert recordings(fast) == count
    for a, n in ((x, 5.0), (x * 3, np.pi), (np.float64(2.0) * x, 1e300), (7.5, -0.0), (np.zeros(2), float("nan"))):
        assert_same(fast(a, n), a * n)
    assert recordings(fast) == len(calls)


def test_structure_and_texts_tell_calls_apart():
    def f(x, how="sum"):
        return {"sum": tg.sum, "max": tg.max}[how](x["a"])

    fast = tg.compile(f)
    for x in ({"a": X}, {"a": X, "b": X}, {"b": X, "a": X}, collections.OrderedDict(a=X), {"a": tg.Tensor(X)}):
        for how in ("sum", "max"):
            assert_same(fast(x, how), f(x, how))
    assert recordings(fast) == 10
    assert_same(fast({"a": X * 2}), f({"a": X * 2}))


def test_what_an_ordered_dict_holds_is_read_in_every_call():
    fast = tg.compile(lambda d: d["w"] * 2)
    d = collections.defaultdict(list, w=np.ones(2))
    fast(d)
    d["w"] = np.zeros(2)
    assert fast(d).tolist() == [0.0, 0.0]


KINDS = {
    "strided": np.arange(12.0)[::3],
    "reversed": np.arange(4.0)[::-1],
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "repeated": np.broadcast_to(np.float64(3.0), (2, 2)),
    "empty": np.ones((0, 3)),
    "0-d": np.array(2.5),
    "float32": np.float32(1.5),
    "float64": np.float64(1.5),
    "half": np.ones(3, np.float16),
    "swapped": np.arange(3.0).astype(">f8"),
    "integers": np.arange(4),
    "small": np.arange(4, dtype=np.uint8),
    "booleans": np.array([True, False]),
    "matrix": np.arange(4.0).view(np.matrix),
    "snapshot": tg.Tensor([1.0, 2.0]).data,
}


@pytest.mark.parametrize("x", KINDS.values(), ids=KINDS)
def test_arrays_of_every_kind_are_taken(x):
    def f(x):
        y = tg.exp(-x if np.asarray(x).dtype != bool else ~x)
        return y, tg.sum(y), x

    if isinstance(x, np.ndarray):
        x.flags.writeable = False
    x_again = np.asarray(x, np.asarray(x).dtype.newbyteorder("="))
    fast = tg.compile(lambda x: (tg.exp(x), tg.sum(x * 2.0), x == x))
    for _ in range(3):
        for ours, theirs in zip(fast(x), (np.exp(x_again), np.sum(x_again * 2.0), x_again == x_again), strict=True):
            np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-3 if x_again.dtype == np.float16 else 1e-7)
            assert ours.dtype == np.asarray(theirs).dtype or x_again.dtype.itemsize < 4
    assert recordings(fast) == 1


def test_one_array_may_be_given_twice():
    fast = tg.compile(lambda a, b: (a + b, a - b))
    x = np.array([1.0, 2.0])
    assert_same(fast(x, x), (2 * x, 0 * x))
    assert_same(fast(x, x + 1), (2 * x + 1, 0 * x - 1))
    assert_same(fast(x[:1], x[1:]), (np.array([3.0]), np.array([-1.0])))


# ---------------------------------------------------------------------------------------------- leaves


def test_captured_leaves_are_read_in_every_call_and_raw_arrays_are_frozen():
    w, c = tg.Tensor([1.0, 2.0], name="w"), np.arange(40.0).reshape(20, 2)
    fast = tg.compile(lambda x: x * w + c)
    first = fast(X[:2])
    w.assign([3.0, 4.0])
    c[:] = 0
    np.testing.assert_allclose(fast(X[:2]), first + X[:2] * 2)
    assert "(20, 2) float64" in str(fast.plan).partition("frozen")[2].partition("\n")[0]
    assert str(fast.plan).partition("read live")[2].partition("\n")[0].strip() == "w"


def test_leaves_are_arguments_too():
    def f(a, b):
        return tg.sum(a * b)

    fast = tg.compile(f)
    for a in (2.0, tg.Value(3.0), np.float64(2.0), tg.Tensor([1.0, 2.0]), tg.Tensor([1, 2]), tg.nn.Parameter([2.0])):
        for b in (4.0, tg.Value(3.0), tg.Tensor([1.0]), a):
            for _ in range(2):
                assert float(fast(a, b)) == float(f(a, b))


@pytest.mark.parametrize("kind", [tg.Value, tg.Tensor])
def test_new_leaves_are_not_recorded_for_ever(kind):
    def f(a):
        a.grad = None
        (a * a * a).backward()
        return a.grad * 1.0

    fast = tg.compile(f)
    for n in range(8):
        assert float(fast(kind(float(n)))) == 3.0 * n * n
    assert recordings(fast) <= 3


@given(st.lists(st.integers(0, 3), min_size=2, max_size=8))
def test_a_leaf_may_be_given_and_captured_at_once(order):
    leaves = [tg.Tensor([i + 2.0]) for i in range(4)]

    def f(a):
        leaves[0].grad = a.grad = None
        (a * leaves[0]).sum().backward()
        return a * leaves[0], leaves[0].grad * 1.0

    fast = tg.compile(f)
    for i in order:
        assert_same(fast(leaves[i]), f(leaves[i]))


def test_a_leaf_may_be_given_and_belong_to_an_optimizer():
    leaves, others = ([tg.Tensor([i + 2.0]) for i in range(5)] for _ in "ab")

    def step(a, optimizer):
        optimizer.zero_grad()
        a.grad = None
        (a * a).sum().backward()
        optimizer.step()

    ours, theirs = (tg.optim.SGD([x[0]], lr=0.25) for x in (leaves, others))
    fast = tg.compile(step)
    for i in (1, 2, 3, 4, 0, 1, 0):
        fast(leaves[i], ours)
        step(others[i], theirs)
        assert [x.tolist() for x in leaves] == [x.tolist() for x in others]


def test_many_numbers_and_leaves_are_not_confused():
    captured = [tg.Tensor([i + 1.0]) for i in range(6)]
    last = tg.Tensor([9.0])

    def f(*xs):
        return [sum(xs[:-1], xs[-1] * 0) * t for t in captured]

    for n in range(16):
        assert_same(tg.compile(f)(*[1.0] * n, last), f(*[1.0] * n, last))


def test_whether_a_gradient_is_wanted_tells_calls_apart():
    w = tg.Tensor([1.0, 2.0])
    fast = tg.compile(lambda x: tg.sum(w * x))
    fast(X[:2])
    w.requires_grad = False
    fast(X[:2])
    assert recordings(fast) == 2


def test_a_tensor_made_of_an_argument_follows_it():
    def f(x, y):
        a, b = tg.Tensor(x), tg.Value(y)
        (tg.sum(a * a) * b).backward()
        return a.grad, b.grad

    fast = tg.compile(f)
    for x, y in ((X, 2.0), (X * 3, 5.0)):
        a, b = fast(x, y)
        np.testing.assert_allclose(a, 2 * x * y)
        np.testing.assert_allclose(b, np.sum(x * x))


def test_modules_are_arguments_and_their_mode_tells_calls_apart():
    model = tg.nn.Sequential(tg.nn.Linear(3, 4, rng=0), tg.nn.Dropout(0.5, rng=1))
    fast = tg.compile(lambda m, x: m(x))
    for _ in range(2):
        model.train()
        assert np.any(fast(model, X[None]) == 0)
        model.eval()
        assert np.all(fast(model, X[None]) != 0)
    assert recordings(fast) == 2


# -------------------------------------------------------------------------------------------- refusals

BRANCHES = {
    "if": lambda x: x if tg.sum(x) > 0 else -x,
    "while": lambda x: next(iter([]), 0) if x[0] > 1 else [x for _ in [0] if not x[0] > 2],
    "float": lambda x: float(x[0]),
    "int": lambda x: int(x[0]),
    "item": lambda x: x.item(),
    "data": lambda x: x.data,
    "asarray": lambda x: np.asarray(x) + 1,
    "format": lambda x: f"{x[0]:.3f}",
    "max": lambda x: max(x, default=0),
    "in": lambda x: 1.0 in x,
    "index": lambda x: [1, 2][x[0]],
    "mask": lambda x: x[x > 0],
}


@pytest.mark.parametrize("f", BRANCHES.values(), ids=BRANCHES)
def test_reading_a_value_names_the_users_line(f):
    with pytest.raises(TracingError, match=rf"test_compile\.py:{f.__code__.co_firstlineno}"):
        tg.compile(f)(np.array([1.0, 2.0]))


def test_arrays_of_other_libraries_are_refused_with_the_remedy():
    xp = pytest.importorskip("array_api_strict")
    x = xp.asarray([1.0, 2.0])
    with pytest.raises(DTypeError, match=r"x is an array of array_api_strict.*jax\.jit"):
        tg.compile(lambda x: x * 2)(x)
    with pytest.raises(DTypeError, match=r"jax\.jit"):
        tg.compile(lambda x: x * 2)(tg.Tensor(x))
    w = tg.Tensor(x)
    with pytest.raises(DTypeError, match=r"jax\.jit"):
        tg.compile(lambda y: (w * 2, y))(X)


@pytest.mark.parametrize("x", [np.ones(2, complex), 1j, np.array([1, None]), np.ma.masked_array([1.0, 2.0], [1, 0])])
def test_what_is_no_real_array_is_refused(x):
    with pytest.raises(DTypeError):
        tg.compile(tg.exp)(x)


def test_a_computed_tensor_is_refused():
    with pytest.raises(GradientError, match="detach"):
        tg.compile(tg.exp)(tg.Tensor(X) * 2)
    assert_same(tg.compile(tg.exp)((tg.Tensor(X) * 2).detach()), np.exp(2 * X))


class Box:
    __slots__ = ("content",)

    def __init__(self, content):
        self.content = content


HIDING = {
    "object": lambda x: Box([x * 2]),
    "set": lambda x: {x},
    "closure": lambda x: lambda: x * 2,
    "partial": lambda x: functools.partial(tg.add, x),
    "pullback": lambda x: tg.vjp(tg.sin, x),
    "deque": lambda x: collections.deque([x + 1]),
    "generator": lambda x: (y for y in [x]),
}


@pytest.mark.parametrize("f", HIDING.values(), ids=HIDING)
def test_results_that_would_stay_those_of_the_first_call_are_refused(f):
    with pytest.raises(TracingError, match="return"):
        tg.compile(f)(X)


def test_an_object_that_holds_a_leaf_may_be_returned():
    box = Box(tg.Tensor(X))
    assert tg.compile(lambda x: (x * 2, box))(X)[1] is box


@pytest.mark.parametrize(
    "change", [lambda d: d.update(w=d["v"] * 2), lambda d: d["list"].append(1.0), lambda d: d.pop("v")]
)
def test_changing_a_list_or_a_dict_that_is_given_is_refused(change):
    def f(d):
        change(d)
        return d["list"][0] * 1.0

    given = {"v": X, "list": [2.0]}
    with pytest.raises(TracingError, match="changes d"):
        tg.compile(f)(given)
    assert list(given) == ["v", "list"]
    assert given["list"] == [2.0]


def test_errors_say_what_is_wrong():
    with pytest.raises(UnsupportedError, match="no function"):
        tg.compile(3.0)
    with pytest.raises(UnsupportedError, match="numpy, c"):
        tg.compile(tg.exp, backend="jit")
    with pytest.raises(TinygradError, match="not called yet"):
        tg.compile(tg.exp).source  # noqa: B018
    with pytest.raises(TypeError):
        tg.compile(lambda x: x)(1.0, 2.0)


def test_errors_of_linear_algebra_are_the_same_as_without():
    fast = tg.compile(tg.linalg.cholesky)
    fast(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError) as eager:
        tg.linalg.cholesky(-np.eye(2))
    for _ in range(2):
        with pytest.raises(type(eager.value), match="cholesky"):
            fast(-np.eye(2))
    assert_same(fast(4 * np.eye(2)), 2 * np.eye(2))


# ------------------------------------------------------------------------------------------------------------- indices

GRID = np.arange(24.0).reshape(4, 6)
READINGS = {
    "rows": (lambda x, i: x[i], 4),
    "columns": (lambda x, i: x[:, i], 6),
    "the last axis": (lambda x, i: x[..., i], 6),
    "beside a new axis and a slice": (lambda x, i: x[None, 1:, i], 6),
    "one row": (lambda x, i: x[2, i], 6),
    "rows and columns": (lambda x, i: x[i, i], 4),
    "take": (tg.take, 24),
    "take along an axis": (lambda x, i: tg.take(x, i, axis=1), 6),
    "take, wrapped": (lambda x, i: tg.take(x, i * 7, axis=0, mode="wrap"), 4),
    "take, clipped": (lambda x, i: tg.take(x, i * 7, axis=0, mode="clip"), 4),
    "the largest": (lambda x, i: x[tg.argmax(x[:, 0])] + tg.sum(i), 4),
}


@pytest.mark.parametrize(("reading", "n"), READINGS.values(), ids=READINGS)
@given(data=st.data())
def test_indices_may_be_arguments(reading, n, data):
    indices = st.lists(st.integers(-n, n - 1), min_size=1, max_size=5).map(np.array)
    fast = tg.compile(reading)
    slope = tg.compile(tg.grad(lambda x, i: tg.sum(tg.square(reading(x, i)))))
    for _ in range(2):
        i, x = data.draw(indices), GRID * data.draw(st.sampled_from([1.0, -0.5]))
        theirs = reading(tg.Tensor(x), i)
        np.testing.assert_allclose(fast(x, i), theirs.numpy())
        assert np.shape(fast(x, i)) == theirs.shape
        np.testing.assert_allclose(slope(x, i), tg.grad(lambda x, i: tg.sum(tg.square(reading(x, i))))(x, i))


@pytest.mark.parametrize("wrong", [4, -5])
def test_an_index_outside_is_an_error_in_later_calls_too(wrong):
    fast = tg.compile(lambda x, i: x[i])
    fast(GRID, np.array([0, 1]))
    with pytest.raises(IndexError, match="outside of an axis of length 4"):
        fast(GRID, np.array([0, wrong]))


# ------------------------------------------------------------------------------------ switches, and what is compiled

WRONG = [
    ("donate", 1.5), ("donate", [1.5]), ("donate", [None]), ("donate", [True]), ("donate", object()), ("rules", 3),
    ("rules", None), ("rules", [3]), ("products", 1), ("layout", "yes"), ("biases", None), ("blocks", 0), ("twice", []),
]  # fmt: skip


@pytest.mark.parametrize(("switch", "value"), WRONG)
@pytest.mark.parametrize("f", [abs, None])
def test_a_switch_that_means_nothing_is_an_error_at_once(f, switch, value):
    with pytest.raises(UnsupportedError, match=f"compile: {switch}="):
        tg.compile(f, **{switch: value})


@pytest.mark.parametrize("donate", ["w", 3, -4, ["W", "x"], "n", 1, (0, 2), iter(["w"])])
def test_donating_what_is_no_argument_with_an_array_lists_the_arguments(donate):
    fast = tg.compile(lambda W, n, lr: W * lr * n, donate=donate)
    for _ in range(2):
        with pytest.raises(
            UnsupportedError, match=r"donate=.* is no argument with an array; the arguments are W, n, lr"
        ):
            fast(np.ones(3), 2, 0.5)


def test_donating_numbers_is_an_error_too():
    with pytest.raises(UnsupportedError, match="the arguments are x"):
        tg.compile(lambda x: x * 2, donate="x")(1.0)


@pytest.mark.parametrize("donate", ["W", 0, -3, ["W", "V"], iter([0]), {"W"}, True])
def test_donating_arguments_with_arrays_is_no_error(donate):
    fast = tg.compile(lambda W, V, lr: W * lr + V, donate=donate)
    for _ in range(2):
        assert fast(np.ones(3), [np.ones(3)][0], lr=0.5).tolist() == [1.5] * 3


def test_a_compiled_module_has_what_the_module_has():
    model = tg.nn.Linear(3, 2, rng=np.random.default_rng(0))
    fast = tg.compile(model)
    x = np.ones((4, 3))
    np.testing.assert_allclose(fast(x), model(x).data)
    assert [id(p) for p in fast.parameters()] == [id(p) for p in model.parameters()]
    assert list(fast.state_dict()) == list(model.state_dict())
    fast.eval()
    assert not model.training
    fast.train()
    assert model.training
    assert fast.training
    model.extra = 3
    assert fast.extra == 3
    np.testing.assert_allclose(fast(x), model(x).data)
    with pytest.raises(AttributeError, match="nothing"):
        _ = fast.nothing
    with pytest.raises(AttributeError, match="__wrong__"):
        _ = fast.__wrong__


def test_an_integer_that_is_another_in_every_call_is_told_once():
    fast = tg.compile(lambda x, given: x * given["n"])
    for n in range(7):
        fast(X, {"n": n})
    with pytest.warns(RuntimeWarning, match=r"each of 8 integers: given\['n'\]. .* pass it as a float") as caught:
        fast(X, {"n": 7})
    assert caught[0].filename == __file__
    for n in range(20):
        assert_same(fast(X, {"n": n}), X * n)


def test_integers_of_few_values_and_floats_are_not_warned_of():
    fast = tg.compile(lambda x, n, flag, lr: x * n * lr if flag else x)
    for n in range(40):
        fast(X, n % 7, n % 2 == 0, float(n))
        fast(np.ones(n), 1, True, 1.0)


@pytest.mark.parametrize("rows", [np.arange(3), [0, 1, 2]])
def test_known_indices_may_stand_beside_arguments(rows):
    fast = tg.compile(lambda x, i: x[rows, i])
    for i in (np.array([2, 0, 5]), np.array([-1, 3, 3])):
        np.testing.assert_array_equal(fast(GRID, i), GRID[rows, i])


# ---------------------------------------------------------------------------------------------------------- attributes


@dataclasses.dataclass
class Parts:
    w: np.ndarray
    k: float


def test_what_python_reads_from_an_object_is_read_again_when_it_is_another():
    fast = tg.compile(lambda parts, x: tg.sum(parts.w * x) * parts.k)
    parts = Parts(np.ones(3), 1.0)
    for _ in range(2):
        assert fast(parts, np.ones(3)) == 3.0
    parts.w = parts.w * 10
    assert fast(parts, np.ones(3)) == 30.0
    parts.k = 2.0
    assert fast(parts, np.ones(3)) == 60.0


def test_a_compiled_method_sees_the_attributes_of_its_object():
    class Scale:
        def __init__(self):
            self.k = 2.0

        @tg.compile
        def __call__(self, x):
            return self.k * x

    scale = Scale()
    assert scale(np.ones(2)).tolist() == [2.0, 2.0]
    scale.k = 5.0
    assert scale(np.ones(2)).tolist() == [5.0, 5.0]


@tg.compile
def decorated(x):
    return x * 2


def test_a_function_that_a_module_decorates_can_be_pickled():
    again = pickle.loads(pickle.dumps(decorated))
    assert again is decorated
    assert again(1.5) == 3.0


@pytest.mark.parametrize("x", [1j, np.complex64(1), np.ones(2) * 1j, [1.0, 2j]])
def test_complex_numbers_are_refused(x):
    with pytest.raises(DTypeError, match="complex numbers are not supported"):
        tg.compile(lambda x: x)(x)
