"""The slip in a derivation: which one would give exactly the numbers that the formula gives?

First the whole gradient is changed: its sign, a factor, transposed, not summed, shifted (``wholes``). Then one step of
the chain rule at a time is (``mutations``). A slip is believed if it gives the formula's numbers at the given inputs
and at others.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mlp.check.differences import Floats
from tinygrad_mlp.check.foreign import Foreign
from tinygrad_mlp.check.formula_report import Slip
from tinygrad_mlp.check.hand import ByHand, Claim
from tinygrad_mlp.check.reporting import number
from tinygrad_mlp.check.subject import Subject
from tinygrad_mlp.errors import TinygradError

from .mutations import Recipe, recipes
from .pool import STALE
from .scenes import Scene
from .wholes import COMBINED, lengths, said, scaled, wholes

KINDS = (
    "sign", "constant factor", "mean for sum", "sum for mean", "transposed", "not summed", "summed too far", "shape",
    "shifted", "missing factor", "extra factor", "h for 1 − h", "slope at the wrong place", "wrong factor",
    "wrong operand", "values for indices", "forgotten bias", "stale", "missing term", "extra term", "swapped",
    "wrong axis", "missing activation",
)  # fmt: skip
EXPLAINED = 1e-2  # what a slip may leave of the formula's error
ROUGH = 1e-5  # the same along one direction, which is measured by differences
LOST = 16.0  # so many roundings of the output, over the size of the input, are no derivative
SHOWN = 3
RATE = 1e-5  # how much the rate of a penalty may differ from inputs to inputs
PENALTIES = (("{0}", lambda x: x), ("sign({0})", np.sign))  # their slopes: of weight decay, and of L1
MEASURED = 2000  # derivatives that are measured at other inputs where there is no autograd
TRIED = 6000  # slips in the graph


class Match(NamedTuple):
    """A slip that gives the formula's numbers for the inputs ``ks``."""

    rank: float
    kind: str
    text: str
    ks: frozenset[int]


