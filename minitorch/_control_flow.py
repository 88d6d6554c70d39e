"""`torch.cond`: a choice between two functions, as programs that are to be compiled write it."""

from collections.abc import Callable
from typing import Any

from minitorch._tensor import Tensor

__all__ = ["cond"]


def cond(
    pred: bool | int | float | Tensor,
    true_fn: Callable[..., Any],
    false_fn: Callable[..., Any],
    operands: tuple[Any, ...] | list[Any] = (),
) -> Any:
    """`true_fn(*operands)` if `pred`, a bool or a tensor of one element, else `false_fn(*operands)`.

    Nothing is compiled here: the other function is not called, so what torch asks of both is not checked.

    >>> import minitorch as torch
    >>> cond(torch.tensor(True), torch.sin, torch.cos, (torch.zeros(2),))
    tensor([0., 0.])
    """
    single = isinstance(pred, (bool, int, float)) or (isinstance(pred, Tensor) and pred.numel() == 1)
    if not single:
        raise RuntimeError(f"Expected pred to be bool or single-element tensor, but got {pred}.")
    return (true_fn if pred else false_fn)(*operands)
