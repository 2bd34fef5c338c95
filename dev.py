#!/usr/bin/env python3
"""Set the project up in .venv and run one of its tasks: demo, test, lint, bench or docs.

It needs Python 3.11 or newer and nothing else. The first call installs what its task needs, in the versions of
constraints.txt; later calls install again only after pyproject.toml, constraints.txt or the Python has changed.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit("dev.py: Python 3.11 or newer is needed, this is {}.{}".format(*sys.version_info[:2]))

import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "dev-stamp.json"
CONSTRAINTS = ROOT / "constraints.txt"
TESTED = ("viz", "cli", "check", "array", "sklearn", "export")  # what the tests use, and so what mypy must see


class Failure(Exception):
    """A reason to stop, in one line."""


def run(*command: object, **variables: str) -> int:
    """Run a program of the environment in the repository's root and return its exit code.

    Args:
        *command: The program and its arguments.
        **variables: Environment variables to set unless the caller has set them.
    """
    # An inherited PYTHONPATH or PYTHONHOME would bring in packages that the stamp knows nothing of.
    environment = {k: v for k, v in {**variables, **os.environ}.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    environment["VIRTUAL_ENV"] = str(VENV)
    try:
        return subprocess.run([str(part) for part in command], cwd=ROOT, env=environment, check=False).returncode
    except OSError as error:
        raise Failure(f"{command[0]} does not run ({error.strerror}): delete .venv and try again") from error


# --- the environment -----------------------------------------------------------------------------------------------


def wanted_stamp() -> dict[str, Any]:
    """Return what an environment must agree with to be used again: the Python, the place and the two files."""
    files = hashlib.sha256()
    for path in (ROOT / "pyproject.toml", CONSTRAINTS):
        try:
            files.update(path.read_bytes() + b"\0")
        except OSError as error:
            raise Failure(f"cannot read {path.name} ({error.strerror}): run dev.py from a whole checkout") from error
    python = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"
    return {"python": python, "root": str(ROOT), "files": files.hexdigest()}


def read_stamp() -> dict[str, Any]:
    """Return the stamp of the present environment, empty where there is none or an installation was cut short."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and PYTHON.exists() else {}


