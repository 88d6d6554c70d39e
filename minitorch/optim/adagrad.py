"""Adagrad: steps divided by the root of the sum of squared gradients (Duchi, Hazan and Singer, 2011)."""

from typing import Any, ClassVar

import minitorch
from minitorch._tensor import Tensor

from . import _updates
from ._formula import (
    LATER_OPTIONS,
    FormulaOptimizer,
    check_fused_options,
    check_lr,
    check_range,
    of_gradient,
    states_of,
)

__all__ = ["Adagrad", "adagrad"]


class Adagrad(FormulaOptimizer):
    """Same as torch.optim.Adagrad; with sparse gradients only the rows that they name are updated."""

    _formula = _updates.adagrad
    _arrays = ("sum",)
    _takes_sparse = True
    _later_options: ClassVar = {**LATER_OPTIONS, "fused": None}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_range(lr_decay, "lr_decay value")
        check_range(weight_decay, "weight_decay value")
        check_range(initial_accumulator_value, "initial_accumulator_value value")
        check_range(eps, "epsilon value")
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        check_fused_options(self.defaults)
        for group in self.param_groups:
            for param in group["params"]:
                self._begin(param, self.state[param], group)

    def share_memory(self) -> None:
        """Same as in torch: move the sums to memory that other processes share."""
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["sum"].share_memory_()

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0.0, "sum": group.get("initial_accumulator_value", 0)}

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        step = scalars[0] + 1.0
        rate = group["lr"] / (1 + (step - 1) * group["lr_decay"])
        return {**of_gradient(group), "eps": group["eps"], "rate": -rate}, (step,)

    @classmethod
    def _by_ops(cls, param: Tensor, grad: Tensor, buffers: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        if not grad.is_sparse:
            super()._by_ops(param, grad, buffers, numbers)
            return
        if numbers["decay"] != 0:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        total = buffers["total"]
        grad = (-grad if numbers["negate"] < 0 else grad).coalesce()

        def at_rows(values: Tensor) -> Tensor:
            return minitorch.sparse_coo_tensor(grad._indices(), values, grad.size())

        total.add_(at_rows(grad._values().pow(2)))
        root = total.sparse_mask(grad)._values().sqrt().add(numbers["eps"])
        param.add_(at_rows(grad._values() / root), alpha=float(numbers["rate"]))


def adagrad(
    params: list[Tensor],
    grads: list[Tensor],
    state_sums: list[Tensor],
    state_steps: list[Tensor],
    fused: bool | None = None,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    differentiable: bool = False,
    has_complex: bool = False,
    *,
    lr: float,
    weight_decay: float,
    lr_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """Same as torch.optim.adagrad.adagrad: one step without an optimizer; call it under `no_grad`."""
    options = {
        "lr": lr, "weight_decay": weight_decay, "lr_decay": lr_decay, "eps": eps, "maximize": maximize,
        "differentiable": differentiable, "grad_scale": grad_scale, "found_inf": found_inf,
    }  # fmt: skip
    Adagrad._functional(params, grads, states_of(step=state_steps, sum=state_sums), options)
