"""LDL factorizations against torch's: factors, pivots and solutions, whether blocks have one row or two; errors."""

import numpy as np
import pytest
import torch
from compare import PAIR, assert_same, assert_same_outcome, both, first_line

import minitorch


def symmetric(*shape, zeros=0):
    a = np.random.default_rng(sum(shape)).standard_normal((*shape, shape[-1]))
    a = a + a.swapaxes(-1, -2)
    a[..., range(zeros), range(zeros)] = 0
    return a


MATRICES = {
    "of one row": symmetric(1),
    "of five": symmetric(5, zeros=2),
    "with a diagonal of zeros": symmetric(6, zeros=6),
    "positive": symmetric(4) @ symmetric(4),
    "of eighty": symmetric(80),  # torch's LAPACK takes blocks
    "a batch": symmetric(2, 3, 7, zeros=3),
    "an empty batch": symmetric(0, 2),
    "of no rows": symmetric(2, 0),
    "two rows that need a block": np.array([[0.0, 2.0], [2.0, 0.0]]),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", MATRICES)
def test_factors_and_solutions_are_torchs(name, dtype):
    def call(ns):
        a = ns.tensor(MATRICES[name], dtype=getattr(ns, dtype))
        b = ns.ones(*a.shape[:-1], 3, dtype=a.dtype).cumsum(-1)
        LD, pivots, info = ns.linalg.ldl_factor_ex(a)
        assert all(ns.equal(x, y) for x, y in zip(ns.linalg.ldl_factor(a), (LD, pivots), strict=True))
        return LD, pivots, info, ns.linalg.ldl_solve(LD, pivots, b)

    assert_same(call(minitorch), call(torch), 1e-9 if dtype == "float64" else 2e-3)


def test_the_lower_triangle_counts_and_batches_broadcast():
    a = symmetric(5, zeros=2)
    found = minitorch.linalg.ldl_factor(minitorch.tensor(np.tril(a) + np.triu(np.full_like(a, np.nan), 1)))
    assert_same(tuple(found), tuple(torch.linalg.ldl_factor(torch.tensor(a))), 1e-12)

    def solution(ns):
        LD, pivots = ns.linalg.ldl_factor(ns.tensor(symmetric(3, 5)))
        return ns.linalg.ldl_solve(LD, pivots, ns.ones(5, 2, dtype=ns.float64))

    assert_same(solution(minitorch), solution(torch), 1e-9)


def factored(ns):
    return ns.linalg.ldl_factor(ns.tensor(symmetric(5)))


CALLS = {
    "no matrix": lambda ns: ns.linalg.ldl_factor(ns.ones(3)),
    "no square": lambda ns: ns.linalg.ldl_factor(ns.ones(2, 3)),
    "integers": lambda ns: ns.linalg.ldl_factor(ns.ones(2, 2).long()),
    "halves": lambda ns: ns.linalg.ldl_factor(ns.ones(2, 2).half()),
    "singular, not checked": lambda ns: ns.linalg.ldl_factor_ex(ns.zeros(2, 2)),
    "out": lambda ns: ns.linalg.ldl_factor(ns.eye(2), out=(ns.empty(0), ns.empty(0).int())).LD,
    "out of another dtype": lambda ns: ns.linalg.ldl_factor(ns.eye(2), out=(ns.empty(0).double(), ns.empty(0).int())),
    "a right-hand side that is a vector": lambda ns: ns.linalg.ldl_solve(*factored(ns), ns.ones(5).double()),
    "a right-hand side of other rows": lambda ns: ns.linalg.ldl_solve(*factored(ns), ns.ones(4, 2).double()),
    "a right-hand side of another dtype": lambda ns: ns.linalg.ldl_solve(*factored(ns), ns.ones(5, 2)),
    "pivots of another dtype": lambda ns: ns.linalg.ldl_solve(
        factored(ns)[0], factored(ns)[1].double(), ns.ones(5, 2).double()
    ),
    "too few pivots": lambda ns: ns.linalg.ldl_solve(factored(ns)[0], factored(ns)[1][:3], ns.ones(5, 2).double()),
    "gradient of the factors": lambda ns: ns.linalg.ldl_factor(ns.eye(2).requires_grad_())[0].sum().backward(),
    "gradient of the solution": lambda ns: (
        ns.linalg.ldl_solve(*factored(ns), ns.ones(5, 2).double().requires_grad_()).sum().backward()
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_outcome_of_an_unusual_call_is_torchs(name):
    assert_same_outcome(*both(CALLS[name]))


@pytest.mark.parametrize("name", ["ldl_factor", "ldl_factor_ex"])
def test_a_singular_matrix_is_refused(name):
    options = {"check_errors": True} if name == "ldl_factor_ex" else {}
    ours, theirs = both(lambda ns: getattr(ns.linalg, name)(ns.zeros(2, 2), **options))
    assert type(ours.error) is type(theirs.error) is RuntimeError
    assert f"torch.linalg.{name}: " in first_line(ours.error)  # torch asks for a bug report


def test_results_are_named():
    assert repr(minitorch.linalg.ldl_factor(minitorch.eye(1))) == repr(torch.linalg.ldl_factor(torch.eye(1)))
    assert [ns.linalg.ldl_factor_ex(ns.eye(1))._fields for ns in PAIR[:1]] == [("LD", "pivots", "info")]
