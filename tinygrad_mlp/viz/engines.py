"""Layout programs: which there are, in which order they are tried, and how one is run.

The order is the argument or the variable ``TINYGRAD_MLP_DOT``, ``dot`` on PATH, ``graphviz-pure`` on PATH or
in the scripts folder of the running Python. The word ``native`` means the library's own layout, which needs no program
and writes SVG only.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tinygrad_mlp.errors import LayoutError

VARIABLE = "TINYGRAD_MLP_DOT"
NATIVE = "native"
TIMEOUT = 20.0
REMEDY = "install Graphviz (the program `dot`) or `pip install graphviz-pure` (the extra viz has it)"


def find_engines(choice: str | None = None) -> list[str]:
    """Return the paths of the layout programs to try, best first; empty where there is none, or for ``native``.

    Args:
        choice: A program's name or path, or ``native``; by default the environment variable, else what is found.

    Raises:
        LayoutError: the chosen program does not exist.
    """
    wanted = chosen(choice)
    if wanted == NATIVE:
        return []
    scripts = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    if wanted:
        path = shutil.which(wanted) or shutil.which(wanted, path=os.pathsep.join(scripts))
        if path is None:
            who = "engine=" if choice else VARIABLE + "="
            raise LayoutError(f"draw: {who}{wanted!r} is not a program that can be run; {REMEDY}, or choose {NATIVE!r}")
        return [path]
    pure = shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=os.pathsep.join(scripts))
    return [path for path in (shutil.which("dot"), pure) if path is not None]


def chosen(choice: str | None = None) -> str:
    """Return the program that the argument or the environment asks for, empty if neither does."""
    return choice or os.environ.get(VARIABLE, "")


def render(source: str, kind: str, choice: str | None = None, timeout: float = TIMEOUT) -> bytes:
    """Return the picture that the first working program makes of ``source``.

    Args:
        source: A graph in the DOT language.
        kind: An output format: svg, png or pdf.
        choice: As for ``find_engines``.
        timeout: Seconds that a layout may take.

    Raises:
        LayoutError: there is no program for this format, every program failed, or time is up.
    """
    programs = find_engines(choice)
    if kind == "pdf":
        programs = [program for program in programs if not Path(program).name.startswith("graphviz-pure")]
    if not programs:
        remedy = "install Graphviz (the program `dot`), graphviz-pure has no PDF" if kind == "pdf" else REMEDY
        raise LayoutError(f"draw: {kind} needs a layout program: {remedy}; .source has the graph")
    failures = []
    for program in programs:
        try:
            return run(program, source, kind, timeout)
        except subprocess.TimeoutExpired:
            raise LayoutError(
                f"draw: {Path(program).name} took more than {timeout:g} s; lower budget=, raise timeout=, "
                f"or use engine={NATIVE!r}; .source has the graph"
            ) from None
        except (OSError, LayoutError) as error:
            failures.append(f"{Path(program).name}: {error}")
    raise LayoutError(f"draw: no {kind} could be made ({'; '.join(failures)}); .source has the graph")


def run(program: str, source: str, kind: str, timeout: float) -> bytes:
    """Return what one program writes for ``source`` given on its standard input.

    Raises:
        LayoutError: the program failed, or wrote nothing; the message is its own first line.
        subprocess.TimeoutExpired: it took longer than ``timeout`` seconds, and was stopped.
        OSError: it could not be started.
    """
    command = [program, f"-T{kind}", *(["-Gdpi=144"] if kind == "png" else [])]
    done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=timeout, check=False)
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise LayoutError(said[0] if said else f"it ended with exit status {done.returncode} and wrote nothing")
    return done.stdout
