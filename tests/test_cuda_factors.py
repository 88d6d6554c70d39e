"""QR, eigenvalues, singular values and what is made of them on an emulated GPU."""

import numpy as np
import pytest
import torch
from cuda_compare import gpu, gradients, mostly_slow, normal, same  # noqa: F401
from emulated_gpu import emulated

import minitorch

pytestmark = pytest.mark.usefixtures("gpu")


def symmetric(*shape):
    x = normal(*shape)
    return x + x.swapaxes(-1, -2)


def graded(m, n):
    """Matrices whose singular values are 1, 2, ..., so that gradients by vectors are tame."""
    k = min(m, n)
    bases = [np.linalg.qr(normal(2, size, size, seed=size))[0][..., :k] for size in (m, n)]
    return np.ascontiguousarray((bases[0] * np.arange(1, k + 1)) @ bases[1].swapaxes(-1, -2), np.float32)


def assert_orthonormal(rows):
    """Rounding adds up over the rotations of a vector, of which there are as many as columns in a sweep."""
    n = rows.shape[-1]
    product = rows @ rows.swapaxes(-1, -2)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(rows.shape[-2]), product.shape), 0, 3e-7 * (n + 4))


def spectral(torch, A, UPLO="L"):
    """What does not hang on the vectors' signs."""
    L, V = torch.linalg.eigh(A, UPLO)
    return (V * (L * 0.3).exp().unsqueeze(-2)) @ V.mT + L.unsqueeze(-1)


def singular(torch, A, full=False):
    U, S, Vh = torch.linalg.svd(A, full_matrices=full)
    k = S.shape[-1]
    return (U[..., :k] * (S * 0.3).exp().unsqueeze(-2)) @ Vh[..., :k, :]


SHAPES = ["4x4", "5x3", "3x5", "1x3", "3x1", "18x17"]


def sizes(shape):
    return tuple(map(int, shape.split("x")))


@pytest.mark.parametrize("mode", mostly_slow(["reduced", "complete", "r"], "reduced complete"))
@pytest.mark.parametrize("shape", mostly_slow(SHAPES, "5x3"))
def test_qr_is_lapacks(shape, mode):
    A = normal(2, *sizes(shape))
    found = slice(1, None) if mode == "r" else slice(None)
    same(lambda torch, A: torch.linalg.qr(A, mode)[found], A, error=3e-6)


@pytest.mark.parametrize("shape", mostly_slow(SHAPES[:3], "5x3"))
def test_gradients_of_qr(shape):
    function = lambda torch, A: (torch.linalg.qr(A).Q.sin() @ torch.linalg.qr(A).R).tanh()  # noqa: E731
    same(lambda torch, A: gradients(torch, lambda A: function(torch, A), A), normal(2, *sizes(shape)), error=1e-4)


@pytest.mark.parametrize("n", mostly_slow([1, 2, 5, 8, 17], "5"), ids=str)
def test_eigenvalues_and_vectors(n):
    A = symmetric(2, n, n)
    same(lambda torch, A: (torch.linalg.eigvalsh(A), spectral(torch, A)), A, error=3e-6)
    same(lambda torch, A: spectral(torch, A.triu(), "U"), A, error=3e-6)
    V = minitorch.linalg.eigh(minitorch.from_numpy(A).cuda()).eigenvectors.cpu().numpy()
    assert_orthonormal(V.swapaxes(-1, -2))


def test_gradients_of_eigenvalues():
    A = symmetric(2, 4, 4)
    same(lambda torch, A: gradients(torch, lambda A: spectral(torch, A + A.mT).sin(), A), A, error=1e-4)
    same(lambda torch, A: gradients(torch, lambda A: torch.linalg.eigvalsh(A) ** 2, A), A, error=1e-5)


@pytest.mark.parametrize("full", mostly_slow([False, True], "False"), ids=str)
@pytest.mark.parametrize("shape", mostly_slow(SHAPES, "5x3 3x5"))
def test_singular_values_and_vectors(shape, full):
    A = normal(2, *sizes(shape))
    same(lambda torch, A: (torch.linalg.svdvals(A), singular(torch, A, full)), A, error=3e-6)
    U, _, Vh = (t.cpu().numpy() for t in minitorch.linalg.svd(minitorch.from_numpy(A).cuda(), full))
    wanted = torch.linalg.svd(torch.from_numpy(A), full)
    assert U.shape == wanted.U.shape and Vh.shape == wanted.Vh.shape
    assert_orthonormal(U.swapaxes(-1, -2))
    assert_orthonormal(Vh)


