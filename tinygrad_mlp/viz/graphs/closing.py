"""Which modules are shown as one node: those that shall be closed, and those that repeat one another.

Modules that are alike and feed one another, such as the twelve blocks of a deep network, are closed as one, with what
lies between them: 'Block ×12'. So are the calls of one module on many samples.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from tinygrad_mlp.graph import Node

from .frames import Frame, Frames
from .walk import Walk, bottom_up

REPEATS = 3  # so many alike in a row are folded,
WORTH = 20  # if they have so many nodes


@dataclass(frozen=True)
class Closed:
    """What is shown as one node: a module, or several that are alike, with what lies ``between`` each and the next."""

    frames: tuple[Frame, ...]
    nodes: tuple[int, ...]
    between: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """``hidden1: Linear``, or ``Block ×12``."""
        first = self.frames[0]
        if len(self.frames) > 1:
            return f"{', '.join((first.scope.title, *self.between))} ×{len(self.frames)}"
        return f"{first.name}: {first.scope.title}" if first.name else first.scope.title

    @property
    def where(self) -> str:
        """The names of the first and the last of several."""
        return f"{self.frames[0].name} … {self.frames[-1].name}" if len(self.frames) > 1 else ""


def closed(graph: Walk, frames: Frames, depth: int | None, collapse: set[int], expand: set[int]) -> list[Closed]:
    """Return what is shown closed: modules at ``depth``, those of ``collapse``, repeats; but nothing of ``expand``.

    Args:
        graph: the walk.
        frames: its frames.
        depth: how many frames may lie around a node: 0 closes all modules; None closes none.
        collapse: numbers of calls to close.
        expand: numbers of calls to open.
    """
    opened = set(expand)
    for frame in reversed(frames.all()):  # what is around an open module is open
        if frame.scope.call in opened and frame.outer is not None:
            opened.add(frame.outer.scope.call)
    found: list[Closed] = []
    signatures = _signatures(graph, frames)
    apart = opened | collapse | ({frame.scope.call for frame in frames.all()} if frames.are_guessed else set())
    stack = [frames.top]
    while stack:
        siblings = stack.pop()
        for run in _runs(siblings, signatures, apart):
            if len(run) >= REPEATS and (fold := _repeated(graph, run)) is not None:
                found.append(fold)
                continue
            for frame in run:
                call = frame.scope.call
                if call in collapse or (call not in opened and depth is not None and frame.depth >= depth):
                    found.append(Closed((frame,), tuple(frame.all_nodes())))
                else:
                    stack.append(frame.inner)
    return found


def _repeated(graph: Walk, run: Sequence[Frame]) -> Closed | None:
    """Return the fold of modules that repeat one another; None if they do not, or are too small to be worth it.

    They repeat if each feeds the next, with the same operations between, or if they are calls of one module that have
    nothing to do with one another.
    """
    last: dict[int, int] = {}  # the number of the last module of the run on the way to a node, itself included
    own = {at: i for i, frame in enumerate(run) for at in frame.all_nodes()}
    feeds = [-1] * len(run)
    for at in bottom_up(graph):
        i = own.get(at, -1)
        last[at] = max([i, *(last[source] for source in graph.sources[at])])
        if i >= 0:
            feeds[i] = max([feeds[i], *(last[source] for source in graph.sources[at] if own.get(source) != i)])
    leads = dict.fromkeys(own, True)  # whether a node is on the way to one of the run
    for at in reversed(bottom_up(graph)):
        if at not in own and any(leads.get(user, False) for user in graph.users[at]):
            leads[at] = True
    gaps: list[list[int]] = [[] for _ in run]
    for at in leads:
        if at not in own and last[at] >= 0:
            gaps[last[at]].append(at)
    chained = feeds == list(range(-1, len(run) - 1))
    if not chained and (any(feed >= 0 for feed in feeds) or any(gaps) or run[0].scope.path != run[-1].scope.path):
        return None
    alike = [Counter(_kind(graph.found[at]) for at in gap) for gap in gaps[:-1]]
    nodes = [*own, *(at for gap in gaps for at in gap)]
    if any(gap != alike[0] for gap in alike) or len(nodes) < WORTH:
        return None
    between = tuple(dict.fromkeys(name for at in sorted(gaps[0], reverse=True) if (name := _kind(graph.found[at])[0])))
    return Closed(tuple(run), tuple(nodes), between)


def _kind(x: object) -> tuple[str, tuple[int, ...]]:
    """Return the operation of a node, empty for a leaf or constant, and its shape."""
    op = x.op if isinstance(x, Node) else None
    return "" if op is None else op.name, tuple(getattr(x, "shape", ()))


def _runs(siblings: Sequence[Frame], signatures: dict[int, int], apart: set[int]) -> list[list[Frame]]:
    """Return the frames, those together that follow one another and are alike: calls of one module, or of as many."""
    runs: list[list[Frame]] = []
    for frame in siblings:
        run = runs[-1] if runs else [frame]
        alike = signatures[frame.scope.call] == signatures[run[-1].scope.call]
        paths = len({f.scope.path for f in [*run, frame]})
        kept_apart = frame.scope.call in apart or run[-1].scope.call in apart
        if runs and alike and paths in (1, len(run) + 1) and not kept_apart:
            run.append(frame)
        else:
            runs.append([frame])
    return runs


def _signatures(graph: Walk, frames: Frames) -> dict[int, int]:
    """Return for each call what its module does: its kind, and its operations with their shapes."""
    signatures: dict[int, int] = {}
    numbers: dict[Hashable, int] = {}
    for frame in reversed(frames.all()):
        found = [x for at in frame.nodes if isinstance(x := graph.found[at], Node)]  # the first may have constants
        ops = [_kind(x) for x in found]
        inner = tuple(signatures[f.scope.call] for f in frame.inner)
        key = frame.scope.title, frame.scope.parameters, tuple(sorted(ops)), inner
        signatures[frame.scope.call] = numbers.setdefault(key, len(numbers))
    return signatures