def make_venv() -> None:
    """Make .venv anew, with the pip of constraints.txt: Python 3.11's own pip knows no dependency groups."""
    print(f"dev.py: making .venv with Python {platform.python_version()}", flush=True)
    try:
        import ensurepip  # noqa: F401  # Debian leaves it out of python3
        import venv
    except ImportError as error:
        raise Failure(
            f"this Python has no {error.name}: install it (on Debian: apt install python3-venv) or use another Python"
        ) from error
    try:
        if VENV.exists():
            shutil.rmtree(VENV)
        venv.create(VENV, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(f"cannot make {VENV}: {error}") from error
    pip_install("pip", "--upgrade", "pip")


def pip_install(what: str, *arguments: object) -> None:
    """Run the environment's pip quietly, with the versions of constraints.txt; raise if it fails.

    Args:
        what: What is being installed, for the error.
        *arguments: The arguments of ``pip install``.
    """
    # -qq: errors only, or every package index that lacks a package gets a warning of its own.
    code = run(PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-c", CONSTRAINTS, *arguments)
    if code:
        raise Failure(f"pip could not install {what} (exit code {code}); its own words are above")


def prepare(extras: set[str], groups: set[str]) -> None:
    """Bring .venv to where it holds the project with these extras and groups, and all that it held before.

    Args:
        extras: Names of pyproject.toml's optional dependencies.
        groups: Names of its dependency groups.
    """
    wanted, present = wanted_stamp(), read_stamp()
    if any(present.get(key) != wanted[key] for key in ("python", "root")):
        present = {}
        make_venv()
    had_extras, had_groups = set(present.get("extras", [])), set(present.get("groups", []))
    if present.get("files") == wanted["files"] and extras <= had_extras and groups <= had_groups:
        return
    extras, groups = extras | had_extras, groups | had_groups
    STAMP.unlink(missing_ok=True)
    names = f"tinygrad-mlp[{','.join(sorted(extras))}]" + "".join(f", group {name}" for name in sorted(groups))
    print(f"dev.py: installing {names} (minutes at the first time)", flush=True)
    options: list[object] = ["--build-constraint", CONSTRAINTS]
    for group in sorted(groups):
        options += ["--group", group]
    pip_install(names, "--editable", f".[{','.join(sorted(extras))}]", *options)
    beside = STAMP.with_suffix(".new")
    beside.write_text(json.dumps({**wanted, "extras": sorted(extras), "groups": sorted(groups)}), "utf-8")
    os.replace(beside, STAMP)


# --- the tasks -----------------------------------------------------------------------------------------------------


def demo(arguments: list[str]) -> int:
    """Reproduce the notes, train on real data and write the report, into demo-output unless told otherwise."""
    return run(SCRIPTS / "tinygrad-mlp", "demo", *(arguments or ["--out", "demo-output"]))


def test(arguments: list[str]) -> int:
    """Run the tests, as many at a time as there are cores; further arguments go to pytest, such as -n 0 for one."""
    return run(PYTHON, "-m", "pytest", "-n", "auto", "--dist", "worksteal", *arguments, HYPOTHESIS_PROFILE="ci")


def lint(arguments: list[str]) -> int:
    """Check style and layout with ruff and types with mypy; --fix mends what ruff can mend."""
    layout = [] if "--fix" in arguments else ["--check"]
    ruff = [run(PYTHON, "-m", "ruff", "check", *arguments), run(PYTHON, "-m", "ruff", "format", *layout)]
    return max(*ruff, run(PYTHON, "-m", "mypy"))


def bench(arguments: list[str]) -> int:
    """Measure against the peers; further arguments go to the benchmarks."""
    return run(PYTHON, "-m", "benchmarks", *arguments)


def docs(arguments: list[str]) -> int:
    """Build the documentation into docs/_build/html; further arguments go to sphinx-build."""
    return run(PYTHON, "-m", "sphinx", "-W", "--keep-going", "-b", "html", *arguments, "docs", "docs/_build/html")


@dataclass(frozen=True)
class Task:
    """A task: what it runs, the extras and groups it installs, and a file without which there is nothing to run."""

    function: Callable[[list[str]], int]
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    needs: str = "tinygrad_mlp/__init__.py"


TASKS = {
    "demo": Task(demo, extras=("viz", "cli", "check"), needs="tinygrad_mlp/cli/__init__.py"),
    "test": Task(test, extras=TESTED, groups=("test",)),
    "lint": Task(lint, extras=TESTED, groups=("test", "lint")),
    "bench": Task(bench, extras=("viz", "cli", "check", "sklearn"), groups=("peers",), needs="benchmarks/__main__.py"),
    "docs": Task(docs, extras=("viz", "cli", "check"), groups=("docs",), needs="docs/conf.py"),
}


USAGE = "usage: python3 dev.py TASK [further arguments]\n\n" + "\n".join(
    f"  {name:7}{task.function.__doc__}" for name, task in TASKS.items()
)


def main(arguments: list[str]) -> int:
    """Prepare the environment, run the task that the arguments name and return its exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    name, *further = arguments
    try:
        if name not in TASKS:
            raise Failure(f"there is no task {name!r}; there are {', '.join(TASKS)}")
        task = TASKS[name]
        if not (ROOT / task.needs).exists():
            raise Failure(f"there is no {task.needs}, so `{name}` has nothing to run")
        prepare(set(task.extras), set(task.groups))
        return task.function(further)
    except Failure as failure:
        print(f"dev.py: {failure}", file=sys.stderr)
        return 2 if name not in TASKS else 1
    except KeyboardInterrupt:
        print("dev.py: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
