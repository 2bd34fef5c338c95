"""Which module an operation belongs to, where its call was not recorded: the one whose parameters it takes."""

from itertools import count

from tinygrad_mlp.graph import Node, Scope

from .naming import Names
from .walk import Walk

UNRECORDED = -(2**40)  # the first number of such a call: those of recorded ones are 0 and more


def owners(graph: Walk, names: Names) -> dict[int, Scope]:
    """Return a scope for the operations that take parameters of one module of ``names``, by their numbers.

    A module whose parameters are taken more than once was called more than once, and which operations belong to which
    call is not known: it has none. Nor have the modules around these, whose other operations are not known.
    """
    scopes: dict[int, Scope] = {}
    numbers = count(UNRECORDED)
    for prefix, module in names.modules:
        for path, inner in module.named_modules():  # those inside another come after it
            full = ".".join(part for part in (prefix, path) if part)
            own = inner.parameters()
            scope = Scope(full, type(inner).__name__, sum(x.size for x in own), next(numbers), None)
            scopes |= dict.fromkeys(map(id, own), scope)
    found: dict[int, Scope] = {}
    users = graph.users
    for at, x in enumerate(graph.found):
        if isinstance(x, Node) and x.op is not None:
            taken = [source for source in graph.sources[at] if id(graph.found[source]) in scopes]
            around = {scopes[id(graph.found[source])] for source in taken}
            if len(around) == 1 and all(len(users[source]) == 1 for source in taken):
                found[at] = around.pop()
    return found
