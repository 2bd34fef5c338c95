"""The HTML page: what is in the file, and what a reader can do with it in a browser."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import browser
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, Value, ops
from tinygrad_mlp.viz.formats import boxes
from tinygrad_mlp.viz.kinds import backward, steps
from tinygrad_mlp.viz.labels import width
from tinygrad_mlp.viz.page import html
from tinygrad_mlp.viz.records import ClusterView, Drawing, EdgeView, Frame, GraphView, NodeView
from tinygrad_mlp.viz.svg import FONT
from tinygrad_mlp.viz.theme import DARK, LIGHT

NASTY = [
    'a<b>&"c"', "</script><script>alert(1)</script>", "<!-- <script x </script x", "$title ${x} $$",
    "\u2028\u2029", "]]>", "\ud800",
]  # fmt: skip
VOID = {"meta", "link", "input", "br"}
# WebDriver's codes of keys: W3C, *WebDriver*, keyboard actions.
TAB, ENTER, ESCAPE, END, HOME = "\ue004", "\ue007", "\ue00c", "\ue010", "\ue011"
LEFT, UP, RIGHT = "\ue012", "\ue013", "\ue014"


# --- graphs ----------------------------------------------------------------------------------------------------------


def square():
    x = Value(3.0, "x")
    return x * x, [x]


def neuron():
    w1, x1, w2, x2, b = (Value(v, n) for v, n in ((2.0, "w1"), (3.0, "x1"), (-1.0, "w2"), (0.5, "x2"), (1.0, "b")))
    return ops.relu(w1 * x1 + w2 * x2 + b), [w1, x1, w2, x2, b]


def diamonds():
    x = Value(0.5, "x")
    y = x
    for _ in range(3):
        y = y * 3.0 + y * y
    return y, [x]


def two_layers():
    weights = [Value(v, f"w{i}") for i, v in enumerate((0.3, -0.8, 0.5, 1.2, -0.4, 0.7))]
    hidden = [ops.tanh(a * 1.5 + b * -0.5) for a, b in (weights[:2], weights[2:4])]
    error = hidden[0] * weights[4] + hidden[1] * weights[5] - 1.0
    return error * error, weights


GRAPHS = [square, neuron, diamonds, two_layers]


def drawing_of(make, **options):
    root, leaves = make()
    root.backward(keep="all")
    return backward.drawing(root, **options), leaves


def key_of(drawing, name):
    return next(node.key for node in drawing.graph.nodes if node.name == name)


def framed(drawing):
    """The hidden units of ``two_layers`` in modules of their own, and both in a third."""
    clusters = (ClusterView("c0", "MLP"), ClusterView("c1", "unit 1", "c0"), ClusterView("c2", "unit 2", "c0"))
    edges = drawing.graph.edges
    where = {key_of(drawing, name): f"c{1 + (name > 'w1')}" for name in ("w0", "w1", "w2", "w3")}
    for _ in range(4):  # from the weights to their tanh
        for edge in edges:
            nodes = {node.key: node for node in drawing.graph.nodes}
            if edge.source in where and nodes[edge.source].op != "tanh":
                where[edge.target] = where[edge.source]
    for edge in edges:  # the constants beside them
        if edge.target in where:
            where.setdefault(edge.source, where[edge.target])
    nodes = tuple(replace(node, cluster=where.get(node.key, "")) for node in drawing.graph.nodes)
    return redrawn(drawing, replace(drawing.graph, nodes=nodes, clusters=clusters))


def redrawn(drawing, graph, frames=()):
    native = lambda: boxes.svg(graph, drawing.theme, drawing.title)  # noqa: E731
    return replace(drawing, graph=graph, frames=frames, native=native)


def stepped(drawing):
    """The drawing with frames: forward from the last node to the first, backward from the first to the last."""
    nodes = drawing.graph.nodes
    valued, graded, frames = set(), {}, []
    for node in reversed(nodes):
        valued.add(node.key)
        frames.append(Frame("forward", f"{node.title} = {node.value}", frozenset(valued), {}, frozenset([node.key])))
    for node in nodes:
        wires = [edge for edge in drawing.graph.edges if edge.target == node.key and edge.local is not None]
        graded |= {node.key: node.grad} if node.grad else {}
        graded |= {edge.source: "grad so far" for edge in wires}
        lit = frozenset([node.key, *(edge.key for edge in wires)])
        frames.append(Frame("backward", node.grad, frozenset(valued), dict(graded), lit))
    return redrawn(drawing, drawing.graph, tuple(frames))


def plain(*nodes, edges=(), kind="ops", **fields):
    return Drawing(kind, "", "", "text", lambda: "<svg></svg>", graph=GraphView(nodes, edges, len(nodes)), **fields)


# --- the file --------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Reads a page: its tags, which must be balanced, the text of every element, and its records."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.stack, self.texts, self.attributes = [], [], {}, {}
        self.feed(page)
        self.close()
        assert self.stack == []
        self.data = json.loads(self.texts["data"])

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.stack.append((tag, dict(attrs).get("id", tag)))
        self.attributes.setdefault(tag, []).append(dict(attrs))

    def handle_startendtag(self, tag, _attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        if self.stack:
            name = self.stack[-1][1]
            self.texts[name] = self.texts.get(name, "") + data


def page_of(drawing):
    return html(drawing, drawing.native())


@pytest.mark.parametrize("make", GRAPHS)
def test_the_page_holds_the_picture_its_records_and_its_text(make):
    drawing, leaves = drawing_of(make)
    page = page_of(drawing)
    reader = Reader(page)
    assert drawing.native().strip() in page
    assert [node["key"] for node in reader.data["nodes"]] == [node.key for node in drawing.graph.nodes]
    assert [edge["local"] for edge in reader.data["edges"]] == [edge.local for edge in drawing.graph.edges]
    assert {leaf.name: leaf.grad for leaf in leaves}.items() <= {
        node["name"]: node["slope"] for node in reader.data["nodes"]
    }.items()
    assert reader.texts["pre"] == drawing.text
    assert page_of(drawing) == page


def test_the_page_names_no_address_and_forbids_every_request():
    page = page_of(drawing_of(neuron)[0])
    assert set(re.findall(r"\w+://[^\s\"'<]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", page)
    policy = next(meta["content"] for meta in Reader(page).attributes["meta"] if "http-equiv" in meta)
    allowed = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    assert {value for name, value in allowed.items() if name != "default-src"} <= {"'none'", "'unsafe-inline'", "data:"}


@given(st.text(max_size=30))
@example("".join(NASTY))
def test_no_name_becomes_markup(name):
    node = NodeView("n0", "output", name, "add", "+", value=name, grad=name, formula=name, source=name, mark=name)
    frame = Frame("forward", name, frozenset(["n0"]), {"n0": name}, frozenset())
    drawing = replace(plain(node, frames=(frame,)), title=name, text=name)
    graph = replace(drawing.graph, notes=(name,), clusters=(ClusterView("c0", name),))
    reader = Reader(html(replace(drawing, graph=graph), drawing.native()))
    other = Reader(html(replace(drawing, title="t", graph=replace(graph, notes=("n",))), drawing.native()))
    assert reader.tags == other.tags
    assert not set("<>&") & set(reader.texts["data"])
    assert reader.data["nodes"][0]["name"] == name
    assert reader.data["frames"][0]["words"] == name


def test_a_page_can_be_written_whatever_the_names_are():
    for name in NASTY:
        drawing = replace(plain(NodeView("n0", "output", name)), title=name, text=name)
        assert html(drawing, drawing.native()).encode()


@pytest.mark.parametrize(("x", "written"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_what_is_no_finite_number_survives_as_a_word(x, written):
    nodes = NodeView("n0", "output", number=x, slope=x), NodeView("n1", "parameter")
    data = Reader(html(plain(*nodes, edges=(EdgeView("n1", "n0", 0, local=x, flow=x),)), "<svg></svg>")).data
    assert data["nodes"][0]["number"] == data["nodes"][0]["slope"] == written
    assert data["edges"][0]["local"] == data["edges"][0]["flow"] == written
    assert data["nodes"][1]["slope"] is None


KEYS = st.sampled_from("abcd")


@given(st.lists(st.tuples(st.frozensets(KEYS), st.dictionaries(KEYS, st.text())), max_size=6))
def test_the_news_of_all_frames_add_up_to_the_frames(steps):
    frames = tuple(Frame("forward", "", valued, graded, frozenset()) for valued, graded in steps)
    valued, graded = set(), {}
    for frame, news in zip(frames, Reader(html(plain(frames=frames), "<svg></svg>")).data["frames"], strict=True):
        valued = (valued | set(news["valued"])) - set(news["unvalued"])
        graded = {key: text for key, text in (graded | news["graded"]).items() if text is not None}
        assert (valued, graded) == (frame.valued, frame.graded)


@pytest.mark.parametrize(("theme", "scheme"), [(LIGHT, "light"), (DARK, "dark")])
def test_the_page_wears_the_colours_of_the_picture(theme, scheme):
    page = html(plain(theme=theme), "<svg></svg>")
    assert f"color-scheme: {scheme};" in page
    assert f"--paper: {theme.background};" in page
    assert f"--ink: {theme.text};" in page


# --- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    driver = browser.start()
    path = tmp_path_factory.mktemp("empty") / "page.html"
    path.write_text(html(plain(), "<svg></svg>"), "utf-8")
    driver.get(path.as_uri())  # for tests that only run the page's functions
    yield driver
    driver.quit()


@pytest.fixture
def shown(chromium, tmp_path):
    """A function that opens a drawing's page; afterwards the console must be silent, and no request have left."""

    def show(drawing, svg=None):
        path = tmp_path / "page.html"
        path.write_text(html(drawing, drawing.native() if svg is None else svg), "utf-8")
        chromium.get(path.as_uri())
        return Page(chromium)

    chromium.set_window_size(1200, 900)
    browser.complaints(chromium), browser.requests(chromium)
    yield show
    assert browser.complaints(chromium) == []
    assert {url.partition(":")[0] for url in browser.requests(chromium)} <= {"file", "data"}


