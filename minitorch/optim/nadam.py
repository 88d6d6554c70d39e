"""NAdam: Adam with Nesterov momentum (Dozat, 2016)."""

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

__all__ = ["NAdam", "nadam"]


class NAdam(FormulaOptimizer):
    """Same as torch.optim.NAdam."""

    _formula = _updates.nadam
    _arrays = ("exp_avg", "exp_avg_sq")
    _scalars = ("step", "mu_product")
    _later_options: ClassVar = {**LATER_OPTIONS, "capturable": False, "decoupled_weight_decay": False}
    _on_devices = "params, mu_products and state_steps"

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        check_range(momentum_decay, "momentum_decay value")
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0.0, "mu_product": 1.0, "exp_avg": 0.0, "exp_avg_sq": 0.0}

    @classmethod
    def _begin(cls, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, ...]:
        step, _ = super()._begin(param, state, group)
        return step, state["mu_product"].array[()]

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: Any) -> tuple[dict[str, Any], tuple[float, ...]]:
        step = scalars[0] + 1.0
        (beta1, beta2), lr, slowing = group["betas"], group["lr"], group["momentum_decay"]
        mu, mu_next = (beta1 * (1.0 - 0.5 * 0.96 ** (n * slowing)) for n in (step, step + 1))
        product = float(scalars[1] * scalars[1].dtype.type(mu))  # rounded as the state is, and read back
        numbers = {
            **of_gradient(group),
            "weight1": 1 - beta1,
            "beta2": beta2,
            "weight2": 1 - beta2,
            "bias2": 1 - beta2**step,
            "eps": group["eps"],
            "g_rate": -lr * (1.0 - mu) / (1.0 - product),
            "m_rate": -lr * mu_next / (1.0 - product * mu_next),
        }
        return numbers, (step, product)


def nadam(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    mu_products: list[Tensor],
    state_steps: list[Tensor],
    decoupled_weight_decay: bool = False,
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    has_complex: bool = False,
    maximize: bool = False,
    *,
    beta1: float,
    beta2: float,
    lr: float,
    weight_decay: float,
    momentum_decay: float,
    eps: float,
) -> None:
    """Same as torch.optim.nadam.nadam: one step without an optimizer; call it under `no_grad`."""
    states = states_of(step=state_steps, mu_product=mu_products, exp_avg=exp_avgs, exp_avg_sq=exp_avg_sqs)
    options = {
        "betas": (beta1, beta2), "lr": lr, "weight_decay": weight_decay, "momentum_decay": momentum_decay, "eps": eps,
        "maximize": maximize, "capturable": capturable, "differentiable": differentiable,
        "decoupled_weight_decay": decoupled_weight_decay,
    }  # fmt: skip
    NAdam._functional(params, grads, states, options)
