"""Taking tensor operations apart into the numbers they compute with: cells, functions, trial, choosing, graph."""
