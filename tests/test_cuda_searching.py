"""Searching, counting, padding, windows and parts of views on an emulated GPU."""

import numpy as np
import pytest
from cuda_compare import gpu, gradients, mostly_slow, normal, same  # noqa: F401

import minitorch

pytestmark = pytest.mark.usefixtures("gpu")


# ---------------------------------------------------------------------- searching and counting
def test_searching_sorted_rows():
    rows, values = np.sort(np.round(3 * normal(2, 6)), 1), np.round(3 * normal(2, 4, seed=1))
    values[0, 0] = np.nan
    for right in (False, True):
        same(lambda torch, r, v, right=right: torch.searchsorted(r, v, right=right), rows, values, error=0)
    same(lambda torch, r, v: torch.bucketize(v, r[0], out_int32=True), rows, values, error=0)


def test_unique_elements_and_slices():
    x = np.random.default_rng(0).integers(0, 4, (5, 2))
    same(lambda torch, x: (x.unique(), *x.unique(return_inverse=True, return_counts=True)), x, error=0)
    same(lambda torch, x: torch.unique(x, dim=0, return_inverse=True, return_counts=True), x, error=0)
    same(lambda torch, x: torch.unique_consecutive(x, return_inverse=True, return_counts=True), x, error=0)


def test_counts_and_membership():
    x, w = np.array([1, 5, 1, 2, 1]), normal(5)
    same(lambda torch, x, w: (torch.bincount(x), torch.bincount(x, minlength=9), torch.bincount(x, w)), x, w)
    same(lambda torch, x, w: (torch.isin(x, x[1:3]), torch.isin(x, x[1:3], invert=True)), x, w, error=0)
    same(lambda torch, w: (torch.histc(w, 4), torch.histc(w, 3, -1, 1)), w, error=0)
    with pytest.raises(RuntimeError, match="bincount only supports 1-d non-negative"):
        minitorch.tensor([-1]).cuda().bincount()


def test_quantiles():
    same(lambda torch, x: (x.quantile(0.3), x.quantile(0.5, 1), x.nanquantile(0.2, 0, True)), normal(3, 4))


# ---------------------------------------------------------------------- padding and windows
@pytest.mark.parametrize("mode", mostly_slow(["reflect", "replicate", "circular"], "reflect"))
def test_padding_with_the_inputs_own_elements(mode):
    pad = lambda torch, x: torch.nn.functional.pad(x, (2, 1, 0, 2), mode)  # noqa: E731
    same(pad, normal(1, 2, 3, 4), error=0)
    same(lambda torch, x: gradients(torch, lambda x: pad(torch, x) ** 2, x), normal(1, 2, 3, 4))


def test_windows_and_their_gradients():
    def fold(torch, x):
        columns = torch.nn.functional.unfold(x, (2, 3), dilation=(1, 2), padding=1, stride=(2, 1))
        return columns, torch.nn.functional.fold(
            columns, x.shape[2:], (2, 3), dilation=(1, 2), padding=1, stride=(2, 1)
        )

    same(fold, normal(2, 2, 4, 6))
    same(lambda torch, x: gradients(torch, lambda x: fold(torch, x)[1] ** 2, x), normal(1, 2, 4, 6))
    same(lambda torch, x: gradients(torch, lambda x: x.unfold(1, 3, 2) ** 2, x), normal(2, 7))


@pytest.mark.parametrize("groups", mostly_slow([1, 2], "2"))
def test_convolution_of_volumes_and_of_doubles(groups):
    x, w, b = normal(2, 2, 3, 4, 3), normal(4, 2 // groups, 2, 3, 2, seed=1), normal(4, seed=2)

    def convolve(torch, x, w, b):
        layers = torch.nn.functional
        return layers.conv3d(x, w, b, stride=(1, 2, 1), padding=1, dilation=(1, 1, 2), groups=groups)

    same(convolve, x, w, b)
    same(lambda torch, *x: gradients(torch, lambda *x: convolve(torch, *x) ** 2, *x), x, w, b, error=1e-5)
    x, w = normal(1, 2, 5, 4).astype(np.float64), normal(4, 2 // groups, 3, 2).astype(np.float64)
    same(lambda torch, x, w: torch.nn.functional.conv2d(x, w, groups=groups), x, w, error=1e-14)


# ---------------------------------------------------------------------- parts
def test_diagonals_and_parts_of_views():
    x = normal(3, 4)
    same(lambda torch, x: (torch.diag_embed(x), torch.diag_embed(x, 1, 0, 2), torch.diag(x[0], -1)), x, error=0)
    same(lambda torch, x: gradients(torch, lambda x: x.diagonal(1) ** 2 + x.diag_embed().sum(), x), x)
    same(lambda torch, x: (x.diagonal_scatter(x[0, :3]), x.select_scatter(x[0], 0, 2)), x, error=0)

    def views(torch, x):
        y = x * 1
        y[1, 1:].mul_(3.0)
        y.t()[2].add_(x[:, 0])
        return y**2

    same(lambda torch, x: gradients(torch, lambda x: views(torch, x), x), x)
