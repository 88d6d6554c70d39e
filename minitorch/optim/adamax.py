"""Adamax: Adam with the largest gradient in place of the mean square (Kingma and Ba, 2015)."""

from typing import Any, ClassVar

from minitorch._tensor import Tensor

from . import _updates
from ._formula import (
    LATER_OPTIONS,
    FormulaOptimizer,
    check_betas,
    check_lr,
    check_range,
    of_gradient,
    states_of,
)

__all__ = ["Adamax", "adamax"]


class Adamax(FormulaOptimizer):
    """Same as torch.optim.Adamax."""

    _formula = _updates.adamax
    _arrays = ("exp_avg", "exp_inf")
    _later_options: ClassVar = {**LATER_OPTIONS, "capturable": False}

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_range(eps, "epsilon value")
        check_betas(betas)
        check_range(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0.0, "exp_avg": 0.0, "exp_inf": 0.0}

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        step = scalars[0] + 1.0
        beta1, beta2 = group["betas"]
        numbers = {
            **of_gradient(group),
            "weight1": 1 - beta1,
            "beta2": beta2,
            "eps": group["eps"],
            "rate": -(group["lr"] / (1 - beta1**step)),
        }
        return numbers, (step,)


def adamax(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_infs: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    eps: float,
    beta1: float,
    beta2: float,
    lr: float,
    weight_decay: float,
) -> None:
    """Same as torch.optim.adamax.adamax: one step without an optimizer; call it under `no_grad`."""
    states = states_of(step=state_steps, exp_avg=exp_avgs, exp_inf=exp_infs)
    options = {
        "betas": (beta1, beta2), "lr": lr, "weight_decay": weight_decay, "eps": eps, "maximize": maximize,
        "capturable": capturable, "differentiable": differentiable,
    }  # fmt: skip
    Adamax._functional(params, grads, states, options)