@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_no_text_is_wider_than_labels_allow_for(chromium, weight):
    names = [
        "min -0.3023 · mean 0.08242 · max 0.8468", "∂v₁₂/∂hidden = −0.5676", "Ünïcödé ÀÉÎÕÜ ŁĄŻŹ", "ωΩ∑∏ αβγδε ΣΠΦΨ",
        "ЩЖШЩЖШ веса скрытого слоя", "משקל שכבה ששששש", "الخسارة الكلية للنموذج", "損失 重み行列", "⟹⟺⟵ ⊙ ⋮ → ← …—",
        "😀🚀😴", "𝕎𝕄 𝖂 𝓜", "ไทยภาษา", "हिन्दी", "WMmw@%", "₀₁₂₃ ᵀ √x ≤ ≥ ≈",
    ]  # fmt: skip
    script = """const pen = document.createElement("canvas").getContext("2d");
        pen.font = `${arguments[1]} 100px ${arguments[2]}`;
        return arguments[0].map((text) => pen.measureText(text).width);"""
    for name, found in zip(names, chromium.execute_script(script, names, weight, FONT), strict=True):
        assert found <= 1.02 * (1.05 if weight == "bold" else 1.0) * width(name, 100), name


class Page:
    """What a reader does on the page, and sees there."""

    def __init__(self, driver):
        self.driver = driver

    def run(self, script, *args):
        return self.driver.execute_script(f"return {script}", *args)

    def element(self, key):
        return self.driver.find_element("id", key)

    def click(self, key):
        self.element(key).click()

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def focus(self, key):
        self.run("document.getElementById(arguments[0]).focus()", key)

    def marked(self, name):
        return set(self.run(f"[...document.querySelectorAll('#stage .{name}')].map(e => e.id)"))

    def visible(self, key):
        return self.element(key).is_displayed()

    def number(self, key):
        return float(self.element(key).get_attribute("data-value"))

    def seen(self, role):
        """The texts of the rows of a role that are not hidden, by node."""
        rows = f"[...document.querySelectorAll('#stage .node .{role}:not(.unknown)')]"
        return dict(self.run(f"{rows}.map(e => [e.closest('.node').id, e.textContent])"))

    @property
    def panel(self):
        return self.element("panel").text

    @property
    def view(self):
        return [float(x) for x in self.run("svg.getAttribute('viewBox')").split()]


