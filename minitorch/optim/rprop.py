"""Rprop: step sizes of their own for all elements, from the signs of the gradient (Riedmiller and Braun, 1993)."""

from typing import Any, ClassVar

from minitorch._tensor import Tensor

from . import _updates
from ._formula import (
    LATER_OPTIONS,
    FormulaOptimizer,
    check_lr,
    states_of,
)

__all__ = ["Rprop", "rprop"]


class Rprop(FormulaOptimizer):
    """Same as torch.optim.Rprop."""

    _formula = _updates.rprop
    _arrays = ("prev", "step_size")
    _later_options: ClassVar = {**LATER_OPTIONS, "capturable": False}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0.0, "prev": 0.0, "step_size": group.get("lr")}

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        (eta_minus, eta_plus), (lowest, highest) = group["etas"], group["step_sizes"]
        numbers = {
            "negate": -1.0 if group["maximize"] else 1.0,
            "eta_minus": eta_minus,
            "eta_plus": eta_plus,
            "lowest": lowest,
            "highest": highest,
        }
        return numbers, (scalars[0] + 1.0,)


def rprop(
    params: list[Tensor],
    grads: list[Tensor],
    prevs: list[Tensor],
    step_sizes: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    capturable: bool = False,
    maximize: bool = False,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    step_size_min: float,
    step_size_max: float,
    etaminus: float,
    etaplus: float,
) -> None:
    """Same as torch.optim.rprop.rprop: one step without an optimizer; call it under `no_grad`."""
    options = {
        "etas": (etaminus, etaplus), "step_sizes": (step_size_min, step_size_max), "maximize": maximize,
        "capturable": capturable, "differentiable": differentiable,
    }  # fmt: skip
    Rprop._functional(params, grads, states_of(step=state_steps, prev=prevs, step_size=step_sizes), options)
