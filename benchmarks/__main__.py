"""Run every benchmark and print one table: ``python -m benchmarks [NAME …]``, such as ``imports eager``."""

import os
import sys
from importlib import import_module

NAMES = ("imports", "scalars", "eager", "guards", "rows")
NAMES += ("compiled_networks", "compiled_elementwise", "compiled_scalars", "compiled_hessian", "compiled_costs")
NAMES += ("switches", "random_networks", "gradcheck_cost", "gradcheck_verdicts", "pictures")
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy is imported: one core, one thread
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # XLA has no other way to stay on one core


def main(names):
    """Print the rows of the named benchmarks, all by default."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"benchmarks: no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    last = None
    for name in names or NAMES:
        for title, engine, time, ratio in import_module(f"benchmarks.{name}").main():
            if title != last:
                print(f"\n{title}")
                last = title
            print(f"  {engine:<36}{time:>12}   {ratio}", flush=True)
    return 0


sys.exit(main(sys.argv[1:]))