def on_paths(drawing, key):
    """The nodes and edges on all paths from the output to a node, by a walk of its own."""
    found, wires = {key}, set()
    for node in drawing.graph.nodes[::-1] * len(drawing.graph.nodes):
        for edge in drawing.graph.edges:
            if edge.source == node.key and node.key in found and (edge.local is not None):
                found.add(edge.target)
                wires.add(edge.key)
    return found | wires


@pytest.mark.parametrize("make", GRAPHS)
def test_a_click_lights_the_paths_to_a_node_and_their_products_add_up_to_its_gradient(make, shown):
    drawing, leaves = drawing_of(make)
    page = shown(drawing)
    for leaf in leaves:
        key = key_of(drawing, leaf.name)
        page.click(key)
        assert page.marked("on") == on_paths(drawing, key)
        assert page.number("sum") == pytest.approx(leaf.grad, rel=1e-12)
        assert page.number("slope") == leaf.grad
        assert page.element("verdict").text == "they are equal"


@pytest.mark.parametrize("kind", ["ops", "scalar", "backward", "health"])
def test_in_every_kind_a_click_on_a_weight_shows_that_its_paths_add_up(kind, shown):
    x, w, b = Value(2.0, "x"), Value(-0.5, "w"), Value(0.25, "b")
    y = (tg.tanh(w * x + b) * w + b) ** 2
    y.backward()
    drawing = tg.draw(y, kind=kind)._drawing
    page = shown(drawing)
    for leaf in (x, w, b):
        page.click(key_of(drawing, leaf.name))
        assert page.number("sum") == pytest.approx(leaf.grad, rel=1e-12)


