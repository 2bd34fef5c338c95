"""``tinygrad-mlp demo``: the notes, then training on the shipped penguins, then the report."""

import argparse
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from tinygrad_mlp.data import example_file

from .notes import show_mistakes, show_table
from .output import output_folder, writing
from .train import show_results, write_results
from .training import Settings, Source, train_from

NAME = "penguins.csv"
TARGET = "species"


def add(commands: Any) -> None:
    """Add the command to the parser."""
    about = "reproduce the notes, train on real data, and write a report"
    parser = commands.add_parser("demo", help=about, description=about.capitalize() + "; it takes some seconds.")
    parser.add_argument("--out", default="demo-output", metavar="DIR", help="the folder for the results (demo-output)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run everything, and say where to look."""
    out = Path(options.out)
    with output_folder(out) as folder:
        agree = show_table()
        show_mistakes()
        print("\nTraining on real data\n")
        with writing(out / NAME):  # so that the command in the report can be typed as it stands
            shutil.copyfile(example_file(NAME), folder / NAME)
            shutil.copyfile(Path(example_file(NAME)).with_name("penguins.LICENSE.txt"), folder / "penguins.LICENSE.txt")
        command = ["tinygrad-mlp", "train", str(out / NAME), "--target", TARGET, "--ignore", "year", "--out", "RESULT"]
        source = Source(str(folder / NAME), TARGET, ignore=("year",))
        trained = train_from(source, Settings(), command=shlex.join(command))
        write_results(folder, trained)
        show_results(trained)
    name = program()
    print(f"\nOpen {(out / 'report.html').absolute()} in a browser. Beside it:")
    print(f"  {out / 'model.npz'}: the network with its preprocessing; predict with it:")
    print(f"    {name} predict {shlex.quote(str(out / 'model.npz'))} {shlex.quote(str(out / NAME))}")
    print(f"  {out / 'metrics.json'}: the results in numbers")
    print(f"The notes in full: {name} notes")
    return 0 if agree else 1


def program() -> str:
    """Return what to type for this program: its name where the shell finds it, otherwise where it lies."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m tinygrad_mlp"
    if shutil.which("tinygrad-mlp") or not called.name.startswith("tinygrad-mlp"):
        return "tinygrad-mlp"
    here = Path.cwd()
    return shlex.quote(str(called.relative_to(here) if called.is_relative_to(here) else called))
