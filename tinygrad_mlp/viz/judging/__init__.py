"""What is the matter with nodes: ``ailments`` and ``responding`` for their health, ``comparing`` for what changed."""
