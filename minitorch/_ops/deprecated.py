"""Warnings of functions of linear algebra that torch replaced: each once in a process, as torch gives them."""

import functools
import warnings

_REPLACED = {
    "cholesky": """torch.cholesky is deprecated in favor of torch.linalg.cholesky and will be removed in a future \
PyTorch release.
L = torch.cholesky(A)
should be replaced with
L = torch.linalg.cholesky(A)
and
U = torch.cholesky(A, upper=True)
should be replaced with
U = torch.linalg.cholesky(A).mH
This transform will produce equivalent results for all valid (symmetric positive definite) inputs.""",
    "qr": """torch.qr is deprecated in favor of torch.linalg.qr and will be removed in a future PyTorch release.
The boolean parameter 'some' has been replaced with a string parameter 'mode'.
Q, R = torch.qr(A, some)
should be replaced with
Q, R = torch.linalg.qr(A, 'reduced' if some else 'complete')""",
    "lu": """torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex and will be \
removed in a future PyTorch release.
LU, pivots = torch.lu(A, compute_pivots)
should be replaced with
LU, pivots = torch.linalg.lu_factor(A, compute_pivots)
and
LU, pivots, info = torch.lu(A, compute_pivots, get_infos=True)
should be replaced with
LU, pivots, info = torch.linalg.lu_factor_ex(A, compute_pivots)""",
    "lu_solve": """torch.lu_solve is deprecated in favor of torch.linalg.lu_solveand will be removed in a future \
PyTorch release.
Note that torch.linalg.lu_solve has its arguments reversed.
X = torch.lu_solve(B, LU, pivots)
should be replaced with
X = torch.linalg.lu_solve(LU, pivots, B)""",
    "triangular_solve": """torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangularand will be \
removed in a future PyTorch release.
torch.linalg.solve_triangular has its arguments reversed and does not return a copy of one of the inputs.
X = torch.triangular_solve(B, A).solution
should be replaced with
X = torch.linalg.solve_triangular(A, B).""",
    "chain_matmul": """torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use \
torch.linalg.multi_dot instead, which accepts a list of two or more tensors rather than multiple parameters.""",
}


@functools.cache
def warn_deprecated(name: str) -> None:
    """Warn of the function of this name, which calls here, at the line that called it."""
    warnings.warn(_REPLACED[name], UserWarning, stacklevel=4)
