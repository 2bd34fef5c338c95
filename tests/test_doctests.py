"""Run every example in a docstring: of modules, of their classes and functions, and of the ops in the table."""

import doctest
import importlib
import pkgutil
import sys

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp.table import OPS

MODULES = [tg.__name__, *(m.name for m in pkgutil.walk_packages(tg.__path__, f"{tg.__name__}."))]
GIVEN = {"tg": tg, "np": np}  # what an example may use without importing it, beside the names of its own module


def failures(test: doctest.DocTest) -> str:
    """Run the examples and return the report of those that failed."""
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    return "".join(report)


def with_examples(op) -> doctest.DocTest:
    names = vars(sys.modules[op.__module__]) | GIVEN | {op.name: op}
    return doctest.DocTestParser().get_doctest(op.__doc__ or "", names, f"{op.__module__}.{op.name}", None, None)


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_examples_of_a_module_give_what_they_print(name):
    module = importlib.import_module(name)
    for test in doctest.DocTestFinder().find(module, extraglobs=GIVEN):
        assert failures(test) == ""


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_examples_of_an_op_give_what_they_print(op):
    assert failures(with_examples(op)) == ""


def test_the_ops_examples_are_found():
    assert any(with_examples(op).examples for op in OPS.values())


def test_a_wrong_example_is_reported():
    test = doctest.DocTestParser().get_doctest(">>> tg.__name__\n'another'\n", dict(GIVEN), "wrong", None, None)
    assert "Expected:\n    'another'" in failures(test)
