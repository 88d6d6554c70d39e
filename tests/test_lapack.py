"""What `_kernels/cpu/lapack.py` adds to NumPy's LAPACK: blocks, and names that depend on NumPy's version."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from compare import assert_same

import minitorch
from minitorch._kernels.cpu import lapack, openblas

WAYS = pytest.mark.parametrize("way", ["OpenBLAS", "another library"], indirect=True)


@pytest.fixture
def way(request, monkeypatch):
    if request.param != "OpenBLAS":
        monkeypatch.setattr(openblas, "_function", lambda *names: None)
    return request.param


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


@WAYS
@pytest.mark.parametrize("n", [1, 31, 32, 33, 100])
def test_blocked_lu_is_exact_across_its_blocks(n, way):
    a = np.random.default_rng(n).standard_normal((2, n, n))
    LU, pivots, info = lapack.lu(a)
    L, U = np.tril(LU, -1) + np.eye(n), np.triu(LU)
    rows = np.stack([m[p] for m, p in zip(a, lapack.permutation(pivots, n))])
    np.testing.assert_allclose(L @ U, rows, atol=1e-10)
    assert np.abs(L).max() <= 1 and not info.any()
    b = np.random.default_rng(0).standard_normal((2, n, 3))
    np.testing.assert_allclose(U @ lapack.solve_triangular(U, b, True, False), b, atol=1e-6)


@WAYS
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("n", [32, 33, 70])
def test_blocked_triangular_systems_read_one_triangle_across_their_blocks(n, upper, way):
    a, b = random(n, n) / n + np.eye(n), random(3, n, 2)
    a[np.tril_indices(n, -1) if upper else np.triu_indices(n, 1)] = np.nan
    ours, theirs = (
        ns.linalg.solve_triangular(ns.tensor(a).expand(3, n, n), ns.tensor(b), upper=upper) for ns in (minitorch, torch)
    )
    assert_same(ours, theirs, 1e-12)


@WAYS
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_triangular_systems_of_any_layout_and_side(left, turned, way):
    a, b = random(2, 40, 40) / 40 + np.eye(40), random(2, *((40, 7) if left else (7, 40)))

    def solved(ns):
        A, B = ns.tensor(a), ns.tensor(b)
        A = A.mT if turned else A
        return [
            ns.linalg.solve_triangular(A, B, upper=upper, left=left, unitriangular=unit)
            for upper in (False, True)
            for unit in (False, True)
        ]

    for ours, theirs in zip(solved(minitorch), solved(torch)):
        assert_same(ours, theirs, 1e-11)


@WAYS
@pytest.mark.parametrize("shape", [(40, 40), (3, 70, 33), (33, 70), (2, 3, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_decompositions_in_their_own_precision(shape, dtype, way):
    a, error = random(*shape).astype(dtype), 2e-4 if dtype == "float32" else 1e-11
    for mode in ("reduced", "complete", "r"):
        for ours, theirs in zip(*[ns.linalg.qr(ns.tensor(a), mode) for ns in (minitorch, torch)]):
            assert_same(ours, theirs, error)
    for ours, theirs in zip(*[ns.linalg.lu_factor_ex(ns.tensor(a)) for ns in (minitorch, torch)]):
        assert_same(ours, theirs, error)


@WAYS
@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (2, 9, 4)])
@pytest.mark.parametrize("rank", [2, None])
def test_least_squares_of_any_rank(shape, rank, way):
    a, b = random(*shape), random(*shape[:-1], 3)
    if rank:
        a = random(*shape[:-1], rank) @ random(*shape[:-2], rank, shape[-1])
    ours, theirs = (ns.linalg.lstsq(ns.tensor(a), ns.tensor(b)) for ns in (minitorch, torch))
    for mine, its in zip(ours, theirs):
        assert_same(mine, its, 1e-11)


@WAYS
def test_a_singular_matrix_is_told_from_a_regular_one(way):
    a = np.stack([np.eye(40), np.zeros((40, 40)), np.diag(np.arange(40.0)[::-1])])
    ours, theirs = (ns.linalg.lu_factor_ex(ns.tensor(a)) for ns in (minitorch, torch))
    for mine, its in zip(ours, theirs):
        assert_same(mine, its, 0)


def test_older_numpys_names_of_the_lapack_routines_are_found(monkeypatch):
    for shape, name in (((2, 3), "svd_m_s"), ((3, 2), "svd_n_s")):
        with monkeypatch.context() as patch:
            patch.setattr(lapack, "routines", SimpleNamespace(**{name: np.linalg._umath_linalg.svd_s}))
            assert lapack.call("svd_s", random(*shape))[1].shape == (2,)
