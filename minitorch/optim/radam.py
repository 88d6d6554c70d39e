"""RAdam: Adam whose first steps are plain, until the mean square is reliable (Liu et al., 2020)."""

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

__all__ = ["RAdam", "radam"]


class RAdam(FormulaOptimizer):
    """Same as torch.optim.RAdam."""

    _formula = _updates.radam
    _arrays = ("exp_avg", "exp_avg_sq")
    _later_options: ClassVar = {**LATER_OPTIONS, "capturable": False, "decoupled_weight_decay": False}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_range(eps, "epsilon value")
        check_betas(betas)
        check_range(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0.0, "exp_avg": 0.0, "exp_avg_sq": 0.0}

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        step = scalars[0] + 1.0
        beta1, beta2 = group["betas"]
        bias2 = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / bias2  # of the average, in steps of equal weight
        rectify = 0.0
        if length > 5.0:
            rectify = (
                (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            ) ** 0.5  # fmt: skip
        numbers = {
            **of_gradient(group),
            "weight1": 1 - beta1,
            "beta2": beta2,
            "weight2": 1 - beta2,
            "bias1": 1 - beta1**step,
            "root2": bias2**0.5,
            "eps": group["eps"],
            "lr": group["lr"],
            "rectify": rectify,
        }
        return numbers, (step,)


def radam(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    state_steps: list[Tensor],
    decoupled_weight_decay: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    maximize: bool = False,
    *,
    beta1: float,
    beta2: float,
    lr: float,
    weight_decay: float,
    eps: float,
) -> None:
    """Same as torch.optim.radam.radam: one step without an optimizer; call it under `no_grad`."""
    states = states_of(step=state_steps, exp_avg=exp_avgs, exp_avg_sq=exp_avg_sqs)
    options = {
        "betas": (beta1, beta2), "lr": lr, "weight_decay": weight_decay, "eps": eps, "maximize": maximize,
        "capturable": capturable, "differentiable": differentiable, "decoupled_weight_decay": decoupled_weight_decay,
    }  # fmt: skip
    RAdam._functional(params, grads, states, options)
