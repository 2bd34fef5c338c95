"""The library's own layout: nothing overlaps, frames hold their nodes and no others, lines stay off the nodes."""

from itertools import combinations, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pictured import box, graph_views, groups, network, numbers, overlap, parse, within

from tinygrad_mlp.viz.formats.boxes import svg
from tinygrad_mlp.viz.formats.layout import Enclosure, arrange
from tinygrad_mlp.viz.theme import LIGHT

RANKDIRS = st.sampled_from(["TB", "LR"])


def enclosing(graph, node):
    """The keys of the frames around a node."""
    parents = {cluster.key: cluster.parent for cluster in graph.clusters}
    found, key = set(), node.cluster
    while key:
        found.add(key)
        key = parents[key]
    return found


def label_box(edge):
    rect = next((child for child in edge if child.tag.endswith("rect")), None)
    return None if rect is None else box([rect])


@given(graph_views(), RANKDIRS)
@example(network(), "TB")
@example(network(), "LR")
def test_nodes_frames_and_labels_lie_apart_or_inside_each_other_as_they_should(graph, rankdir):
    root = parse(svg(graph, LIGHT, "title", rankdir))
    nodes = {key: box(group) for key, group in groups(root, "node").items()}
    frames = {key: box(group) for key, group in groups(root, "cluster").items()}
    labels = [b for b in map(label_box, groups(root, "edge").values()) if b]
    for a, b in combinations(nodes.values(), 2):
        assert not overlap(a, b)
    for a, b in combinations(labels, 2):
        assert not overlap(a, b), "labels overlap"
    for label in labels:
        assert not any(overlap(label, node) for node in nodes.values()), "a label lies on a node"
    around = {node.key: enclosing(graph, node) for node in graph.nodes}
    for key, place in nodes.items():
        for frame, area in frames.items():
            assert within(place, area) if frame in around[key] else not overlap(place, area), (key, frame)
    parents = {cluster.key: cluster.parent for cluster in graph.clusters}
    for (one, a), (other, b) in combinations(frames.items(), 2):
        if _inside(parents, other, one):
            assert within(b, a)
        elif _inside(parents, one, other):
            assert within(a, b)
        else:
            assert not overlap(a, b), "frames that are not nested are apart"


def _inside(parents, inner, outer):
    while inner and inner != outer:
        inner = parents[inner]
    return inner == outer


@given(graph_views(cycles=True), RANKDIRS)
def test_everything_lies_inside_the_picture_and_every_line_joins_its_nodes(graph, rankdir):
    root = parse(svg(graph, LIGHT, "title", rankdir))
    _, _, wide, high = map(float, root.get("viewBox").split())
    nodes = groups(root, "node")
    for group in (*nodes.values(), *groups(root, "cluster").values()):
        assert within(box(group), (0, 0, wide, high))
    for group in groups(root, "edge").values():
        ends = {box(nodes[group.get(name)]) for name in ("data-source", "data-target")}
        for path in group.iter("{http://www.w3.org/2000/svg}path"):
            points = _points(path.get("d"))
            assert all(0 <= x <= wide and 0 <= y <= high for x, y in points)
            for point in (points[0], points[-1]):
                assert any(_distance(point, end) <= 15 for end in ends), "a line ends in the air"
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        x, y = numbers(text, "x", "y")
        assert 0 <= x <= wide
        assert 0 <= y <= high


def _points(path):
    for letter in "MCL":
        path = path.replace(letter, " ")
    return [tuple(map(float, pair.split(","))) for pair in path.split()]


def _distance(point, area):
    across = max(area[0] - point[0], 0, point[0] - area[2])
    along = max(area[1] - point[1], 0, point[1] - area[3])
    return max(across, along)


@given(graph_views(), RANKDIRS)
def test_the_same_graph_gives_the_same_bytes(graph, rankdir):
    assert svg(graph, LIGHT, "", rankdir) == svg(graph, LIGHT, "", rankdir)


edges_of_a_dag = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.tuples(st.integers(1, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] > e[1]), max_size=24),
    )
)


