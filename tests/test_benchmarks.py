"""The benchmarks compare like with like: hand-written NumPy is right, and a wrong result is never timed."""

import time
from functools import partial

import numpy as np
import pytest

import tinygrad_mlp as tg
from benchmarks import compiled_elementwise, compiled_hessian, compiled_networks, contest, handwritten, random_networks
from benchmarks.contest import Entry
from benchmarks.random_networks import Network


def constant(value):
    return lambda: Entry(lambda: np.array(value))


def agree(network):
    makers = {
        contest.OURS: partial(random_networks.eager, network),
        "by hand": partial(random_networks.by_hand, network),
    }
    entries, missing = contest.enter(makers, contest.OURS, 1e-10)
    assert entries.keys() == makers.keys(), missing


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("unit", tg.nn.HIDDEN_UNITS)
def test_a_hand_written_step_of_every_hidden_unit_is_that_of_the_engine(unit, optimizer):
    agree(Network((3, 4, 5, 2), (unit, unit), "linear", 7, np.float64, optimizer))


@pytest.mark.parametrize("output", tg.nn.FAMILIES)
def test_a_hand_written_step_of_every_output_unit_is_that_of_the_engine(output):
    agree(Network((3, 4, 2), ("tanh",), output, 7, np.float64, "SGD"))


def test_the_random_networks_have_every_unit():
    networks = [random_networks.draw(i) for i in range(random_networks.NETWORKS)]
    assert {unit for network in networks for unit in network.units} == tg.nn.HIDDEN_UNITS.keys()
    assert {network.output for network in networks} == tg.nn.FAMILIES.keys()
    assert {network.optimizer for network in networks} == {"SGD", "Adam"}
    assert all(1 <= width <= 512 for network in networks for width in network.sizes)


@pytest.mark.parametrize("n", [1, 40, 48])
def test_the_hand_written_chain_is_that_of_the_engine(n):
    x = np.linspace(-2.0, 3.0, n)
    y, (dx, da, db) = tg.value_and_grad(compiled_elementwise.chain, argnums=(0, 1, 2))(x, 0.7, -0.3)
    for found in (handwritten.elementwise(x, 0.7, -0.3), handwritten.elementwise_in_blocks(n, 16)(x, 0.7, -0.3)):
        contest.check("by hand", contest.arrays(list(found)), contest.arrays([y, dx, da, db]), 1e-13)


def test_the_hand_written_hessian_product_is_that_of_the_engine():
    X, labels, parameters = compiled_networks.data(6, (2, 3, 4), np.float64)
    T, direction = np.eye(4)[labels], [np.ones_like(p) for p in parameters]
    found = handwritten.sigmoid_hessian_product(X, T, parameters, direction)
    expected = compiled_hessian.product(parameters, direction, X, T)
    contest.check("by hand", contest.arrays(found), contest.arrays(expected), 1e-12)


def test_a_wrong_result_stops_a_contest():
    with pytest.raises(AssertionError, match=r"mine: 1\.0e-03 from"):
        contest.enter({"NumPy": constant(1.0), "mine": constant(1.001)}, "NumPy", 1e-9)
    with pytest.raises(AssertionError, match="mine"):
        contest.enter({"NumPy": constant(1.0), "mine": constant(np.nan)}, "NumPy", 1e-9)
    with pytest.raises(AssertionError, match="other shapes"):
        contest.enter({"NumPy": constant(1.0), "mine": constant([1.0])}, "NumPy", 1e-9)


def test_a_wrong_update_stops_a_contest():
    def entry(rate):
        own = np.ones(3)
        return Entry(lambda: own.__isub__(rate) is None, lambda: [own])

    with pytest.raises(AssertionError, match="mine, state"):
        contest.enter({"NumPy": lambda: entry(1e-3), "mine": lambda: entry(1.1e-3)}, "NumPy", 1e-9)


def test_an_engine_without_end_is_left_out():
    with pytest.raises(contest.Absent, match=r"no result within 0\.01 s"), contest.patience(0.01):
        time.sleep(5)


def test_an_engine_that_cannot_run_says_why_and_the_table_goes_on():
    def without_compiler():
        raise tg.errors.MissingDependencyError("backend='c': no C compiler\nfurther words")

    rows = contest.contest(
        "work", {"NumPy": constant(1.0), "in C": without_compiler}, tolerance=1e-9, repeats=1, rounds=2
    )
    assert [row[:2] for row in rows] == [("work", "NumPy"), ("work", "in C")]
    assert rows[1][3] == "left out: MissingDependencyError: backend='c': no C compiler"
