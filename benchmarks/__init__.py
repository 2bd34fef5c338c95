"""Speed, one file a question; ``python -m benchmarks`` runs all and prints one table."""
