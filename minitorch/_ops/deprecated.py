"""Functions of linear algebra that torch replaced: warnings, each once in a process, and errors of those removed."""

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from minitorch.autograd._warnings import warn

from .public import public

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
    "frobenius_norm": (
        "at::frobenius_norm is deprecated and it is just left for JIT compatibility. It will be removed in a future "
        "PyTorch release. Please use `linalg.vector_norm(A, 2., dim, keepdim)` instead",
    ),
    "nuclear_norm": (
        "at::nuclear_norm is deprecated and it is just left for JIT compatibility. It will be removed in a future "
        "PyTorch release. Please use `linalg.matrix_norm(A, 'nuc', dim, keepdim)` instead",
    ),
}


@functools.cache
def warn_deprecated(name: str) -> None:
    """Warn of the function of this name, which calls here, at the line that called it."""
    warn("\n".join(_REPLACED[name]))


def _removed(name: str, instead: str) -> Callable[..., NoReturn]:
    def function(input: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(f"This function was deprecated since version 1.9 and is now removed. Use {instead} instead.")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Removed from torch in favour of {instead}."
    return function


for _name, _instead in (
    ("eig", "torch.linalg.eig"), ("lstsq", "torch.linalg.lstsq"), ("solve", "torch.linalg.solve"),
    ("symeig", "torch.linalg.eigh"),
):  # fmt: skip
    public("torch Tensor", bare=True)(_removed(_name, _instead))
public("torch", bare=True)(_removed("matrix_rank", "torch.linalg.matrix_rank"))
