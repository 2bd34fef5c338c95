"""Record once, run fast: recorded graphs as programs."""
