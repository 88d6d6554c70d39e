"""Memory that was freed serves the next step (`_kernels/cpu/heap.py`)."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
import minitorch

def step():
    kept = [np.ones(1 << 19, np.float32) for _ in range(4)]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

step()
before = faults()
for _ in range(20):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the thresholds are glibc's")
def test_a_repeated_step_takes_its_pages_from_the_step_before():
    env = {"OMP_NUM_THREADS": "1", "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 4 * 512  # one step's pages; by default twenty steps take 40,000 anew
