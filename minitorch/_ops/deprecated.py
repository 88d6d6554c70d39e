"""Warnings of functions of linear algebra that torch replaced: each once in a process, beginning as torch's."""

import functools

from minitorch.autograd._lines import warn

_REPLACED = {
    "cholesky": (
        "torch.cholesky is deprecated in favor of torch.linalg.cholesky and will be removed in a future PyTorch "
        "release.",
        "With upper=True that is linalg.cholesky(x).mH.",
    ),
    "qr": (
        "torch.qr is deprecated in favor of torch.linalg.qr and will be removed in a future PyTorch release.",
        "some=True is mode='reduced' there, some=False mode='complete'.",
    ),
    "lu": (
        "torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex and will be removed in "
        "a future PyTorch release.",
        "get_infos=True is linalg.lu_factor_ex.",
    ),
    "lu_solve": (
        "torch.lu_solve is deprecated in favor of torch.linalg.lu_solveand will be removed in a future PyTorch "
        "release.",
        "The right-hand side comes last there: linalg.lu_solve(LU, pivots, B).",
    ),
    "triangular_solve": (
        "torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangularand will be removed in a future "
        "PyTorch release.",
        "The matrix comes first there, and upper= must be given: linalg.solve_triangular(A, B, upper=True).",
    ),
    "chain_matmul": (
        "torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use torch.linalg.multi_dot "
        "instead, which accepts a list of two or more tensors rather than multiple parameters.",
    ),
}


@functools.cache
def warn_deprecated(name: str) -> None:
    """Warn of the function of this name, which calls here, at the line that called it."""
    warn("\n".join(_REPLACED[name]))
