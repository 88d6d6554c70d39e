"""ASGD: gradient descent that also averages the parameters (Polyak and Juditsky, 1992)."""

from typing import Any, ClassVar

import minitorch
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

__all__ = ["ASGD", "asgd"]


class ASGD(FormulaOptimizer):
    """Same as torch.optim.ASGD; the averages are `state[param]["ax"]`."""

    _formula = _updates.asgd
    _arrays = ("ax",)
    _scalars = ("step", "eta", "mu")
    _later_options: ClassVar = {**LATER_OPTIONS, "capturable": False}
    _on_devices = "params, mus, etas, and state_steps"

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_range(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0.0, "eta": group["lr"], "mu": 1.0, "ax": 0.0}

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        step, eta, mu = scalars
        step += 1.0
        lr, lambd = group["lr"], group["lambd"]
        numbers = {**of_gradient(group), "shrink": 1 - lambd * eta, "rate": -eta, "mu": mu}
        kept_as = minitorch.get_default_dtype().numpy.type  # torch rounds to it, whatever the states are
        eta, mu = kept_as(lr / (1 + lambd * lr * step) ** group["alpha"]), kept_as(1 / max(1, step - group["t0"]))
        return numbers, (step, float(eta), float(mu))


def asgd(
    params: list[Tensor],
    grads: list[Tensor],
    axs: list[Tensor],
    mus: list[Tensor],
    etas: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    maximize: bool = False,
    differentiable: bool = False,
    capturable: bool = False,
    has_complex: bool = False,
    *,
    lambd: float,
    lr: float,
    t0: float,
    alpha: float,
    weight_decay: float,
) -> None:
    """Same as torch.optim.asgd.asgd: one step without an optimizer; call it under `no_grad`."""
    options = {
        "lambd": lambd, "lr": lr, "t0": t0, "alpha": alpha, "weight_decay": weight_decay, "maximize": maximize,
        "capturable": capturable, "differentiable": differentiable,
    }  # fmt: skip
    ASGD._functional(params, grads, states_of(step=state_steps, eta=etas, mu=mus, ax=axs), options)
