"""Importing the library is quick and quiet: nothing but NumPy and a little of the standard library comes with it."""

import json
import subprocess
import sys

import pytest

REPORT = "import sys, json; before = set(sys.modules); import {}; print(json.dumps(sorted(set(sys.modules) - before)))"
# Parts of the standard library that take milliseconds each, and that arithmetic does not need.
SLOW = {"asyncio", "email", "http", "multiprocessing", "pydoc", "sqlite3", "unittest", "urllib.request", "xml"}


def modules_that_come_with(name: str) -> set[str]:
    """What a fresh Python loads for one import; warnings are errors there, too."""
    command = [sys.executable, "-W", "error", "-c", REPORT.format(name)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return set(json.loads(run.stdout))


@pytest.fixture(scope="module")
def added():
    return modules_that_come_with("tinygrad_mlp") - modules_that_come_with("numpy")


def test_no_third_party_library_comes_with_the_import(added):
    tops = {name.partition(".")[0] for name in added if "cython" not in name}  # the runtime of numpy.random
    assert tops - set(sys.stdlib_module_names) - {"numpy", "graphviz"} == {"tinygrad_mlp"}


def test_no_slow_part_of_the_standard_library_comes_with_the_import(added):
    assert added & SLOW == set()


def test_the_watch_on_imports_sees_a_slow_one():
    assert "multiprocessing" in modules_that_come_with("concurrent.futures.process")
