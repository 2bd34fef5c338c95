"""The public strategies draw special points often, shapes that fit, and random graphs that print as Python code."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp.check import strategies
from tinygrad_mlp.check.gradients import gradcheck
from tinygrad_mlp.check.programs import Program, Step, literal
from tinygrad_mlp.check.strategies import arrays, broadcastable, graphs, matching_shapes, read_pattern, shapes
from tinygrad_mlp.errors import DTypeError, MissingDependencyError, ShapeError, UnsupportedError
from tinygrad_mlp.table import OPS

GIVEN = {"database": None, "deadline": None, "derandomize": True}


def smallest(strategy, condition=lambda _: True):
    """What Hypothesis shrinks to, the same in every run."""
    return find(strategy, condition, settings=settings(max_examples=500, **GIVEN))


def drawn(strategy, n=200):
    """Examples of a strategy, the same in every run."""
    found = []

    @settings(max_examples=n, phases=[Phase.generate], **GIVEN)
    @given(strategy)
    def draw(example):
        found.append(example)

    draw()
    return found


SPECIAL = {
    "zeros": lambda x: (x == 0).any(),
    "negative zeros": lambda x: ((x == 0) & np.signbit(x)).any(),
    "ties": lambda x: np.unique(x).size < x.size,
    "ones": lambda x: (x == 1).any(),
    "tiny numbers": lambda x: ((np.abs(x) < 1e-9) & (x != 0)).any(),
    "huge numbers": lambda x: (np.abs(x) > 1e9).any(),
}


@pytest.fixture(scope="module")
def examples():
    return drawn(arrays((2, 3)))


@pytest.mark.parametrize("kind", SPECIAL)
def test_special_points_are_frequent(kind, examples):
    assert np.mean([SPECIAL[kind](x) for x in examples]) > 0.02


def test_so_are_arrays_without_any(examples):
    assert np.mean([np.unique(x).size == x.size and (x != 0).all() for x in examples]) > 0.1


@given(x=arrays(special=False))
def test_ordinary_numbers_all_differ_and_are_not_zero(x):
    assert x.dtype == np.float64
    assert np.unique(x).size == x.size
    assert (np.abs(x) <= 2).all()
    assert (x != 0).all()


@given(pair=broadcastable(2, special=False))
def test_they_differ_between_arrays_too(pair):
    a, b = pair
    assert not np.isin(a, b).any()


@given(data=st.data(), low=st.sampled_from([None, -0.9, 0.0, 0.1, 7.0]), special=st.booleans())
def test_numbers_lie_between_the_bounds(data, low, special):
    high = data.draw(st.sampled_from([None, 7.5, 1e13]))
    x = data.draw(arrays((3,), low=low, high=high, special=special))
    assert low is None or (x >= low).all()
    assert high is None or (x <= high).all()


def test_one_number_that_both_bounds_allow_fills_the_array():
    assert smallest(arrays(4, low=2.5, high=2.5, special=False)).tolist() == [2.5] * 4


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "int8", "uint8", "bool"])
@given(data=st.data())
def test_arrays_have_the_dtype_and_the_shape_asked_for(dtype, data):
    shape = data.draw(shapes(min_side=0))
    x = data.draw(arrays(st.just(shape), dtype=dtype))
    assert (x.dtype, x.shape) == (np.dtype(dtype), shape)
    assert np.isfinite(x).all()


@pytest.mark.parametrize("kind", [{"dtype": complex}, {"dtype": str}, {"low": 2.0, "high": 1.0}, {"low": np.nan}])
def test_what_cannot_be_drawn_is_refused(kind):
    with pytest.raises(DTypeError, match="arrays: no numbers"):
        smallest(arrays(2, **kind))


def test_arrays_shrink_to_few_elements_and_simple_numbers():
    assert smallest(arrays(), lambda x: x.shape == (2,) and x[0] == x[1]).tolist() == [0.0, 0.0]
    assert smallest(arrays(special=False), lambda x: (x < 0).any()).tolist() == -1.0
    assert smallest(arrays(shapes(min_side=0)), lambda x: x.size == 0).shape == (0,)


@given(found=matching_shapes("(n, d), (d, 3), (), (n)"))
def test_a_letter_of_a_pattern_is_the_same_length_wherever_it_stands(found):
    (n, d), (inner, three), nothing, rows = found
    assert (inner, three, nothing, rows) == (d, 3, (), (n,))
    assert 1 <= n <= 4


PATTERNS = ["(n,d),(d,3),()", [("n", "d"), ["d", 3], ()], (("n", "d"), ("d", np.int64(3)), [])]


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_a_pattern_can_be_written_as_a_text_or_as_tuples(pattern):
    assert read_pattern(pattern) == (("n", "d"), ("d", 3), ())


def test_a_single_length_in_a_pattern_is_a_shape():
    assert read_pattern([3, (2,)]) == ((3,), (2,))


UNREADABLE = ["", "n,d", "(n,d)(d,k)", "(n,d),", "(n;d)", "(n,-1)", ("n", "d"), [("n", -1)], [(1.5,)], [("n d",)], 3]


@pytest.mark.parametrize("pattern", UNREADABLE, ids=str)
def test_a_pattern_that_cannot_be_read_is_refused(pattern):
    with pytest.raises(ShapeError, match="shapes: "):
        read_pattern(pattern)


@given(n=st.integers(1, 4), data=st.data())
def test_broadcastable_arrays_broadcast(n, data):
    found = data.draw(broadcastable(n))
    assert len(np.broadcast_arrays(*found)) == n


def test_ties_between_broadcastable_arrays_are_frequent():
    assert np.mean([np.isin(a, b).any() for a, b in drawn(broadcastable(2))]) > 0.2


# --------------------------------------------------------------------------------------------------------------- graphs


def defined(program):
    """The function that a printed program defines."""
    names = {"tg": tg, "np": np}
    exec(repr(program), names)
    return names["f"]


@given(program=graphs())
def test_a_printed_program_is_the_program(program):
    np.testing.assert_array_equal(defined(program)(*program.inputs), program(*program.inputs))


@given(program=graphs())
def test_a_program_gives_on_nodes_what_it_gives_on_arrays(program):
    y = program(*map(tg.Tensor, program.inputs))
    assert y.requires_grad
    np.testing.assert_array_equal(y.data, program(*program.inputs))
    assert np.isfinite(y.data).all()


@given(program=graphs(min_steps=3, max_steps=7))
def test_every_step_and_every_input_of_a_program_is_used(program):
    n = len(program.inputs)
    assert 3 <= len(program.steps) <= 7
    assert all(n + i in step.operands for i, step in enumerate(program.steps[1:]))
    assert set(range(n)) <= {i for step in program.steps for i in step.operands}


@given(program=graphs(smooth=True, special=False, max_steps=6))
def test_the_gradients_of_random_graphs_are_not_wrong(program):
    assert gradcheck(program, *program.inputs, raise_exception=False).verdict != "wrong"


def test_every_op_that_graphs_are_made_of_is_drawn():
    used = {step.op for program in drawn(graphs(min_steps=12), 100) for step in program.steps}
    rare = {*strategies.SMOOTH, *strategies.KINKED} - used
    assert len(rare) < 20
    for name in rare:
        program = smallest(
            graphs(ops=[name, "tanh"], max_steps=3), lambda p, name=name: name in {s.op for s in p.steps}
        )
        assert name in str(program)


@pytest.mark.parametrize("name", strategies.SMOOTH + strategies.KINKED)
def test_the_ops_that_graphs_are_made_of_are_exported_as_a_printed_program_says(name):
    assert getattr(tg, name) is OPS[name]


@given(program=graphs(max_dims=0, smooth=True, ops=None))
def test_inputs_without_axes_are_numbers(program):
    assert {x.shape for x in program.inputs} == {()}
    assert not {step.op for step in program.steps} & set(strategies.KINKED)


def test_graphs_shrink_to_the_step_that_matters():
    program = smallest(graphs(max_steps=4), lambda p: any(step.op == "sum" for step in p.steps))
    assert str(program) == "def f(a):\n    return tg.sum(a, axis=None, keepdims=False)"


def test_an_op_of_ones_own_is_drawn_by_its_name():
    def doubled(xp, x):
        """Return twice x."""
        return x + x

    try:
        tg.defvjp(tg.primitive(symbol="2×", elementwise=True)(doubled), lambda g, _y, _x: 2 * g)
        program = smallest(graphs(ops=["doubled"], max_steps=2))
        assert program(3.0) == 6.0
    finally:
        OPS.pop("doubled", None)


def test_an_op_that_is_not_in_the_table_is_refused():
    with pytest.raises(UnsupportedError, match="no op named 'expp'"):
        graphs(ops=["expp"])


def test_long_programs_have_names_for_all_their_values():
    program = Program((np.array(1.0),), tuple(Step("negative", (i,), {}) for i in range(80)))
    assert defined(program)(2.0) == 2.0


# -------------------------------------------------------------------------------------------------------- code, absence

VALUES = st.recursive(
    st.floats() | st.integers() | st.booleans() | st.none() | arrays(shapes(min_side=0)) | arrays(2, dtype="float32"),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)


@given(value=VALUES)
def test_the_code_of_a_value_gives_that_value(value):
    again = eval(literal(value), {"np": np})
    assert repr(again) == repr(value)
    assert getattr(again, "dtype", None) == getattr(value, "dtype", None)


@pytest.mark.parametrize("value", [np.float32(1.5), np.int8(3), np.array([np.nan, np.inf], "float32"), slice(1, None)])
def test_the_code_of_other_values_does_too(value):
    assert repr(eval(literal(value), {"np": np})) == repr(value)


@pytest.mark.parametrize("node", [tg.Tensor([1.0, 2.0]), tg.Value(3.0), tg.Tensor([1.0], requires_grad=False)])
def test_the_code_of_a_node_makes_such_a_leaf(node):
    again = eval(literal(node), {"np": np, "tg": tg})
    assert type(again) is type(node)
    assert again.requires_grad == node.requires_grad
    np.testing.assert_array_equal(again.data, node.data)


USES = [arrays, shapes, lambda: broadcastable(2), lambda: matching_shapes("(n)"), graphs]


@pytest.mark.parametrize("use", USES)
def test_without_hypothesis_a_use_names_the_extra(use, monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(MissingDependencyError, match=r"tinygrad-mlp\[check\]"):
        use()


def test_the_modules_are_imported_without_hypothesis():
    code = "import sys; sys.modules['hypothesis'] = None; from tinygrad_mlp.check import counterexamples, strategies"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0
