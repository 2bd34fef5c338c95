"""The paths of a graph: their number, their sum and the largest, against enumeration and against the engine."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import FUNCTIONS, programs, variables
from strategies import FEW

import tinygrad_mlp as tg
from tinygrad_mlp.errors import GradientError, StaleError, UnsupportedError
from tinygrad_mlp.paths import (
    BEAM,
    EXACT,
    Flow,
    Path,
    Paths,
    count_paths,
    largest_paths,
    local_derivatives,
    nodes_between,
    sum_of_paths,
)

# ------------------------------------------------------------------------------------------------------------- oracles


def run(program, scalar):
    """The nodes of a program: the starts, then one node a step."""
    starts = [tg.Value(float(x)) if scalar else tg.Tensor(x) for x in program.starts]
    return program.results(starts)


def slopes(step, operands):
    """The local derivatives of one step between numbers, by hand-written rules that share nothing with the library."""
    duals = [variables(x, i) for i, x in enumerate(operands)]
    made = FUNCTIONS[step.name].naive(*duals, **step.params)
    y = np.asarray(made, object).item()
    return [y.slopes.get((i, 0), 0.0) for i in range(len(operands))]


def products(program, to):
    """The product of the local derivatives along every path from the last result to start number ``to``."""
    values = program.results(program.starts)
    first = len(program.starts)
    factors = [slopes(step, [values[i] for i in step.operands]) for step in program.steps]
    found, stack = [], [(len(values) - 1, 1.0)]
    while stack:
        at, product = stack.pop()
        if at == to:
            found.append(product)
        elif at >= first:
            step = program.steps[at - first]
            stack += [(i, product * d) for i, d in zip(step.operands, factors[at - first], strict=True)]
    return found


def arrays(root, to, g):
    """What every path from ``root`` to ``to`` contributes, found by walking all of them."""
    if root is to:
        return [g]
    flow = Flow(root, g)
    return [p for _, x, c in flow.contributions(root) for p in arrays(x, to, c)]


def seed_of(root):
    return np.linspace(0.5, 1.5, root.size).reshape(root.shape)


few_paths = programs(scalar=True, max_steps=8)


def ladder(rungs):
    """A graph with ``2**rungs`` paths, half a number each."""
    x = y = tg.Value(1.5)
    for _ in range(rungs):
        y = y * 0.5 + y * 0.25
    return y, x


def chain(length):
    x = y = tg.Value(0.5)
    for _ in range(length):
        y = y + 1.0
    return y, x


# ---------------------------------------------------------------------------------------------------- number and sum


@given(program=few_paths)
def test_the_paths_of_a_scalar_graph_are_those_that_enumeration_finds(program):
    nodes = run(program, scalar=True)
    for i in range(len(program.starts)):
        expected = products(program, i)
        assert count_paths(nodes[-1], nodes[i]) == len(expected)
        assert sum_of_paths(nodes[-1], nodes[i]) == pytest.approx(math.fsum(expected), rel=1e-9, abs=1e-9)


@given(program=few_paths, k=st.integers(1, 6))
def test_the_largest_paths_are_those_that_enumeration_finds(program, k):
    nodes = run(program, scalar=True)
    for i in range(len(program.starts)):
        expected = sorted(map(abs, products(program, i)), reverse=True)[:k]
        found = largest_paths(nodes[-1], nodes[i], k)
        assert [path.norm for path in found] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(program=few_paths)
def test_all_paths_together_are_those_that_enumeration_finds_with_their_signs(program):
    nodes = run(program, scalar=True)
    for i in range(len(program.starts)):
        expected = products(program, i)
        found = [path.product for path in largest_paths(nodes[-1], nodes[i], max(1, len(expected)))]
        assert sorted(found) == pytest.approx(sorted(expected), rel=1e-9, abs=1e-9)


@given(program=programs(scalar=True))
def test_the_sum_of_all_paths_is_the_gradient_of_the_engine(program):
    nodes = run(program, scalar=True)
    starts, root = nodes[: len(program.starts)], nodes[-1]
    found = [sum_of_paths(root, x) for x in starts]
    flow = Flow(root)
    assert [x.grad for x in starts] == [None] * len(starts)  # nothing was written
    root.backward()
    for x, total in zip(starts, found, strict=True):
        assert total == pytest.approx(x.grad or 0.0, rel=1e-12, abs=1e-12)
        assert (flow.cotangent(x) or 0.0) == pytest.approx(x.grad or 0.0, rel=1e-12, abs=1e-12)


@given(program=programs(min_side=1, max_steps=7))
def test_paths_through_arrays_are_those_that_enumeration_finds(program):
    nodes = run(program, scalar=False)
    root, seed = nodes[-1], seed_of(nodes[-1])
    for x in nodes[: len(program.starts)]:
        if root.requires_grad and count_paths(root, x) <= 100:
            expected = arrays(root, x, seed)
            found = largest_paths(root, x, max(1, len(expected)), seed)
            assert len(found) == len(expected) == count_paths(root, x)
            norms = sorted((float(np.linalg.norm(p)) for p in expected), reverse=True)
            assert [path.norm for path in found] == pytest.approx(norms, rel=1e-9, abs=1e-12)
            assert all(np.shape(path.product) == x.shape for path in found)


@given(program=programs())
def test_the_arrays_along_all_paths_sum_to_the_gradient_of_the_engine(program):
    nodes = run(program, scalar=False)
    starts, root, seed = nodes[: len(program.starts)], nodes[-1], seed_of(nodes[-1])
    found = [Paths(root, x, 5, seed) for x in starts]
    root.backward(seed)
    for x, paths in zip(starts, found, strict=True):
        gradient = np.zeros(x.shape) if x.grad is None else x.grad
        np.testing.assert_allclose(paths.total, gradient, rtol=1e-9, atol=1e-9)
        shown = sum((path.product for path in paths.largest), np.zeros(x.shape))
        np.testing.assert_allclose(shown + paths.rest, gradient, rtol=1e-9, atol=1e-9)


@given(program=programs(scalar=True), seed=st.floats(-3, 3))
def test_the_seed_multiplies_every_path(program, seed):
    nodes = run(program, scalar=True)
    root, x = nodes[-1], nodes[0]
    assert sum_of_paths(root, x, seed) == pytest.approx(seed * sum_of_paths(root, x), rel=1e-9, abs=1e-9)
    plain, scaled = largest_paths(root, x, 2), largest_paths(root, x, 2, seed)
    assert [p.norm for p in scaled] == pytest.approx([abs(seed) * p.norm for p in plain], rel=1e-9, abs=1e-12)


# ----------------------------------------------------------------------------------------------------------- the flow


@FEW
@given(program=programs(scalar=True))
def test_contributions_to_a_node_add_up_to_its_gradient(program):
    nodes = run(program, scalar=True)
    flow = Flow(nodes[-1])
    arrived = Counter()
    for node in dict.fromkeys(nodes):
        for _, x, share in flow.contributions(node):
            arrived[x] += share
    for x, total in arrived.items():
        assert flow.cotangent(x) == pytest.approx(total, rel=1e-9, abs=1e-9)


@FEW
@given(program=programs(scalar=True))
def test_a_contribution_is_the_gradient_times_the_local_derivative(program):
    nodes = run(program, scalar=True)
    flow = Flow(nodes[-1])
    for node in nodes:
        g = flow.cotangent(node)
        if g is not None:
            for (slot, x, d), (same_slot, same_x, share) in zip(
                flow.locals(node), flow.contributions(node), strict=True
            ):
                assert slot == same_slot
                assert x is same_x
                assert share == pytest.approx(g * d, rel=1e-12, abs=1e-300)


def test_both_edges_of_x_times_x_are_kept_apart():
    x = tg.Value(3.0)
    y = x * x
    assert [(slot, d) for slot, _, d in local_derivatives(y)] == [(0, 3.0), (1, 3.0)]
    assert [path.slots for path in largest_paths(y, x)] == [(0,), (1,)]


def test_constants_and_what_needs_no_gradient_have_no_paths():
    x, fixed = tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0], requires_grad=False)
    y = tg.sum(x * fixed * 2.0)
    assert [slot for slot, _, _ in Flow(y).contributions(y.inputs[0])] == [0]
    assert count_paths(y, fixed) == 0


def test_a_local_derivative_is_of_single_numbers_only():
    w = tg.Tensor([1.0, 2.0])
    total = tg.sum(w)
    assert local_derivatives(total) == []
    assert local_derivatives(w * 2.0) == []
    assert [d for _, _, d in local_derivatives(tg.tensor([[3.0]]) * 2.0)] == [2.0]


def test_a_tensor_of_one_element_keeps_the_shape_and_dtype_of_its_gradient():
    x = tg.Tensor(np.array([[3.0]], np.float32))
    (path, _) = largest_paths(tg.sum(x * x), x)
    assert path.product.dtype == np.float32
    assert path.product.tolist() == [[3.0]]


def test_the_flow_of_several_elements_needs_a_seed():
    x = tg.Tensor([1.0, 2.0])
    with pytest.raises(GradientError, match=r"reduce it, for example with .sum\(\), or pass seed="):
        Flow(x * 2.0)
    with pytest.raises(GradientError, match="pass seed="):
        largest_paths(x * 2.0, x)
    assert Flow(x * 2.0, [1.0, 10.0]).cotangent(x).tolist() == [2.0, 20.0]


def test_the_flow_does_not_touch_gradients_that_are_there():
    x = tg.Value(3.0)
    y = x * x
    y.backward()
    Flow(y)
    Paths(y, x)
    assert (x.grad, y.grad) == (6.0, 1.0)


def test_a_result_without_a_gradient_has_no_flow():
    with pytest.raises(GradientError, match="no operand requires a gradient"):
        Flow(tg.Tensor([1.0], requires_grad=False) * 2.0)


# ----------------------------------------------------------------------------------------------------- where none is


def test_where_there_is_no_path_number_and_sum_are_zero():
    x, other = tg.Value(3.0), tg.Value(4.0)
    w = tg.Tensor([1.0, 2.0])
    assert (count_paths(x * x, other), sum_of_paths(x * x, other), largest_paths(x * x, other)) == (0, 0.0, [])
    assert sum_of_paths(x * x, w).tolist() == [0.0, 0.0]
    assert Paths(x * x, other).rest == 0.0
    assert Flow(x * x).cotangent(other) is None
    assert Flow(x * x).contributions(other) == []


def test_from_a_node_to_itself_leads_one_empty_path():
    x = tg.Value(3.0)
    (path,) = largest_paths(x, x, seed=2.0)
    assert (count_paths(x, x), sum_of_paths(x, x), path.product, path.factors, path.steps) == (1, 1.0, 2.0, (), ())


@pytest.mark.parametrize("k", [0, -1, True, 1.5, "3", None], ids=repr)
def test_a_number_of_paths_that_is_none_is_refused(k):
    x = tg.Value(3.0)
    with pytest.raises(UnsupportedError, match=r"paths: k=.*: give the number of paths that are wanted, 1 or more"):
        largest_paths(x * x, x, k)


def test_the_number_of_paths_may_be_an_integer_of_numpy():
    x = tg.Value(3.0)
    assert len(largest_paths(x * x, x, np.int64(1))) == 1


# ------------------------------------------------------------------------------------------------- sizes and specials


def test_a_ladder_has_two_to_the_power_of_two_hundred_paths():
    y, x = ladder(200)
    assert count_paths(y, x) == 2**200
    paths = Paths(y, x, k=4)
    assert [path.product for path in paths.largest] == [0.5**200, 0.5**201, 0.5**201, 0.5**201]
    assert paths.total == sum_of_paths(y, x) == pytest.approx(0.75**200)
    assert paths.rest == pytest.approx(0.75**200)


def test_a_chain_of_a_hundred_thousand_nodes_has_one_path():
    y, x = chain(100_000)
    paths = Paths(y, x)
    (path,) = paths.largest
    assert (len(path.nodes), path.product, path.nodes[0], path.nodes[-1]) == (100_001, 1.0, y, x)
    assert paths.count == paths.total == 1


def test_the_number_of_paths_of_a_deep_ladder_is_exact():
    y, x = ladder(5_000)
    assert count_paths(y, x) == 2**5_000


def test_a_path_runs_along_the_inputs_of_its_nodes():
    y, x = ladder(5)
    for path in largest_paths(y, x, 10):
        for (node, slot), (before, after) in zip(path.steps, pairwise(path.nodes), strict=True):
            assert node is before
            assert node.inputs[slot] is after
        assert path.product == math.prod(path.factors)


def test_paths_through_a_node_lead_nowhere_else():
    x = tg.Value(2.0)
    h = x * 3.0
    y = h * h + tg.exp(x)
    between = nodes_between(y, h)
    assert between[0] is y
    assert between[-1] is h
    assert not any(node is x for node in between)
    assert count_paths(y, h) == 2
    assert sum_of_paths(y, h) == 12.0


def test_zero_infinite_and_undefined_products_are_ordered_and_never_raise():
    x = tg.Value(0.0)
    y = tg.sqrt(x) + 2.0 * x + 0.0 * x  # the slope of a square root is infinite at 0
    assert [path.product for path in largest_paths(y, x, 3)] == [math.inf, 2.0, 0.0]
    z = 0.0 * tg.sqrt(x) + 5.0 * x
    first, second = (path.product for path in largest_paths(z, x))
    assert math.isnan(first)
    assert second == 5.0
    assert math.isnan(Paths(z, x).total)


def test_products_that_underflow_are_zero_and_all_are_found():
    x = tg.Value(1.0)
    y = x
    for _ in range(400):
        y = y * 0.01
    assert [path.product for path in largest_paths(y + y, x)] == [0.0, 0.0]


def test_equal_paths_come_in_the_same_order_every_time():
    y, x = ladder(6)
    first, again = largest_paths(y, x, 20), largest_paths(y, x, 20)
    assert [path.slots for path in first] == [path.slots for path in again]


def test_mixed_graphs_of_numbers_and_arrays_have_paths():
    w, b = tg.Tensor([1.0, -2.0]), tg.Value(0.5)
    y = tg.sum(w * b) * b
    (through_sum, straight) = sorted(largest_paths(y, b), key=lambda p: -len(p.nodes))
    assert straight.product == pytest.approx(-0.5)  # the sum itself
    assert through_sum.product == pytest.approx(-0.5)  # b times the sum of w
    assert sum_of_paths(y, b) == pytest.approx(-1.0)


def test_a_step_between_arrays_tells_by_how_much_the_norm_changes():
    w = tg.Tensor([3.0, 4.0])
    (path,) = largest_paths(tg.sum(w * 2.0), w)
    assert path.factors == pytest.approx((math.sqrt(2), 2.0))
    assert path.norm == pytest.approx(math.prod(path.factors)) == pytest.approx(2 * math.sqrt(2))


def test_of_very_many_paths_through_arrays_the_largest_found_are_shown_with_the_rest():
    x = y = tg.Tensor([1.0, 2.0])
    for _ in range(12):
        y = y * 0.5 + y * 0.25
    paths = Paths(tg.sum(y), x, k=2)
    assert paths.count == 4096 > EXACT
    assert not paths.exact
    assert paths.largest[0].product == pytest.approx([0.5**12] * 2)
    assert sum(path.product for path in paths.largest) + paths.rest == pytest.approx(np.full(2, 0.75**12))
    assert len(largest_paths(tg.sum(y), x, BEAM + 4)) == BEAM + 4


def test_few_paths_through_arrays_are_compared_one_by_one():
    """Of two paths that reach ``h`` the smaller becomes the larger on the way: keeping one of them would not do."""
    x = tg.Tensor([1.0, 1.0])
    h = x * np.array([0.001, 1000.0])
    y = tg.sum(h * np.array([10.0, 0.0])) + tg.sum(h * np.array([0.0, 1.0]))
    z = tg.sum(x * np.array([1.0, 1.0]))
    (first, second, third) = largest_paths(y + z, x, 3)
    assert (first.norm, second.norm, third.norm) == pytest.approx((1000.0, math.sqrt(2), 0.01))
    assert Paths(y + z, x, 1).exact
    assert isinstance(first, Path)


def test_overwritten_operands_are_noticed():
    x = tg.Value(3.0)
    y = x * x
    x.data = 4.0
    with pytest.raises(StaleError, match="overwritten after its use"):
        Flow(y)


def test_a_gradient_that_is_a_graph_has_paths_too():
    x = tg.Value(3.0)
    y = x * x * x
    y.backward(create_graph=True)
    slope = x.grad
    assert sum_of_paths(slope, x) == pytest.approx(18.0)
    assert count_paths(slope, x) > 1
