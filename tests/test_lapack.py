"""What `_kernels/cpu/lapack.py` adds to NumPy's LAPACK: blocks, and names that depend on NumPy's version."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from compare import assert_same

import minitorch
from minitorch._kernels.cpu import lapack


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


@pytest.mark.parametrize("n", [1, 31, 32, 33, 100])
def test_blocked_lu_is_exact_across_its_blocks(n):
    a = np.random.default_rng(n).standard_normal((2, n, n))
    LU, pivots, info = lapack.lu(a)
    L, U = np.tril(LU, -1) + np.eye(n), np.triu(LU)
    rows = np.stack([m[p] for m, p in zip(a, lapack.permutation(pivots, n))])
    np.testing.assert_allclose(L @ U, rows, atol=1e-10)
    assert np.abs(L).max() <= 1 and not info.any()
    b = np.random.default_rng(0).standard_normal((2, n, 3))
    np.testing.assert_allclose(U @ lapack.solve_triangular(U, b, True, False), b, atol=1e-6)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("n", [32, 33, 70])
def test_blocked_triangular_systems_read_one_triangle_across_their_blocks(n, upper):
    a, b = random(n, n) / n + np.eye(n), random(3, n, 2)
    a[np.tril_indices(n, -1) if upper else np.triu_indices(n, 1)] = np.nan
    ours, theirs = (
        ns.linalg.solve_triangular(ns.tensor(a).expand(3, n, n), ns.tensor(b), upper=upper) for ns in (minitorch, torch)
    )
    assert_same(ours, theirs, 1e-12)


def test_older_numpys_names_of_the_lapack_routines_are_found(monkeypatch):
    for shape, name in (((2, 3), "svd_m_s"), ((3, 2), "svd_n_s")):
        with monkeypatch.context() as patch:
            patch.setattr(lapack, "routines", SimpleNamespace(**{name: np.linalg._umath_linalg.svd_s}))
            assert lapack.call("svd_s", random(*shape))[1].shape == (2,)
