"""Step by step: kind="steps".

Forward, then backward, one operation at a time. `.save("steps.html")` is a player, `.save("steps.svg")` writes a
numbered file for each step beside the end, which is shown here; `.frames` are the same as pictures.
"""

import tinygrad_mlp as tg

z = tg.Value(3.0, "z")
q = z * z + tg.sin(z)
q.name = "q"
q.backward()
picture = tg.draw(q, kind="steps", rankdir="LR")
print(picture.text)
picture.save("steps.html")
picture.frames[-1].save("steps.svg")
