"""How long does ``import tinygrad_mlp`` take beyond NumPy's own import? With bytecode, as an installed package has."""

import os
import subprocess
import sys
from statistics import median

CODE = "import time, numpy; start = time.perf_counter(); import tinygrad_mlp; print(time.perf_counter() - start)"


def main(runs=9):
    """Return the row: the median of fresh processes."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times = [
        float(subprocess.check_output([sys.executable, "-c", CODE], text=True, env=environment)) for _ in range(runs)
    ]
    return [("import, beyond NumPy's own", "tinygrad_mlp", f"{median(times) * 1e3:.0f} ms", "")]
