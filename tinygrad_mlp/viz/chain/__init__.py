"""The chain rule in words and numbers, for the kinds that differentiate.

``equations`` (sums and products that are true of what is printed), ``lettering`` (v₁, v₂ … for what has no name),
``written`` (an operation as a formula), ``slopes`` (what stands on an edge), ``trails`` (the paths to a node),
``narrated`` (one step in a sentence).
"""