def guess(
    hand: ByHand,
    subject: Subject | Foreign,
    claims: Sequence[Claim],
    weights: Floats | None,
    trusted: bool,
    wrong: bool,
    rtol: float,
    rng: np.random.Generator,
) -> tuple[list[Slip], list[str]]:
    """Return the slips, and further findings; inside ``subject.varying()``.

    Args:
        hand: the formula.
        subject: the function.
        claims: what the formula returned at the given inputs.
        weights: of the outputs, if their weighted sum is checked.
        trusted: whether autograd gives the truth; if not, it is measured.
        wrong: whether the formula is wrong at the given inputs.
        rtol: how far the formula may be off.
        rng: for other inputs.
    """
    size = len(subject.base) * sum(leaf.size for leaf in subject.leaves)
    if not trusted and size > (MEASURED if wrong else MEASURED // 10):
        return [], []
    base = [leaf.values for leaf in subject.leaves]
    scenes = [Scene(hand, subject, base, weights, trusted, 10 * rtol)]
    scenes += _others(scenes[0], {c.k for c in claims}, rng, 2 if wrong else 1)
    names = {k: leaf.name for k, leaf in enumerate(subject.leaves)}
    if kept := _kept(hand, base, claims):
        text = f"{hand.said} gives other numbers when it is called again at the same inputs: it keeps a value of a call"
        return [Slip(STALE, text, tuple(names[k] for k in kept))], []
    main = next((s for s in (scenes[:1] if wrong else scenes[1:]) if _wrong(s)), None)
    if main is None:
        return [], []
    matches = _explained(main, [s for s in scenes if s is not main])
    slips = [Slip(m.kind, m.text, tuple(names[k] for k in sorted(m.ks))) for m in matches]
    if main is scenes[0]:
        return slips, []
    there = ", ".join(names[k] for k in _wrong(main))
    return slips, [f"at the given inputs {hand.said} is right, yet beside them it is wrong, in {there}"]


# --------------------------------------------------------------------------------------------------------- the scenes


def _others(first: Scene, derived: set[int], rng: np.random.Generator, most: int) -> list[Scene]:
    """Return scenes at other inputs, near enough to stay where the function is defined."""
    found = []
    for spread, zeros in ((0.2, True), (0.2, False), (0.02, True), (0.02, False), (0.001, False)):
        values = [_beside(x, spread, zeros, rng) if k in derived else x for k, x in enumerate(first.values)]
        try:
            scene = first.beside(values)
        except (TinygradError, ArithmeticError, ValueError, TypeError):
            continue
        if scene.is_finite:
            found.append(scene)
        if len(found) == most:
            break
    first.put()
    return found


def _beside(x: Floats, spread: float, zeros: bool, rng: np.random.Generator) -> Floats:
    """Return other numbers of the same signs; zeros move too, if they may."""
    moved = x * (1 + spread * rng.uniform(-1, 1, x.shape))
    size = float(np.max(np.abs(x), initial=0.0)) or 1.0
    return np.where((x == 0) & zeros, spread * size * rng.uniform(-1, 1, x.shape), moved)


def _kept(hand: ByHand, base: Sequence[Floats], claims: Sequence[Claim]) -> list[int]:
    """Return the inputs whose derivatives by hand differ now from those of the first call."""
    again = {c.k: c for c in hand.at(base)}
    return [
        c.k
        for c in claims
        if c.given is not None and c.k in again and not np.array_equal(c.given, again[c.k].given, equal_nan=True)
    ]


def _wrong(scene: Scene) -> list[int]:
    """Return the inputs in which the formula differs from the truth, by more than rounding."""
    found = []
    for k, claim in scene.claims.items():
        size = float(np.max(np.abs(scene.values[k]), initial=0.0)) or 1.0
        lost = LOST * scene.subject.eps * float(np.sum(np.abs(scene.base))) / size
        if not claim.reading:
            found.append(k)
        elif not _is_near(scene.given[k], scene.right[k], scene.close / 10):
            found += [k] if np.max(np.abs(scene.given[k] - scene.right[k]), initial=0.0) > lost else []
    return found


def _is_near(a: Floats, b: Floats, close: float) -> bool:
    size = max(float(np.max(np.abs(a), initial=0.0)), float(np.max(np.abs(b), initial=0.0)))
    return bool(np.max(np.abs(a - b), initial=0.0) <= close * size)


# -------------------------------------------------------------------------------------------------------- the search


def _explained(main: Scene, others: Sequence[Scene]) -> list[Match]:
    """Return the slips that explain the most of what is wrong, the plainest of those first."""
    left = set(_wrong(main))
    matches = [*_of_the_whole(main, others, left), *_of_terms_added(main, others, left)]
    matches.sort(key=lambda m: m.rank)
    if not any(m.ks >= left and m.rank < COMBINED for m in matches):
        matches += _in_the_graph(main, others, left)
    chosen: list[Match] = []
    while left and matches and len(chosen) < SHOWN:
        best = min(matches, key=lambda m: (-len(m.ks & left), m.rank))
        if not best.ks & left:
            break
        chosen.append(best._replace(ks=best.ks & left))
        left -= best.ks
    return chosen


def _in_the_graph(main: Scene, others: Sequence[Scene], wrong: set[int]) -> list[Match]:
    """Return the slips in the graph, up to the first that explains all."""
    found: list[Match] = []
    scales = np.array([1.0, -1.0, *(c for length, _ in lengths(main) for c in (1 / length, -1 / length))])
    everywhere = {k for k in wrong if main.claims[k].reading}
    for recipe in islice(recipes(main), TRIED):
        made = _made(recipe, main)
        fitting = {} if made is None else {k: _scales(main, k, made, scales) for k in everywhere}
        for c in sorted({c for cs in fitting.values() for c in cs}, key=lambda c: c != 1):
            given = _completed(made, main)
            ks = {k for k, cs in fitting.items() if c in cs and k in given and _fits(main, k, c * given[k])}
            for scene in others if ks else ():
                there = _completed(_made(recipe, scene), scene)
                ks = {k for k in ks if k in there and _is_near(scene.given[k], c * there[k], scene.close)}
            if ks:
                rank = recipe.rank + (0 if c == 1 else COMBINED) + _spoilt(main, given)
                found.append(Match(rank, recipe.kind, recipe.text + scaled(c, main), frozenset(ks)))
                break
        if found and found[-1].ks >= wrong and found[-1].rank < recipe.rank + 1:
            break
    main.put()
    return found


def _made(recipe: Recipe, scene: Scene) -> Any:
    """Return what a slip changes in a scene; None where it cannot be made."""
    scene.put()
    try:
        with np.errstate(all="ignore"):
            return recipe.make(scene)
    except (KeyError, IndexError, AssertionError, ValueError, TypeError, TinygradError):  # the graph there is another
        return None


def _scales(scene: Scene, k: int, made: Any, scales: Floats) -> list[float]:
    """Return the factors with which a slip may give the formula's numbers in input ``k``: it does along one direction.

    A change δ in a node changes the derivative along a direction by ⟨δ, the node's tangent⟩, without a backward pass.
    """
    direction, tangents = scene.tangents(k)
    right = direction * scene.right[k]
    if isinstance(made, dict):
        if k not in made:
            return []
        terms = direction * made[k] - right
    elif made[0] in tangents:
        terms = np.asarray(made[1]) * tangents[made[0]]
    else:
        return []
    missing = float(direction @ scene.given[k]) / scales - float(right.sum())
    size = float(np.abs(terms).sum()) + float(np.abs(right).sum())
    return [float(c) for c in scales[np.abs(float(terms.sum()) - missing) <= ROUGH * size]]


def _completed(made: Any, scene: Scene) -> dict[int, Floats]:
    """Return the gradients that a slip gives."""
    if made is None or isinstance(made, dict):
        return made or {}
    assert scene.graph is not None
    scene.put()
    with np.errstate(all="ignore"):
        added = scene.graph.pull(*made)
    return {k: g + added[k] if k in added else g for k, g in scene.right.items()}


def _spoilt(scene: Scene, made: dict[int, Floats]) -> float:
    """Return a little if a slip would also spoil derivatives that are right."""
    right = [k for k in scene.given if k not in _wrong(scene)]
    return 0.5 * any(k in made and not _is_near(made[k], scene.given[k], scene.close) for k in right)


def _fits(scene: Scene, k: int, made: Floats) -> bool:
    """Return whether a slip gives the formula's numbers, and explains its error."""
    return _explains(made, scene.given[k], scene.right[k], scene.close)


def _explains(made: Floats, given: Floats, right: Floats, close: float) -> bool:
    if not np.isfinite(made).all():
        return False
    rest = float(np.max(np.abs(made - given), initial=0.0))
    return _is_near(made, given, close) and rest <= EXPLAINED * float(np.max(np.abs(right - given), initial=0.0))


# ------------------------------------------------------------------------------------------------- the whole gradient


def _of_the_whole(main: Scene, others: Sequence[Scene], wrong: set[int]) -> list[Match]:
    """Return the slips in the gradient as a whole."""
    found: dict[tuple[str, str], Match] = {}
    for k in sorted(wrong):
        for q, (kind, text, rank, made, given) in enumerate(wholes(main, k)):
            size = float(np.sum(made * made))
            if made.shape != given.shape or not size:
                continue
            c = float(np.sum(made * given)) / size
            if not _is_near(c * made, given, main.close):
                continue
            if not all(_holds(scene, k, q, c) for scene in others):
                continue
            change = said(c, kind, text, rank, main, bool(others))
            if change is not None:
                rank, kind, text = change
                before = found.get((kind, text))
                found[kind, text] = Match(rank, kind, text, frozenset({k}) | (before.ks if before else frozenset()))
    return list(found.values())


def _of_terms_added(main: Scene, others: Sequence[Scene], wrong: set[int]) -> list[Match]:
    """Return terms that a penalty on an input's size adds to its gradient, though the function has none."""
    found: dict[str, Match] = {}
    for k in sorted(k for k in wrong if others and k in main.given and len(main.base) == 1):
        for text, slope in PENALTIES:
            rates = [_rate(scene, k, slope(scene.values[k]).reshape(-1)) for scene in (main, *others)]
            c = rates[0]
            if c is None or not all(r is not None and abs(r - c) <= RATE * abs(c) for r in rates):
                continue
            name = main.subject.leaves[k].name
            if c > 0:
                said = f"a term {number(c)} · {text.format(name)} too many: a penalty on its size that f does not have"
                found[name + text] = Match(28, "extra term", said, frozenset({k}))
            elif main.graph is None:
                said = f"a term {number(-c)} · {text.format(name)} is missing: a penalty on its size"
                found[name + text] = Match(28, "missing term", said, frozenset({k}))
    return list(found.values())


def _rate(scene: Scene, k: int, term: Floats) -> float | None:
    """Return the factor of a term that is the difference between formula and truth; None if it is not."""
    rest = scene.given[k] - scene.right[k]
    size = float(term @ term)
    c = float(term @ rest) / size if size else 0.0
    slack = scene.close * float(np.max(np.abs(scene.right[k]), initial=0.0))
    near = np.max(np.abs(c * term - rest), initial=0.0) <= slack + RATE * np.max(np.abs(rest), initial=0.0)
    return c if c and near else None


def _holds(scene: Scene, k: int, q: int, c: float) -> bool:
    """Return whether a slip with the same factor gives the formula's numbers in another scene."""
    for n, (_, _, _, made, given) in enumerate(wholes(scene, k)):
        if n == q:
            return made.shape == given.shape and _is_near(c * made, given, 10 * scene.close)
    return False
