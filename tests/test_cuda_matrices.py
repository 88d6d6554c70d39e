"""Factors, inverses and systems of equations on an emulated GPU."""

import numpy as np
import pytest
from cuda_compare import gpu, gradients, mostly_slow, normal, same  # noqa: F401

import minitorch

pytestmark = pytest.mark.usefixtures("gpu")


def regular(*shape, seed=0):
    """Matrices far from singular ones, which need their rows swapped."""
    x = normal(*shape, seed=seed)
    return x + 3 * np.eye(shape[-1], dtype=np.float32)[::-1]


def positive(*shape):
    x = normal(*shape)
    return x @ x.swapaxes(-1, -2) + np.eye(shape[-1], dtype=np.float32)


FUNCTIONS = {
    "inv": lambda torch, A, B: torch.linalg.inv(A),
    "solve": lambda torch, A, B: torch.linalg.solve(A, B),
    "solve of the right": lambda torch, A, B: torch.linalg.solve(A, B.mT, left=False),
    "lower": lambda torch, A, B: torch.linalg.solve_triangular(A.mT.tril(), B, upper=False, unitriangular=True),
    "upper": lambda torch, A, B: torch.linalg.solve_triangular(
        A.triu() + 2 * torch.diag_embed(torch.ones_like(A[..., 0])), B.mT, upper=True, left=False
    ),
    "det": lambda torch, A, B: torch.linalg.det(A),
    "slogdet": lambda torch, A, B: torch.linalg.slogdet(A).logabsdet,
    "lu": lambda torch, A, B: torch.linalg.lu(A).L + torch.linalg.lu(A).U,
}


@pytest.mark.parametrize("name", mostly_slow(FUNCTIONS, "solve det lower"))
@pytest.mark.parametrize("lead", mostly_slow([(), (2,)], "(2,)"), ids=str)
def test_a_function_of_matrices_and_its_gradients(name, lead):
    A, B = regular(*lead, 4, 4), normal(*lead, 4, 3, seed=1)
    same(FUNCTIONS[name], A, B, error=1e-5)
    used = (A, B) if "det" not in name and name not in ("inv", "lu") else (A,)

    def slopes(torch, *given):
        return gradients(torch, lambda A, B=None: FUNCTIONS[name](torch, A, B) ** 2, *given)

    same(slopes, *used, error=1e-4)


@pytest.mark.parametrize("upper", mostly_slow([False, True], "False"))
def test_cholesky_factors_and_their_gradients(upper):
    A = positive(2, 4, 4)
    factor = lambda torch, A: torch.linalg.cholesky(A, upper=upper)  # noqa: E731
    same(factor, A, error=1e-5)
    same(lambda torch, A: gradients(torch, lambda A: factor(torch, A @ A.mT) ** 2, A), A, error=1e-4)


def test_the_parts_of_factors():
    same(lambda torch, A: torch.linalg.lu(A), normal(2, 5, 3), error=1e-5)
    same(lambda torch, A: torch.linalg.lu_factor_ex(A), normal(3, 5), error=1e-5)
    same(lambda torch, A: torch.lu_unpack(*torch.linalg.lu_factor(A)), normal(2, 4, 3), error=1e-5)
    same(lambda torch, A: torch.linalg.slogdet(A), -regular(3, 3, 3), error=1e-5)
    same(lambda torch, A: torch.linalg.inv(A), regular(4, 4).astype(np.float64), error=1e-13)
    same(lambda torch, A: torch.linalg.cholesky_ex(A).info, np.stack([-positive(3, 3), positive(3, 3)]), error=0)


def test_what_factors_are_good_for():
    L, B = np.tril(regular(2, 3, 3)) + 2 * np.eye(3, dtype=np.float32), normal(2, 3, 2, seed=1)
    same(lambda torch, L, B: (torch.cholesky_solve(B, L), torch.cholesky_inverse(L.mT, upper=True)), L, B, error=1e-5)
    slopes = lambda torch, *x: gradients(torch, lambda L, B: torch.cholesky_solve(B, L) ** 2, *x)  # noqa: E731
    same(slopes, L, B, error=1e-4)
    A = regular(2, 3, 3)
    same(lambda torch, A, B: torch.linalg.lu_solve(*torch.linalg.lu_factor(A), B), A, B, error=1e-5)
    same(lambda torch, A, b: torch.linalg.solve(A, b), A, B[..., 0].copy(), error=1e-5)
    distribution = lambda torch, m, A: torch.distributions.MultivariateNormal(m, A @ A.mT)  # noqa: E731
    same(lambda torch, m, A: distribution(torch, m, A).log_prob(m + 1), B[..., 0].copy(), A, error=1e-5)


def test_singular_matrices():
    A = np.stack([np.ones((3, 3), np.float32), regular(3, 3)])
    same(lambda torch, A: torch.linalg.inv_ex(A).info, A, error=0)
    same(lambda torch, A: (torch.linalg.det(A)[0], *torch.linalg.slogdet(A[0])), A, error=0)
    A = minitorch.from_numpy(A).cuda()
    for call, text in {
        minitorch.linalg.inv: r"linalg.inv: \(Batch element 0\): The diagonal element 2 is zero",
        lambda A: minitorch.linalg.solve(A, A): r"torch.linalg.solve: \(Batch element 0\): The solver failed",
        lambda A: minitorch.linalg.cholesky(-A): r"linalg.cholesky: \(Batch element 0\): .* order 1 is not positive",
        minitorch.linalg.lu_factor: r"torch.linalg.lu_factor: \(Batch element 0\): U\[2,2\] is zero",
    }.items():
        with pytest.raises(RuntimeError, match=text):
            call(A)


def test_matrices_without_elements():
    for shape in ((0, 3, 3), (2, 0, 0)):
        x = minitorch.zeros(*shape).cuda()
        assert minitorch.linalg.inv(x).shape == shape
        assert minitorch.linalg.cholesky(x).shape == shape
        assert minitorch.linalg.det(x).tolist() == [1.0] * shape[0]
