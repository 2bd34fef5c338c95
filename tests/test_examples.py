"""Run every example as a reader would, in a process of its own, and look at what it prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

# What an example must have printed, beside running without error and without a warning.
SAYS = {
    "compiled_step": ["dV = H.T @ dA", "- T ", "uncompiled nan, compiled 30", "before rewriting"],
    "gradient_by_hand": ["a slip", "DIFFERS", "agrees", "second derivatives"],
    "micrograd_demo": ["337 parameters", "step  59", "accuracy 9", "####"],
    "notes_network": ["log-likelihood -320.5080195131", "-5.77182772e+01", "epoch 300"],
}


def run(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an example in an empty folder, with warnings as errors."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", str(path)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8", timeout=60, check=False)


def test_the_examples_are_there():
    assert SAYS.keys() <= {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_prints_what_a_reader_can_use(path, tmp_path):
    done = run(path, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) >= 3
    assert [words for words in SAYS.get(path.stem, []) if words not in done.stdout] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_what_it_shows(path):
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 60
    assert lines[0].startswith('"""')


def test_an_example_that_fails_is_seen(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import warnings\nwarnings.warn('x')\n", "utf-8")
    assert run(broken, tmp_path).returncode != 0
