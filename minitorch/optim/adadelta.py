"""Adadelta: steps in the units of the parameter, from two running mean squares (Zeiler, 2012)."""

from typing import Any, ClassVar

from minitorch._tensor import Tensor

from . import _updates
from ._formula import (
    CAPTURABLE_DEVICES,
    LATER_OPTIONS,
    FormulaOptimizer,
    check_lr,
    check_range,
    of_gradient,
    states_of,
)

__all__ = ["Adadelta", "adadelta"]


class Adadelta(FormulaOptimizer):
    """Same as torch.optim.Adadelta."""

    _formula = _updates.adadelta
    _arrays = ("square_avg", "acc_delta")
    _later_options: ClassVar = {**LATER_OPTIONS, "capturable": False}
    _capturable_devices: ClassVar = [device for device in CAPTURABLE_DEVICES if device != "xla"]

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_range(eps, "epsilon value")
        check_range(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0.0, "square_avg": 0.0, "acc_delta": 0.0}

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        rho = group["rho"]
        numbers = {**of_gradient(group), "rho": rho, "weight": 1 - rho, "eps": group["eps"], "rate": -group["lr"]}
        return numbers, (scalars[0] + 1.0,)


def adadelta(
    params: list[Tensor],
    grads: list[Tensor],
    square_avgs: list[Tensor],
    acc_deltas: list[Tensor],
    state_steps: list[Tensor],
    capturable: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Same as torch.optim.adadelta.adadelta: one step without an optimizer; call it under `no_grad`."""
    states = states_of(step=state_steps, square_avg=square_avgs, acc_delta=acc_deltas)
    options = {
        "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
        "capturable": capturable, "differentiable": differentiable,
    }  # fmt: skip
    Adadelta._functional(params, grads, states, options)