def test_a_product_is_written_out_beside_its_path(shown):
    drawing, _ = drawing_of(square)
    page = shown(drawing)
    page.click(key_of(drawing, "x"))
    assert "2 paths" in page.panel
    lines = page.panel.splitlines()
    assert lines[-5:] == ["sum over all paths", "+6", "gradient", "+6", "they are equal"]
    page.press(ESCAPE)
    assert page.marked("on") == set()
    assert "Click a node" in page.panel


def test_a_wrong_local_derivative_does_not_go_unseen(shown):
    drawing, _ = drawing_of(square)
    edges = tuple(replace(edge, local=edge.local + 0.5) for edge in drawing.graph.edges)
    page = shown(redrawn(drawing, replace(drawing.graph, edges=edges)))
    page.click(key_of(drawing, "x"))
    assert page.number("sum") == 7.0
    assert page.element("verdict").text == "they differ by 1"


def test_through_several_nodes_shown_as_one_no_products_are_added_up(shown):
    drawing, _ = drawing_of(diamonds)
    x, (first, *_) = key_of(drawing, "x"), drawing.graph.nodes
    several = next(edge.target for edge in drawing.graph.edges if edge.source == x)
    nodes = tuple(replace(n, count=2, slope=None) if n.key == several else n for n in drawing.graph.nodes)
    assert several != first.key
    graph = replace(drawing.graph, nodes=nodes)
    page = shown(redrawn(drawing, graph))
    page.click(x)
    assert not page.run("document.querySelector('#verdict, #panel .paths')"), "its derivative is that of one of them"
    flows = [edge.flow for edge in drawing.graph.edges if edge.source == x]
    assert all(f"{flow:.4g}" in page.panel for flow in flows)
    edges = tuple(replace(edge, flow=None) if edge.target == several else edge for edge in graph.edges)
    page = shown(redrawn(drawing, replace(graph, edges=edges)))
    page.click(x)
    assert "unknown" in page.panel, "a use whose contribution is not known is listed too"


def test_the_gradient_that_backward_started_from_is_a_factor(shown):
    x = Value(2.0, "x")
    root = x * 3.0
    page = shown(backward.drawing(root, seed=5.0))
    page.click("n1")
    assert page.number("sum") == page.number("slope") == 15.0
    assert "5 × 3 = 15" in page.panel


def test_of_arrays_the_contributions_are_listed(shown):
    W = Tensor([[0.5, -1.0], [0.25, 2.0]], name="W")
    root = (ops.tanh(W @ W) * W).sum()
    root.backward()
    drawing = backward.drawing(root)
    page = shown(drawing)
    page.click(key_of(drawing, "W"))
    flows = [edge.flow for edge in drawing.graph.edges if edge.source == key_of(drawing, "W")]
    assert len(flows) == 3
    assert all(f"{flow:.4g}" in page.panel for flow in flows)
    assert "norm" in page.panel


def test_to_a_constant_no_gradient_flows(shown):
    drawing, _ = drawing_of(diamonds)
    page = shown(drawing)
    page.click(next(node.key for node in drawing.graph.nodes if node.kind == "constant"))
    assert "none flows here" in page.panel


def test_where_no_gradient_flows_there_is_no_factor(shown):
    x = NodeView("n2", "parameter", "x", number=3.0, slope=2.0, requires_grad=True)
    ends = NodeView("n0", "output", "y", "add", slope=1.0), NodeView("n1", "op", "h", "floor")
    edges = EdgeView("n1", "n0", 0), EdgeView("n2", "n0", 1, local=2.0, flow=2.0), EdgeView("n2", "n1", 0)
    page = shown(redrawn(plain(theme=LIGHT), GraphView((*ends, x), edges, 3)))
    page.click("n2")
    assert page.marked("on") == {"n0", "n2", "n2-n0-1"}
    assert page.number("sum") == 2.0