@pytest.mark.parametrize("shape", mostly_slow(SHAPES[:3], "5x3"))
def test_gradients_of_singular_values(shape):
    A = graded(*sizes(shape))
    same(lambda torch, A: gradients(torch, lambda A: singular(torch, A).sin(), A), A, error=1e-4)
    same(lambda torch, A: gradients(torch, lambda A: torch.linalg.svdvals(A) ** 2, A), A, error=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_matrices_far_from_one_in_size(scale):
    A, S = normal(3, 3) * np.float32(scale), symmetric(3, 3) * np.float32(scale)
    same(lambda torch, A: torch.linalg.qr(A).R, A, error=3e-6 * min(scale, 1.0))
    same(lambda torch, A: torch.linalg.svdvals(A), A, error=3e-6 * min(scale, 1.0))
    same(lambda torch, A: torch.linalg.eigvalsh(A), S, error=3e-6 * min(scale, 1.0))


def test_bases_of_matrices_without_full_rank_are_complete():
    A = np.zeros((3, 5, 4), np.float32)
    A[0, :, :2] = [1.0, 2.0]
    A[1] = np.outer(np.arange(1, 6), [1, 0, 2, 0])
    U, S, Vh = (t.cpu().numpy() for t in minitorch.linalg.svd(minitorch.from_numpy(A).cuda()))
    assert_orthonormal(U)
    assert_orthonormal(Vh)
    np.testing.assert_allclose((U[..., :4] * S[:, None]) @ Vh, A, 0, 1e-5)
    same(lambda torch, A: torch.linalg.matrix_rank(A), A, error=0)


def test_doubles():
    A = normal(2, 5, 4).astype(np.float64)
    same(lambda torch, A: (*torch.linalg.qr(A), singular(torch, A), torch.linalg.pinv(A)), A, error=1e-13)
    same(lambda torch, A: (spectral(torch, A.mT @ A), torch.linalg.matrix_exp(A.mT @ A)), A, error=1e-13)


def test_what_singular_values_are_good_for():
    A = normal(2, 4, 3)
    same(lambda torch, A: (torch.linalg.pinv(A), torch.linalg.pinv(A.mT, rtol=0.5)), A, error=3e-6)
    same(lambda torch, A: torch.linalg.pinv(A @ A.mT, hermitian=True, rtol=1e-3), A, error=1e-5)
    same(lambda torch, A: (torch.linalg.matrix_rank(A), torch.linalg.matrix_rank(A, atol=1.5)), A, error=0)
    same(lambda torch, A: torch.linalg.matrix_rank(A, atol=torch.full_like(A[:, 0, 0], 1.5)), A, error=0)
    same(lambda torch, A: (torch.linalg.cond(A), torch.linalg.matrix_norm(A, 2)), A, error=3e-6)
    same(lambda torch, A: torch.linalg.matrix_norm(A, "nuc"), A, error=3e-6)
    same(lambda torch, A: gradients(torch, lambda A: torch.linalg.pinv(A) ** 2, A), A, error=1e-4)
    square = symmetric(2, 3, 3)
    same(lambda torch, A: torch.linalg.cond(A, 1), square, error=3e-6)


@pytest.mark.parametrize("shape", mostly_slow(SHAPES[:3], "5x3 3x5"))
def test_least_squares(shape):
    A, B = normal(2, *sizes(shape)), normal(2, sizes(shape)[0], 2, seed=1)

    def solution(torch, A, B):
        found = torch.linalg.lstsq(A, B, driver="gels")
        return found.solution, found.residuals, found.rank

    same(solution, A, B, error=1e-5)
    slopes = lambda torch, *x: gradients(torch, lambda A, B: torch.linalg.lstsq(A, B).solution ** 2, *x)  # noqa: E731
    same(slopes, A, B, error=1e-4)
    with pytest.raises(RuntimeError, match=r"torch.linalg.lstsq: parameter `driver` should be gels"):
        minitorch.linalg.lstsq(minitorch.from_numpy(A).cuda(), minitorch.from_numpy(B).cuda(), driver="gelsd")


def test_the_exponential_of_matrices():
    A = normal(3, 4, 4) * np.array([0.1, 3.0, 20.0], np.float32)[:, None, None] / 4
    same(lambda torch, A: torch.linalg.matrix_exp(A), A, error=3e-6)
    same(lambda torch, A: gradients(torch, lambda A: torch.linalg.matrix_exp(A).sin(), A), A[:2], error=1e-4)
    A[1, 0, 0] = np.inf
    found = minitorch.linalg.matrix_exp(minitorch.from_numpy(A).cuda()).isnan()
    assert found.sum((1, 2)).tolist() == [0, 16, 0]


def test_reflectors_are_lapacks():
    same(lambda torch, A: torch.geqrf(A), normal(5, 3), error=3e-6)
    same(lambda torch, A: torch.linalg.householder_product(*torch.geqrf(A)), normal(5, 3), error=3e-6)


def test_what_is_not_finite_is_refused():
    A = normal(2, 3, 3)
    A[1, 2, 0] = np.nan
    A = minitorch.from_numpy(A).cuda()
    failed = r"\(Batch element 1\): The algorithm failed to converge because the input matrix "
    for call, name, why in (
        (minitorch.linalg.svd, "svd", "contained non-finite values"),
        (minitorch.linalg.svdvals, "svd", "contained non-finite values"),
        (minitorch.linalg.pinv, "svd", "contained non-finite values"),
        (minitorch.linalg.eigh, "eigh", "is ill-conditioned"),
        (minitorch.linalg.eigvalsh, "eigh", "is ill-conditioned"),
    ):
        with pytest.raises(minitorch.linalg.LinAlgError, match=f"linalg.{name}: {failed}{why}"):
            call(A)


def test_drivers_of_a_gpu_are_all_one():
    A = minitorch.from_numpy(normal(3, 3)).cuda()
    assert minitorch.equal(minitorch.linalg.svdvals(A, driver="gesvdj"), minitorch.linalg.svdvals(A))
    with pytest.raises(RuntimeError, match=r"torch.linalg.svd: unknown svd driver fast in svd_cusolver computation"):
        minitorch.linalg.svd(A, driver="fast")


@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 0, 3), (2, 3, 0), (0, 0)], ids=str)
def test_factors_of_matrices_without_elements(shape):
    A = np.zeros(shape, np.float32)
    same(lambda torch, A: (*torch.linalg.qr(A, "complete"), *torch.linalg.svd(A), torch.linalg.pinv(A)), A, error=0)
    if shape[-1] == shape[-2]:
        same(lambda torch, A: (*torch.linalg.eigh(A), torch.linalg.matrix_exp(A)), A, error=0)


