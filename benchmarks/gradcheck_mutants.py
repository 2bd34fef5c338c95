"""Does the gradient checker see a wrong rule, and name it? Corrupt each row in turn, inside a network, and count.

    python -m benchmarks.gradcheck_mutants            # all rows
    python -m benchmarks.gradcheck_mutants exp matmul # some rows

A mutant that gives what the rule gives at a point is equivalent there, and is not counted. A caught mutant is one that
``gradcheck`` calls wrong while naming its row first. What is not corrupted has to pass at every scale from 1e-8 to 1e8,
and in float32; if not, it is a false alarm.
"""

import os
import sys
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from op_cases import samples
from planted import CORRUPTIONS, corrupted, gradients, network, tells_apart
from strategies import SMOOTH

from tinygrad_mlp.check import gradcheck

EXAMPLES = 10
QUIETLY = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def try_row(op):
    """Return counts for one row: caught, equivalent, passed, and lists of what was missed, and of false alarms."""
    caught, equivalent, passed = 0, 0, 0
    missed, alarms = [], []

    @QUIETLY
    @given(data=st.data())
    def look(data):
        nonlocal caught, equivalent, passed
        sample = data.draw(samples(op))
        if not sample.wrt or not all(sample.operands[i].size for i in sample.wrt):
            return
        f, inputs = network(op, sample)
        before = gradients(f, inputs)
        for what in CORRUPTIONS:
            with corrupted(op, what):
                if not tells_apart(before, gradients(f, inputs)):
                    equivalent += 1
                    continue
                report = gradcheck(f, *inputs, raise_exception=False)
            if report.verdict == "wrong" and report.culprits and report.culprits[0].op == op.name:
                caught += 1
            else:
                missed.append((op.name, what, report.verdict, [c.op for c in report.culprits]))
        scale, size = 10.0 ** data.draw(st.integers(-8, 8)), 10.0 ** data.draw(st.integers(-8, 8))
        for g, xs in (network(op, sample, scale, size), (f, [x.astype(np.float32) for x in inputs])):
            report = gradcheck(g, *xs, raise_exception=False)
            if report.verdict == "right":
                passed += 1
            else:
                alarms.append((op.name, xs[0].dtype.name, scale, size, report.verdict))

    look()
    return caught, equivalent, passed, missed, alarms


def main(arguments):
    """Try the named rows, all by default; return 1 if a mutant is missed or a right row is not passed."""
    unknown = [name for name in arguments if name not in SMOOTH]
    if unknown:
        print(f"no row {unknown[0]!r} with a derivative", file=sys.stderr)
        return 2
    totals, missed, alarms = [0, 0, 0], [], []
    for name in arguments or SMOOTH:
        *counts, own_missed, own_alarms = try_row(SMOOTH[name])
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
        missed += own_missed
        alarms += own_alarms
        print(f"{name:<24}{counts[0]:>5} caught {len(own_missed):>3} missed {counts[1]:>4} equivalent", end="")
        print(f" {counts[2]:>4} passed {len(own_alarms):>3} not", flush=True)
    for line in (*missed, *alarms):
        print("  ", *line)
    print(f"\n{totals[0]:,} caught and named, {len(missed)} missed, {totals[1]:,} equivalent;", end=" ")
    print(f"of {totals[2] + len(alarms):,} right ones {len(alarms)} not passed")
    return int(bool(missed or alarms))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