@st.composite
def acyclic(draw):
    """Nodes n0 … with edges from later to earlier ones, several between two perhaps, and a number on each."""
    size = draw(st.integers(2, 7))
    numbers = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0, math.inf])
    edges = []
    for source in range(1, size):
        targets = draw(st.lists(st.integers(0, source - 1), min_size=1, max_size=3))
        edges += [EdgeView(f"n{source}", f"n{t}", i, local=draw(numbers)) for i, t in enumerate(targets)]
    return GraphView(tuple(NodeView(f"n{i}", "op") for i in range(size)), tuple(edges), size)


def products(graph, key):
    """The product of every path from n0 to a node, one path after the other."""
    found, stack = [], [(key, ())]
    while stack:
        at, factors = stack.pop()
        if at == "n0":
            found.append(math.prod(factors[::-1], start=1.0))
        stack += [(edge.target, (*factors, edge.local)) for edge in graph.edges if edge.source == at]
    return found


@given(graph=acyclic())
def test_number_sum_and_largest_products_are_those_of_an_enumeration(graph, chromium):
    data = Reader(html(plain(*graph.nodes, edges=graph.edges), "<svg></svg>")).data
    script = """
    const {count, sum, best} = pathsTo(indexed(arguments[0]), arguments[1]);
    return [String(count), String(sum), best.map(path => String(path.product))];
    """
    key = graph.nodes[-1].key
    count, total, best = chromium.execute_script(script, data, key)
    each = products(graph, key)
    assert int(count) == len(each)
    assert float(total) == pytest.approx(sum(each), nan_ok=True) or any(map(math.isinf, each))
    sizes = sorted((math.inf if math.isnan(x) else abs(x) for x in each), reverse=True)[:5]
    if not any(map(math.isnan, each)):
        assert [abs(float(x)) for x in best] == sizes


def test_two_to_the_200_paths_are_counted_and_summed(shown):
    nodes = [NodeView(f"n{i}", "op", requires_grad=True) for i in range(201)]
    edges = [EdgeView(b.key, a.key, slot, local=0.5) for a, b in pairwise(nodes) for slot in (0, 1)]
    graph = GraphView(tuple(nodes), tuple(edges), len(nodes))
    page = shown(redrawn(plain(theme=LIGHT), graph))
    page.run("choose('n200')")
    assert page.run("String(pathsTo(graph, 'n200').count)") == str(2**200)
    assert page.number("sum") == 1.0
    assert "about 1.60·10^60 paths" in page.panel


# --- the player ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", GRAPHS)
def test_at_the_end_of_the_player_the_numbers_are_those_of_backward(make, shown):
    root, leaves = make()
    drawing = steps.drawing(root)
    root.backward(keep="all")
    page = shown(drawing)
    assert page.seen("grad") == {}
    page.click("last")
    values, grads = page.seen("value"), page.seen("grad")
    assert f"{root.data:.4g}" == values["n0"]
    for leaf in leaves:
        key = key_of(drawing, leaf.name)
        assert f"{leaf.data:.4g}" == values[key]
        assert f"grad {leaf.grad:+.4g}" == grads[key]


def test_every_step_shows_what_is_known_by_then_and_no_more(shown):
    drawing = stepped(drawing_of(neuron)[0])
    page = shown(drawing)
    passed = set()
    with_value = {node.key for node in drawing.graph.nodes if any(row.role == "value" for row in node.rows)}
    for number, frame in enumerate(drawing.frames, 1):
        assert set(page.seen("value")) == with_value & frame.valued
        assert page.seen("grad") == frame.graded
        assert page.marked("active") == frame.lit
        passed |= {key for key in frame.lit if "-" in key and frame.phase == "backward"}
        written = "[...document.querySelectorAll('.label:not(.unknown)')].map(e => e.closest('.edge').id)"
        assert set(page.run(written)) == passed
        assert page.element("words").text.startswith(f"{frame.phase} {number}/{len(drawing.frames)}")
        page.press(RIGHT)
    assert page.element("words").get_attribute("aria-live") == "polite"


def test_the_player_plays_pauses_scrubs_and_obeys_the_keys(shown):
    drawing = stepped(drawing_of(square)[0])
    last = len(drawing.frames) - 1
    page = shown(drawing)
    at = lambda: int(page.run("document.getElementById('scrub').value"))  # noqa: E731
    page.press(END)
    assert at() == last
    page.press(LEFT)
    assert at() == last - 1
    page.press(HOME)
    assert at() == 0
    page.run("Object.assign(document.getElementById('scrub'), {value: 2}).dispatchEvent(new Event('input'))")
    assert at() == 2
    page.run("document.getElementById('speed').options[3].value = 1000")
    page.run("document.getElementById('speed').selectedIndex = 3")
    page.press(" ")
    wait_until(lambda: at() == last and page.element("play").text == "play")


