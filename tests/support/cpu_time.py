"""Compare what two pieces of code cost, on a machine that may be busy with something else."""

import subprocess
import sys

__all__ = ["costs_at_most"]

_RUNS = 3
_ROUNDS = 6


def _cpu(setup, code):
    """Run code in a fresh process and return its CPU seconds, without those of the interpreter's start and the setup."""
    lines = [
        setup,
        "import sys, time",
        "_t = time.process_time()",
        code,
        "print(time.process_time() - _t, file=sys.stderr)",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return float(done.stderr.splitlines()[-1])


def costs_at_most(ratio, code, floor, *, setup=""):
    """Return whether code takes at most `ratio` times the CPU of the floor: both by the least of several runs, in turns.

    A busy machine inflates CPU time, too, but for both alike. If a round exceeds the budget, another one follows, and all
    earlier measurements count: the least of them can only approach the true value.
    """
    ours, others = [], []
    for _ in range(_ROUNDS):
        for _ in range(_RUNS):
            ours.append(_cpu(setup, code))
            others.append(_cpu("", floor))
        if min(ours) <= ratio * min(others):
            return True
    print(f"{min(ours) * 1e3:.0f} ms against {min(others) * 1e3:.0f} ms: {min(ours) / min(others):.2f}")
    return False
