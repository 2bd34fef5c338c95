"""How long does ``import tinygrad_mlp`` take beyond NumPy's own import?"""

import subprocess
import sys
from statistics import median

CODE = "import time, numpy; start = time.perf_counter(); import tinygrad_mlp; print(time.perf_counter() - start)"


def main(runs=9):
    """Return the row: the median of fresh processes."""
    times = [
        float(subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout)
        for _ in range(runs)
    ]
    return [("import, beyond NumPy's own", "tinygrad_mlp", f"{median(times) * 1e3:.0f} ms", "")]