def wait_until(condition):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(None, 5, 0.02).until(lambda _: condition())


def test_card_and_panel_tell_no_more_than_the_step(shown):
    drawing = stepped(drawing_of(square)[0])
    page = shown(drawing)
    page.click("n0")
    hover(page, "n0")
    assert "not yet known" in page.panel
    assert "not yet known" in page.element("card").text
    page.click("last")
    hover(page, "n0")
    assert "not yet known" not in page.panel + page.element("card").text


# --- pointing, searching, collapsing ---------------------------------------------------------------------------------


def hover(page, key):
    from selenium.webdriver import ActionChains

    ActionChains(page.driver).move_to_element(page.element(key)).perform()


def test_the_card_tells_value_gradient_shape_formula_and_line(shown):
    node = NodeView(
        "n0", "output", "y", "add", value="3", grad="grad +1", shape=(2, 3), dtype="float32", formula="z = x + y",
        source="demo.py:7", requires_grad=True,
    )  # fmt: skip
    page = shown(redrawn(plain(theme=LIGHT), GraphView((node,), (), 1)))
    hover(page, "n0")
    card = page.element("card").text.splitlines()
    pairs = dict(zip(card[1::2], card[2::2], strict=True))
    assert card[0] == "y = add"
    assert pairs == {
        "value": "3", "gradient": "+1", "shape": "2×3 float32", "formula": "z = x + y", "line": "demo.py:7",
    }  # fmt: skip


def test_names_that_look_like_markup_are_shown_as_they_are(shown):
    nodes = tuple(NodeView(f"n{i}", "op", name, "add", formula=name) for i, name in enumerate(NASTY[:4]))
    edges = tuple(EdgeView(b.key, a.key, 0, local=1.0) for a, b in pairwise(nodes))
    drawing = replace(redrawn(plain(theme=LIGHT), GraphView(nodes, edges, 4)), title=NASTY[1])
    page = shown(drawing)
    for node in nodes[:3]:
        page.click(node.key)
        assert page.panel.startswith(node.title)
    assert page.driver.title == NASTY[1]


def test_the_mouse_drags_and_the_wheel_zooms_where_it_points(shown):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    drawing, _ = drawing_of(neuron)
    page = shown(drawing)
    before = page.view
    node = page.element("n0")
    ActionChains(page.driver).move_to_element(node).click_and_hold().move_by_offset(-60, -40).release().perform()
    x, y, w, h = page.view
    assert (w, h) == (before[2], before[3])
    assert x > before[0]
    assert y > before[1]
    assert page.marked("on") == set()  # a drag that begins on a node does not choose it
    node.click()
    chosen = page.marked("on")
    ActionChains(page.driver).move_to_element(node).click_and_hold().move_by_offset(10, 10).release().perform()
    assert page.marked("on") == chosen != set()  # nor does one clear what was chosen
    place = node.rect
    ActionChains(page.driver).scroll_from_origin(ScrollOrigin.from_element(node), 0, -300).perform()
    assert page.view[2] < w
    assert node.rect["x"] + node.rect["width"] / 2 == pytest.approx(place["x"] + place["width"] / 2, abs=2)
    page.click("fit")
    assert page.view == before
    page.click("in")
    assert page.view[2] < before[2]


def tower(size=80):
    """The drawing of a chain that is far too high for a window."""
    y = Value(0.5, "x")
    for _ in range(size):
        y = ops.sin(y)
    y.backward(keep="all")
    drawing = backward.drawing(y)
    return drawing, key_of(drawing, "x")


def test_a_picture_too_high_to_be_read_whole_opens_at_its_beginning_and_fit_shows_it_whole(shown):
    drawing, first = tower()
    page = shown(drawing)
    letters = "document.getElementById(arguments[0]).querySelector('.title').getBoundingClientRect().height"
    top, bottom = page.run("(({ top, bottom }) => [top, bottom])(stage.getBoundingClientRect())")
    assert page.run(letters, first) >= 6
    assert top <= page.element(first).rect["y"] <= top + 40
    page.driver.set_window_size(1000, 700)
    wait_until(lambda: page.run("svg.viewBox.baseVal.width * 0.7 - stage.clientWidth") < 1)
    assert page.run(letters, first) >= 6  # a window that changes keeps it so
    page.click("fit")
    inside = "[...document.querySelectorAll('#stage .node')].map((e) => e.getBoundingClientRect())"
    boxes = page.run(f"{inside}.map(({{ top, bottom }}) => [top, bottom])")
    assert all(top <= high and low <= bottom for high, low in boxes)


