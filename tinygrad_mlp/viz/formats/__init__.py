"""How a graph is written down."""
