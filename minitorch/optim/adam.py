"""Adam: steps scaled by running means of the gradient and of its square (Kingma and Ba, 2015)."""

from typing import Any, ClassVar

from minitorch._tensor import Tensor

from . import _updates
from ._formula import (
    FormulaOptimizer,
    check_betas,
    check_fused_options,
    check_lr,
    check_range,
    of_gradient,
    states_of,
)

__all__ = ["Adam", "adam"]


class Adam(FormulaOptimizer):
    """Same as torch.optim.Adam, with its numbers to rounding; one compiled loop per parameter.

    `foreach` and `fused` change nothing but are kept and checked as in torch.

    >>> import minitorch
    >>> w = minitorch.nn.Parameter(minitorch.tensor([1.0]))
    >>> optimizer = Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Parameter containing:
    tensor([0.5000], requires_grad=True)
    """

    _formula = _updates.adam
    _arrays = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    _later_options: ClassVar = {
        "amsgrad": False, "maximize": False, "foreach": None, "capturable": False, "differentiable": False,
        "decoupled_weight_decay": False, "fused": None,
    }  # fmt: skip
    _sparse_error = "Adam does not support sparse gradients, please consider SparseAdam instead"

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        for_all = foreach and not capturable
        if isinstance(lr, Tensor) and for_all:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_lr(lr)
        check_range(eps, "epsilon value")
        check_betas(betas)
        check_range(weight_decay, "weight_decay value")
        if not any(all(isinstance(beta, kind) for beta in betas[:2]) for kind in (float, Tensor)):
            raise ValueError("betas must be either both floats or both Tensors")
        for i, beta in enumerate(betas):
            if isinstance(beta, Tensor):
                if for_all:
                    raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")
                if beta.numel() != 1:
                    raise ValueError(f"Tensor betas[{i}] must be 1-element")
        defaults = {
            "lr": lr, "betas": tuple(b.squeeze() if isinstance(b, Tensor) else b for b in betas), "eps": eps,
            "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)
        check_fused_options(self.defaults)

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        maximum = {"max_exp_avg_sq": 0.0} if group["amsgrad"] else {}
        return {"step": 0.0, "exp_avg": 0.0, "exp_avg_sq": 0.0, **maximum}

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        step = scalars[0] + 1.0
        (beta1, beta2), lr = group["betas"], group["lr"]
        numbers = {
            **of_gradient(group),
            "weight1": 1 - beta1,
            "beta2": beta2,
            "weight2": 1 - beta2,
            "root2": (1 - beta2**step) ** 0.5,
            "eps": group["eps"],
            "rate": -lr / (1 - beta1**step),
        }
        return numbers, (step,)


def adam(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    max_exp_avg_sqs: list[Tensor],
    state_steps: list[Tensor],
    foreach: bool | None = None,
    capturable: bool = False,
    differentiable: bool = False,
    fused: bool | None = None,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
    has_complex: bool = False,
    decoupled_weight_decay: bool = False,
    *,
    amsgrad: bool,
    beta1: Any,
    beta2: Any,
    lr: Any,
    weight_decay: float,
    eps: float,
    maximize: bool,
) -> None:
    """Same as torch.optim.adam.adam: one step without an optimizer; call it under `no_grad`."""
    states = states_of(
        step=state_steps, exp_avg=exp_avgs, exp_avg_sq=exp_avg_sqs, max_exp_avg_sq=max_exp_avg_sqs if amsgrad else []
    )
    options = {
        "betas": (beta1, beta2), "lr": lr, "weight_decay": weight_decay, "eps": eps, "amsgrad": amsgrad,
        "maximize": maximize, "capturable": capturable, "differentiable": differentiable, "grad_scale": grad_scale,
        "found_inf": found_inf, "decoupled_weight_decay": decoupled_weight_decay,
    }  # fmt: skip
    Adam._functional(params, grads, states, options)
