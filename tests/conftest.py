"""Set up every test run: Hypothesis profiles, one BLAS thread, no windows, no use of NumPy's global generator."""

import os
import tempfile

# Before NumPy is imported: small products are faster on one thread, and sums then come in one order.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
if "TINYGRAD_MLP_CACHE" not in os.environ:  # what C is built goes there, and not into the user's own
    CACHE = tempfile.TemporaryDirectory(prefix="tinygrad_mlp")
    os.environ["TINYGRAD_MLP_CACHE"] = CACHE.name

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

from tinygrad_mlp.table import OPS

settings.register_profile("dev", max_examples=10, deadline=None)
settings.register_profile("ci", max_examples=100, derandomize=True, deadline=None, print_blob=True)
settings.register_profile("intense", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with the same seed for every test."""
    return np.random.default_rng(20)


@pytest.fixture
def own_rows() -> Iterator[None]:
    """Take the rows that a test makes, or a program that it runs, out of the table again."""
    before = set(OPS)
    yield
    for name in set(OPS) - before:
        del OPS[name]


@pytest.fixture(autouse=True)
def global_generator_untouched() -> Iterator[None]:
    """Fail a test whose code draws from NumPy's global generator: randomness comes only from an ``rng`` argument."""
    before = np.random.get_state(legacy=False)["state"]
    yield
    after = np.random.get_state(legacy=False)["state"]
    same = before["pos"] == after["pos"] and np.array_equal(before["key"], after["key"])
    assert same, "the code under test drew from NumPy's global random generator; take an rng argument instead"
