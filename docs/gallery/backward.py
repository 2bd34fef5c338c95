"""The chain rule on the edges: kind="backward".

The gradient flows from the output to the leaves. On every edge stand the local derivative, and what arrives there
times it; where edges meet, the sum. For tensors the rule is written in symbols, with the norm of what it gives.
"""

import tinygrad_mlp as tg

z = tg.Value(3.0, "z")
q = z * z + tg.sin(z)
q.name = "q"
q.backward()
tg.draw(q, kind="backward", title="q = z² + sin z").save("backward.svg")