@given(edges_of_a_dag)
def test_no_line_runs_through_a_node_that_it_does_not_join(graph):
    count, edges = graph
    layout = arrange([(60.0, 10.0 + 7 * i) for i in range(count)], edges)
    boxes = [(x - 30, y - 5 - 3.5 * i, x + 30, y + 5 + 3.5 * i) for i, (x, y) in enumerate(layout.centres)]
    for ends, route in zip(edges, layout.routes, strict=True):
        for a, b in pairwise(route):
            for t in range(11):
                s = t / 10
                point = a[0] + (b[0] - a[0]) * s * s * (3 - 2 * s), a[1] + (b[1] - a[1]) * s
                for i, area in enumerate(boxes):
                    if i not in ends:
                        assert not overlap((*point, *point), area, slack=-0.01) or _distance(point, area) > 0


def residual(depth, skip):
    """A deep network: ``depth`` blocks of three operations with a weight each, every ``skip`` with a short cut."""
    edges, frames, home, last, start = [], [], [-1], 0, 0
    for block in range(depth):
        frames.append(Enclosure(-1, (10, 24), (10, 10), (80, 0)))
        weight, product, unit = range(len(home), len(home) + 3)
        home += [block] * 3
        edges += [(last, product), (weight, product), (product, unit)]
        last = unit
        if block % skip == skip - 1:
            home.append(-1)
            edges += [(last, len(home) - 1), (start, len(home) - 1)]
            last = start = len(home) - 1
    return [(80.0, 40.0)] * len(home), edges, frames, home


@pytest.mark.parametrize(("depth", "skip"), [(12, 3), (50, 50)])
@pytest.mark.parametrize("framed", [True, False])
def test_the_values_of_a_deep_network_run_straight_down(depth, skip, framed):
    sizes, edges, frames, home = residual(depth, skip)
    layout = arrange(sizes, edges, None, frames if framed else (), home if framed else None)
    assert layout.breadth < 420, "it leans"
    spine = {round(layout.centres[target][0], 6) for _, target in edges}
    assert len(spine) == 1, "the operations stand in one line"


def test_a_line_past_a_frame_that_it_does_not_enter_goes_round_it():
    sizes, edges, frames, home = residual(6, 6)
    layout = arrange(sizes, edges, None, frames, home)
    for (source, target), route in zip(edges, layout.routes, strict=True):
        for frame, area in enumerate(layout.boxes):
            if frame not in (home[source], home[target]):
                for x, y in route:
                    left, top, wide, high = area
                    assert not (left < x < left + wide and top < y < top + high)


def test_frames_that_flow_into_each_other_stack_and_those_that_feed_each_other_stand_side_by_side():
    frame = Enclosure(-1, (5, 5), (5, 5))
    stacked = arrange([(20.0, 20.0)] * 4, [(3, 1), (2, 1), (1, 0)], None, [frame, frame], [0, 0, 0, 1])
    one, two = stacked.boxes
    assert two[1] + two[3] <= one[1]
    mutual = arrange([(20.0, 20.0)] * 3, [(2, 1), (1, 0)], None, [frame, frame], [0, 1, 0])
    one, two = mutual.boxes
    assert one[1] <= two[1]
    assert one[0] + one[2] <= two[0] or two[0] + two[2] <= one[0]


def test_a_frame_is_as_wide_as_its_title_and_an_empty_one_is_not_drawn():
    frames = [Enclosure(-1, (5, 5), (5, 5), (300.0, 0.0)), Enclosure(-1, (5, 5), (5, 5), (0.0, 250.0)), Enclosure()]
    layout = arrange([(20.0, 20.0)] * 3, [(2, 1), (1, 0)], None, frames, [0, -1, 1])
    assert layout.boxes[0][2] == pytest.approx(300)
    assert layout.boxes[1][3] == pytest.approx(250)
    assert layout.boxes[2] is None


def test_thousands_of_layers_and_of_frames_in_frames_need_no_recursion():
    count = 3000
    layout = arrange([(20.0, 10.0)] * count, [(v + 1, v) for v in range(count - 1)])
    assert layout.breadth == pytest.approx(20)
    nested = [Enclosure(i - 1, (1, 1), (1, 1)) for i in range(1500)]
    assert arrange([(20.0, 10.0)], [], None, nested, [1499]).breadth == pytest.approx(20 + 2 * 1500)