def test_a_window_without_room_for_the_picture_is_no_error(shown):
    page = shown(tower()[0])
    page.run("stage.parentElement.style.setProperty('grid-template-rows', 'auto 20px auto auto')")
    wait_until(lambda: page.run("stage.clientHeight") <= 20)
    assert min(page.view[2:]) > 0


def test_a_network_stands_in_the_middle_and_offers_no_search(shown):
    from tinygrad_mlp import nn
    from tinygrad_mlp.viz.network import diagram

    drawing = diagram.drawing(nn.MLP([2, 3, 1], rng=0))
    page = shown(drawing)
    page.driver.set_window_size(900, 700)  # what is measured must not be the window itself
    page.driver.set_window_size(1300, 800)
    circles = "[...document.querySelectorAll('#stage :is(circle, ellipse)')].map((e) => e.getBoundingClientRect())"
    middle = lambda: (  # noqa: E731
        page.run(f"Math.min(...{circles}.map((box) => box.left)) + Math.max(...{circles}.map((box) => box.right))") / 2
    )
    wait_until(lambda: abs(middle() - page.run("stage.clientWidth") / 2) < 60)
    assert not page.element("search").is_displayed()


def test_two_fingers_zoom(shown):
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    page = shown(drawing_of(neuron)[0])
    before = page.view
    fingers = [PointerInput("touch", f"finger{i}") for i in range(2)]
    for finger, x, way in zip(fingers, (380, 420), (-100, 100), strict=True):
        finger.create_pointer_move(x=x, y=400)
        finger.create_pointer_down()
        finger.create_pointer_move(x=x + way, y=400)
        finger.create_pointer_up(0)
    actions = ActionBuilder(page.driver)
    actions.devices = fingers
    actions.perform()
    assert page.view[2] < before[2] / 2


def test_searching_counts_outlines_and_goes_through_what_it_finds(shown):
    drawing, _ = drawing_of(two_layers)
    page = shown(drawing)
    page.press("/", "tanh")
    found = [node.key for node in drawing.graph.nodes if node.op == "tanh"]
    assert page.marked("hit") == set(found)
    assert page.element("count").text == "2 found"
    for number, key in enumerate([*found, found[0]]):
        page.press(ENTER)
        assert page.element("count").text.startswith(f"{number % 2 + 1} of 2")
        assert key in page.marked("on")
        assert page.element(key).rect["x"] == pytest.approx(page.run("stage.clientWidth") / 2, abs=60)
    page.press(ESCAPE)
    assert page.marked("hit") == set()
    page.press("/", "no such thing")
    assert page.element("count").text == "none found"


def test_a_module_collapses_into_a_box_and_opens_again(shown):
    drawing = framed(drawing_of(two_layers)[0])
    page = shown(drawing)
    everything, tall = page.run("svg.getBBox()"), page.run("svg.getBBox().height")
    inside = {node.key for node in drawing.graph.nodes if node.cluster == "c1"}
    title = page.driver.find_element("css selector", "#c1 text")
    title.click()
    assert not any(page.visible(key) for key in inside)
    assert all(page.visible(node.key) for node in drawing.graph.nodes if node.key not in inside)
    assert f"{len(inside)} nodes" in page.element("box-c1").text
    across = [e for e in drawing.graph.edges if (e.source in inside) != (e.target in inside)]
    for edge in across:
        assert not page.visible(edge.key)
        ends = ["c1" if end in inside else end for end in (edge.source, edge.target)]
        assert page.visible(f"edge-{ends[0]}-{ends[1]}")
    page.click("box-c1")
    assert all(page.visible(node.key) for node in drawing.graph.nodes)
    assert page.run("svg.getBBox()") == everything
    page.click("collapse")
    assert page.run("svg.getBBox().height") < tall
    assert page.marked("box") == {"box-c0"}
    page.click("box-c0")
    assert page.marked("box") == {"box-c1", "box-c2"}
    page.click("expand")
    assert page.marked("box") == set()
    assert page.run("svg.getBBox()") == everything


