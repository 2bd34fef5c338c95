"""What nodes without a name are called: the same in every kind of picture, so that these can be read side by side."""

import re
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import programs

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.graph import NODES
from tinygrad_mlp.paths import Paths, count_paths
from tinygrad_mlp.viz.chain.lettering import IN_WORDS, Letters, abridged, evaluation_order
from tinygrad_mlp.viz.graphs.naming import Names
from tinygrad_mlp.viz.graphs.walk import walk
from tinygrad_mlp.viz.kinds import backward, path, scalar, steps

NAMES = st.lists(st.sampled_from(["", "", "", "v₁", "v₂", "A₁", "h"]), min_size=20, max_size=20)


def run(program, single, names):
    """The starts and the result of a program, all reduced to a number; some nodes have a name."""
    starts = [tg.Value(float(x)) if single else tg.Tensor(x) for x in program.starts]
    y = program(*starts)
    y = y if single else tg.sum(y)
    for x, name in zip(evaluation_order(y), names, strict=False):
        x.name = name
    return starts, y


def called(graph, found):
    """What the records call the nodes that they stand for."""
    return {x: node.name for x, node in zip(found, graph.nodes, strict=False) if type(x) in NODES}


@given(program=programs(min_side=1), names=NAMES)
def test_every_kind_of_picture_calls_a_node_the_same(program, names):
    check_names(*run(program, False, names))


@given(program=programs(scalar=True), names=NAMES)
def test_every_kind_of_picture_calls_a_number_the_same(program, names):
    check_names(*run(program, True, names))


def check_names(starts, y):
    found, letters = walk([y]).found, Letters(y, Names())
    wanted = {x: letters.of(x) for x in found if type(x) in NODES}
    for drawing in (backward.drawing(y, budget=None), steps.drawing(y), scalar.drawing(y, expand=(), budget=None)):
        assert called(drawing.graph, found) == wanted
    for x in starts:
        if count_paths(y, x):
            graph = path.drawing(y, x, budget=None).graph
            between = Paths(y, x).nodes
            assert called(graph, between) == {node: wanted[node] for node in between}
            start, end = (wanted[node] or "the node" for node in (y, x))
            assert any(note.startswith(f"{graph_count(y, x)} from {start} to {end}") for note in graph.notes)


def graph_count(y, x):
    n = count_paths(y, x)
    return f"{n:,} path{'s' * (n > 1)}"


@given(program=programs(min_side=1), names=NAMES)
def test_letters_count_in_the_order_of_evaluation_and_are_nobodys_name(program, names):
    _, y = run(program, False, names)
    letters, order = Letters(y, Names()), evaluation_order(y)
    given = {x.name for x in order if x.name}
    made = [letters.of(x) for x in order if not x.name and letters.of(x)]
    assert max(Counter(made).values(), default=1) == 1
    assert not given & set(made)
    for kind in "vA":
        counted = [int(made_number(name)) for name in made if name[0] == kind]
        assert counted == sorted(counted)
    for x in order:
        if x.requires_grad and not x.name:
            assert letters.of(x)[:1] == ("v" if x.size == 1 else "A" if x.size else "")


def made_number(letter):
    return letter[1:].translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))


def test_part_of_a_graph_has_the_letters_of_the_whole():
    w = tg.Value(0.5, "w")
    y = w * 1.0
    for i in range(2, 60):
        y = y + (w * float(i)).relu()
    whole = {node.title for node in backward.drawing(y, budget=None).graph.nodes}
    for graph in (path.drawing(y, w, k=2, budget=9).graph, backward.drawing(y, budget=9).graph):
        alone = {node.title for node in graph.nodes if node.count == 1 and node.kind != "group"}
        assert alone <= whole
        assert len(graph.nodes) < len(whole)


def test_elements_of_a_tensor_called_v_are_not_taken_for_numbers_without_a_name():
    v = tg.Tensor([1.0, 2.0], name="v")
    names = [node.name for node in scalar.drawing(tg.sum(v * v)).graph.nodes if node.name]
    assert {"v₁", "v₂"} < set(names)
    assert len(set(names)) == len(names)


def test_steps_of_arrays_along_a_path_are_told_apart():
    model = nn.MLP([2, 3, 3, 2], "tanh", "softmax", rng=0)
    loss = model.loss(np.ones((4, 2)), [0, 1, 0, 1])
    graph = path.drawing(loss, model.parameters()[0], names=model).graph
    (line,) = [note for note in graph.notes if note.startswith("path 1: ")]
    steps_told = line.removeprefix("path 1: ").partition(":")[0].split(" → ")
    assert len(set(steps_told)) == len(steps_told) == 7
    assert set(steps_told) <= {node.name for node in graph.nodes}


def test_long_names_keep_both_ends_and_sentences_have_room_for_them():
    w = tg.Value(2.0, "blocks.10.attention.query.weight")
    y = w * w
    notes = path.drawing(y, w).graph.notes
    assert notes[0] == f"2 paths from v₁ to {w.name}"
    assert "path 1: ∂v₁/∂blocks.10.a…query.weight = 2 = +2" in notes


@given(name=st.text("ab.", max_size=99), limit=st.integers(4, IN_WORDS))
def test_an_abridged_name_is_no_longer_than_wanted_and_has_both_ends(name, limit):
    short = abridged(name, limit)
    assert len(short) == min(len(name), limit)
    start, mark, end = short.partition("…")
    assert name.startswith(start)
    assert name.endswith(end)
    assert bool(mark) == (len(name) > limit)


@given(program=programs(scalar=True))
def test_pictures_have_one_minus_sign_and_no_sign_beside_another(program):
    _, y = run(program, True, ())
    for drawing in (backward.drawing(y), steps.drawing(y), scalar.drawing(y)):
        told = [drawing.text, *[node.formula for node in drawing.graph.nodes]]
        told += [word for edge in drawing.graph.edges for word in (*edge.label, edge.tip)]
        assert not any("−" in words or re.search(r"[·+*/-] ?-", words) for words in told), told
