"""Reductions of parts of larger tensors, whose lines lie apart in memory: values and strides against torch's."""

import numpy as np
import pytest
import torch

import minitorch

PARTS = {
    "first columns": lambda x: x[:, :90],
    "last columns of later rows": lambda x: x[1:, 10:],
    "one column": lambda x: x[:, :1],
    "every other row": lambda x: x[::2, :60],
    "first steps": lambda x: x.view(-1, 20, 40)[:, :7],
    "columns of steps": lambda x: x.view(-1, 20, 40)[:, :, 3:33],
    "both": lambda x: x.view(-1, 20, 40)[:, 2:17, 3:33],
    "permuted": lambda x: x.view(-1, 20, 40)[:, :, 3:33].permute(2, 0, 1),
    "of four dimensions": lambda x: x.view(-1, 10, 5, 40)[:, :, 1:3].permute(2, 3, 0, 1),
    "expanded": lambda x: x[:, None, :50].expand(-1, 3, -1),
    "overlapping": lambda x: x.as_strided((1000, 90), (100, 1)),
}
REDUCTIONS = {
    "sum": lambda x, *dim: x.sum(*dim),
    "mean": lambda x, *dim: x.double().mean(*dim) if not x.is_floating_point() else x.mean(*dim),
    "amax": lambda x, *dim: x.amax(*dim),
    "amin": lambda x, *dim: x.amin(*dim),
    "prod": lambda x, *dim: (1 + x / 1e4).prod(*dim) if x.is_floating_point() else x.sum(*dim),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("part", PARTS)
def test_reductions_of_parts_are_torchs(part, name, dtype):
    values = (np.random.default_rng(5).standard_normal((800, 200)) * 10).astype(dtype)
    ndim = PARTS[part](torch.from_numpy(values)).ndim
    dims = [(), *[(d,) for d in range(ndim)]]
    if name in ("sum", "mean"):
        dims.append(((0, ndim - 1),))
    for dim in dims:
        ours, theirs = (REDUCTIONS[name](PARTS[part](ns.from_numpy(values)), *dim) for ns in (minitorch, torch))
        tolerance = 1e-4 if ours.dtype is minitorch.float32 else 1e-10
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=tolerance, atol=10 * tolerance)
        assert ours.stride() == theirs.stride()


def test_threads_change_no_bit_of_rows_that_lie_apart():
    x = minitorch.randn(600, 900)[:, :700]
    before, made = minitorch.get_num_threads(), []
    try:
        for count in (1, 2):
            minitorch.set_num_threads(count)
            made.append([x.sum(1).numpy(), x.sum(0).numpy(), x.sum().numpy()])
    finally:
        minitorch.set_num_threads(before)
    for one, two in zip(*made, strict=True):
        np.testing.assert_array_equal(one, two)