@pytest.mark.parametrize("n", mostly_slow([1, 2, 5, 9], "5"))
def test_symmetric_systems(n):
    A, B = symmetric(2, n, n), normal(2, n, 3)
    A[0, range(n), range(n)] *= 1e-3  # which makes blocks of two rows
    same(lambda torch, A: torch.linalg.ldl_factor_ex(A.tril()), A, error=1e-5)
    same(lambda torch, A, B: torch.linalg.ldl_solve(*torch.linalg.ldl_factor(A), B), A, B, error=1e-4)


def test_symmetric_systems_without_a_solution():
    A = np.zeros((2, 3, 3), np.float32)
    A[1] = np.eye(3)
    same(lambda torch, A: torch.linalg.ldl_factor_ex(A), A, error=0)
    with pytest.raises(RuntimeError, match="the matrix is singular"):
        minitorch.linalg.ldl_factor(minitorch.from_numpy(A).cuda())


def test_threads_do_not_race():
    A = normal(2, 18, 17)
    with emulated(races=True):
        for a in (A[:, :5, :3], A[:1]):
            x = minitorch.from_numpy(np.ascontiguousarray(a)).cuda()
            minitorch.linalg.qr(x)
            square = x.mT @ x
            minitorch.linalg.eigh(square)
            minitorch.linalg.ldl_solve(*minitorch.linalg.ldl_factor(square), x.mT)
            if a.shape[-1] == 3:
                minitorch.linalg.svd(x)
