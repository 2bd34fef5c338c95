"""The textbook diagram of a network."""
