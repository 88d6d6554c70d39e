"""RMSprop: steps divided by the root of the running mean square (Hinton, 2012; centered: Graves, 2013)."""

from typing import Any, ClassVar

from minitorch._tensor import Tensor

from . import _updates
from ._formula import (
    LATER_OPTIONS,
    FormulaOptimizer,
    check_lr,
    check_range,
    of_gradient,
    states_of,
)

__all__ = ["RMSprop", "rmsprop"]


class RMSprop(FormulaOptimizer):
    """Same as torch.optim.RMSprop."""

    _formula = _updates.rmsprop
    _arrays = ("square_avg", "momentum_buffer", "grad_avg")
    _later_options: ClassVar = {"momentum": 0, "centered": False, **LATER_OPTIONS, "capturable": False}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_range(eps, "epsilon value")
        check_range(momentum, "momentum value")
        check_range(weight_decay, "weight_decay value")
        check_range(alpha, "alpha value")
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        states = {"step": 0.0, "square_avg": 0.0}
        if group["momentum"] > 0:
            states["momentum_buffer"] = 0.0
        if group["centered"]:
            states["grad_avg"] = 0.0
        return states

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        numbers = {
            **of_gradient(group),
            "alpha": group["alpha"],
            "weight": 1 - group["alpha"],
            "momentum": group["momentum"],
            "eps": group["eps"],
            "rate": -group["lr"],
        }
        return numbers, (scalars[0] + 1.0,)


def rmsprop(
    params: list[Tensor],
    grads: list[Tensor],
    square_avgs: list[Tensor],
    grad_avgs: list[Tensor],
    momentum_buffer_list: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
) -> None:
    """Same as torch.optim.rmsprop.rmsprop: one step without an optimizer; call it under `no_grad`."""
    states = states_of(
        step=state_steps,
        square_avg=square_avgs,
        momentum_buffer=momentum_buffer_list if momentum > 0 else [],
        grad_avg=grad_avgs if centered else [],
    )
    options = {
        "lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum,
        "centered": centered, "maximize": maximize, "capturable": capturable, "differentiable": differentiable,
    }  # fmt: skip
    RMSprop._functional(params, grads, states, options)
