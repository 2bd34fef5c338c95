"""How far apart neighbours must be, and the places nearest to the wanted ones that are so."""

from .layers import Layers

GAP = 26.0  # between neighbouring nodes of one layer
CLOSE = 10.0  # beside a bend, a label or a frame


def distance(layers: Layers, u: int, v: int) -> float:
    """Return the least distance of the centres of neighbours in a layer, ``u`` to the left of ``v``."""
    room = (layers.sizes[u][0] + layers.sizes[v][0]) / 2
    if not layers.borders:
        return room + (GAP if u < layers.nodes and v < layers.nodes else CLOSE)
    left, right = layers.borders.get(u), layers.borders.get(v)
    if left and not left[1]:
        room += layers.frames[left[0]].before[0]
        return room + (layers.frames[left[0]].after[0] if right and right[0] == left[0] else 0.0)
    if right and right[1]:
        return room + layers.frames[right[0]].after[0]
    if left or right:
        return room + (1.4 * CLOSE if u < layers.nodes or v < layers.nodes or (left and right) else CLOSE / 2)
    return room + (GAP if u < layers.nodes and v < layers.nodes else CLOSE)


def separate(wanted: list[float], weights: list[float], gaps: list[float]) -> list[float]:
    """Return the places nearest to ``wanted`` (weighted least squares) whose distances are at least ``gaps``.

    Without the gaps this is isotonic regression, solved by pooling adjacent violators.
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, length = want - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, w, n = blocks.pop()
            mean, total, length = (mean * total + other * w) / (total + w), total + w, length + n
        blocks.append((mean, total, length))
    flat = [mean for mean, _, length in blocks for _ in range(length)]
    return [place + offset for place, offset in zip(flat, offsets, strict=True)]
