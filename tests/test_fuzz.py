"""Calls that nobody meant end in torch's errors (see `fuzz.py`): no crash, and no kernel reads outside a buffer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# one of each kind of kernel; the slow run takes all of the database
A_PART = (
    "add clamp where lerp sum amax cumsum sort topk searchsorted gather scatter_add index_select index_put take "
    "masked_select cat unfold roll repeat_interleave matmul linalg.solve einsum nn.functional.conv2d "
    "nn.functional.conv_transpose1d nn.functional.max_pool2d nn.functional.avg_pool1d nn.functional.embedding "
    "nn.functional.cross_entropy softmax nn.functional.batch_norm nn.functional.layer_norm "
    "nn.functional.interpolate.bilinear nn.functional.grid_sample nn.functional.pad.reflect bincount unique "
    "as_strided multinomial"
).split()

BY_INDEX = (
    "gather scatter_add index_select index_put take nn.functional.embedding nn.functional.conv2d "
    "nn.functional.max_pool2d nn.functional.grid_sample nn.functional.cross_entropy searchsorted as_strided"
).split()


def run(seed: int, count: int, names: list[str], bounds_check: bool) -> None:
    environment = dict(os.environ, NUMBA_BOUNDSCHECK=str(int(bounds_check)), OMP_NUM_THREADS="1")
    command = [sys.executable, str(HERE / "fuzz.py"), str(seed), str(count), *names]
    done = subprocess.run(command, env=environment, cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}"


def test_a_part_of_the_ops_survives():
    run(1, 4, A_PART, bounds_check=False)


# with checks every kernel is compiled once more: those whose indices come from the caller's numbers
def test_what_reads_by_index_stays_within_its_buffers():
    run(1, 4, BY_INDEX, bounds_check=True)


@pytest.mark.slow
@pytest.mark.parametrize("bounds_check", [False, True], ids=["compiled", "bounds_checked"])
def test_every_op_survives(bounds_check):
    run(0, 8, [], bounds_check)