def test_paths_through_a_collapsed_module_light_its_box(shown):
    drawing = framed(drawing_of(two_layers)[0])
    page = shown(drawing)
    page.click(key_of(drawing, "w0"))
    page.click("collapse")
    assert "box-c0" in page.marked("on")
    page.press("/", "w2", ENTER)  # found in a closed module: it opens
    assert page.visible(key_of(drawing, "w2"))


def test_boxes_do_not_overlap_what_is_left(shown):
    drawing = framed(drawing_of(two_layers)[0])
    page = shown(drawing)
    for closed in (["c1"], ["c2"], ["c1", "c2"], ["c0"]):
        page.click("expand")
        for key in closed:
            page.run("modules.toggle(arguments[0], true)", key)
        seen = "#stage .node:not(.away), #stage .edge:not(.away) .label"
        rects = [part.rect for part in page.driver.find_elements("css selector", seen)]
        for i, a in enumerate(rects):
            for b in rects[:i]:
                apart_x = a["x"] >= b["x"] + b["width"] or b["x"] >= a["x"] + a["width"]
                apart_y = a["y"] >= b["y"] + b["height"] or b["y"] >= a["y"] + a["height"]
                assert apart_x or apart_y


# --- other readers ---------------------------------------------------------------------------------------------------


def test_the_keyboard_alone_is_enough(shown):
    drawing = framed(drawing_of(two_layers)[0])
    page = shown(drawing)
    active = lambda: page.run("document.activeElement.id")  # noqa: E731
    reached = set()
    for _ in range(len(drawing.graph.nodes) + 20):
        page.press(TAB)
        reached.add(active())
    assert {node.key for node in drawing.graph.nodes} <= reached
    page.focus("n0")
    assert page.element("n0").get_attribute("aria-label") == drawing.graph.nodes[0].tip
    assert page.element("n0").get_attribute("role") == "button"
    page.press(UP)
    above = {edge.source for edge in drawing.graph.edges if edge.target == "n0"}
    assert active() in above
    page.press(ENTER)
    assert page.marked("on") == on_paths(drawing, active())
    page.press("?")
    assert page.element("keys").is_displayed()
    page.press(ESCAPE)
    assert not page.element("keys").is_displayed()
    page.run("document.querySelector('#c0 text').focus()")
    page.press(ENTER)
    assert active() == "box-c0"
    page.press(" ")
    assert page.marked("box") == set()


def test_without_scripts_the_picture_and_the_text_are_there(chromium, shown):
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        drawing, _ = drawing_of(neuron)
        page = shown(drawing)
        assert page.element("n0").is_displayed()
        assert not page.element("search").is_displayed()
        page.driver.find_element("tag name", "summary").click()
        assert page.driver.find_element("tag name", "pre").text.splitlines()[0] == drawing.text.splitlines()[0]
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_picture_without_records_is_shown_with_pan_zoom_and_its_tips(shown):
    svg = '<svg viewBox="0 0 99 99"><g><title>weight 3</title><circle id="unit" cx="50" cy="50" r="40"/></g></svg>'
    page = shown(replace(plain(kind="network"), graph=None), svg)
    hover(page, "unit")
    assert page.element("card").text == "weight 3"
    before = page.view
    page.click("in")
    assert page.view[2] < before[2]
    assert not page.element("panel").is_displayed()


def test_a_request_would_be_stopped_by_the_page(chromium, shown):
    page = shown(drawing_of(square)[0])
    script = """
    addEventListener("securitypolicyviolation", ({effectiveDirective}) => arguments[0](effectiveDirective));
    fetch("data:,x").catch(() => 0);
    """
    assert page.driver.execute_async_script(script) == "connect-src"
    assert len(browser.complaints(chromium)) > 0


@pytest.mark.parametrize("width", [400, 700, 1600])
def test_the_page_is_never_wider_than_the_window(width, shown):
    page = shown(stepped(drawing_of(two_layers)[0]))
    window = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}  # a phone's, too
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
    try:
        page.click(key_of(drawing_of(two_layers)[0], "w0"))
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.run("stage.clientHeight") > 150
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_paper_there_are_no_controls_and_motion_can_be_declined(shown):
    page = shown(stepped(drawing_of(square)[0]))
    moves = lambda: page.run("getComputedStyle(document.getElementById('n0')).transitionDuration")  # noqa: E731
    emulate = lambda **media: page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)  # noqa: E731
    emulate(features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    assert moves() == "0s"
    emulate(media="print", features=[])
    assert page.element("n0").is_displayed()
    assert not any(page.element(key).is_displayed() for key in ("search", "play", "scrub"))
    emulate(media="", features=[])
