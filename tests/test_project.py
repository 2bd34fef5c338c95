"""Hold the files around the package against each other: versions, pins, tasks, and words that must not appear."""

import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import dev

ROOT = Path(dev.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
META = PROJECT["project"]
PIN = re.compile(r"[a-z0-9][a-z0-9-]*==[0-9][0-9a-z.]*(; [a-z_]+ [<>=!]+ \"[^\"]+\")?")
LINES = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
PINS = {line.partition("==")[0]: line.partition("==")[2].partition(";")[0] for line in LINES if line[:1] != "#"}
REQUIREMENTS = [
    Requirement(text)
    for texts in (META["dependencies"], *META["optional-dependencies"].values(), *PROJECT["dependency-groups"].values())
    for text in texts
    if isinstance(text, str)
]
FORBIDDEN = re.compile(
    r"(?<![\w.~*-])/(?:home|root|work|tmp|opt|Users)/\w|[A-Z]:\\\\?Users|\.\./shared"  # a place on somebody's machine
    r"|pypi\.org/simple|pythonhosted\.org|index-url|find-links"  # the address of a package registry
)


def text_files() -> list[Path]:
    """The files of the repository, or of an unpacked source distribution, that hold text."""
    git = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    places = [".ci", "benchmarks", "docs", "examples", "tests", "tinygrad_mlp"]
    found = git.stdout.split("\0")[:-1] or [str(p) for place in places for p in (ROOT / place).rglob("*.*")]
    known = {".py", ".js", ".css", ".md", ".toml", ".txt", ".csv", ".json", ".svg", ".html", ".ipynb", ""}
    return [p for p in map(ROOT.joinpath, found) if p.suffix in known and p.is_file() and p != Path(__file__)]


def oldest_python() -> str:
    return min(SpecifierSet(META["requires-python"]), key=str).version


def test_the_oldest_python_is_the_same_everywhere():
    python = oldest_python()
    short = "py" + python.replace(".", "")
    assert [PROJECT["tool"]["mypy"]["python_version"], PROJECT["tool"]["ruff"]["target-version"]] == [python, short]
    assert f"sys.version_info < ({python.replace('.', ', ')})" in Path(dev.__file__).read_text("utf-8")
    assert f"Programming Language :: Python :: {python}" in META["classifiers"]
    assert f"Python {python}" in (ROOT / "README.md").read_text("utf-8")


def test_the_changelog_knows_the_version():
    released = re.findall(r"^## \[?(\d\S*?)\]?(?: |$)", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    assert released[:1] in ([], [META["version"]])
    assert released or "## Unreleased" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_a_version_that_the_package_states_is_that_of_pyproject():
    package = importlib.import_module("tinygrad_mlp")
    assert getattr(package, "__version__", META["version"]) == META["version"]


def test_the_command_exists():
    module, _, function = META["scripts"]["tinygrad-mlp"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "python3 dev.py demo" in readme
    assert "python3 dev.py test" in readme


def test_contributing_stays_short():
    assert len((ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 40


def test_constraints_are_bare_pins_in_order():
    pins = [line for line in LINES if not line.startswith("#")]
    assert [line for line in pins if not PIN.fullmatch(line)] == []
    assert pins == sorted(pins, key=lambda line: line.partition("==")[0])
    assert len(PINS) == len(pins)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_a_requirement_is_pinned_to_a_version_that_it_allows(requirement):
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("task", dev.TASKS.values(), ids=dev.TASKS)
def test_a_task_installs_extras_and_groups_that_exist(task):
    assert set(task.extras) <= META["optional-dependencies"].keys()
    assert set(task.groups) <= PROJECT["dependency-groups"].keys()


def test_only_the_benchmarks_install_torch():
    groups = {name for name, texts in PROJECT["dependency-groups"].items() if any("torch" in str(t) for t in texts)}
    assert groups == {"peers"}
    assert [name for name, task in dev.TASKS.items() if groups & set(task.groups)] == ["bench"]


def test_no_file_names_a_registry_or_a_place_on_a_machine():
    files = text_files()
    assert len(files) > 10
    lines = [(p, i, line) for p in files for i, line in enumerate(p.read_text("utf-8").splitlines(), 1)]
    assert [f"{p.relative_to(ROOT)}:{i}: {line.strip()[:80]}" for p, i, line in lines if FORBIDDEN.search(line)] == []


PLACES = ["see /home/ann/x", "C:\\Users\\ann", "https://pypi.org/simple/numpy", "../shared/notes"]
HARMLESS = ["examples/data/penguins.csv", "./tmp/x", "a/home/b", "#!/usr/bin/env python3", "1 /opt"]


@pytest.mark.parametrize("text", PLACES)
def test_such_places_are_recognised(text):
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_places_are_not(text):
    assert not FORBIDDEN.search(text)
