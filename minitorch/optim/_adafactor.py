"""Adafactor: mean squares kept for rows and columns only (Shazeer and Stern, 2018)."""

from collections.abc import Callable
from typing import Any

import minitorch
from minitorch._creation import zeros_like
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import no_grad

from ._formula import check_one_rate, new_scalar, run_closure
from .optimizer import Optimizer

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Same as torch.optim.Adafactor; `foreach` changes nothing but is kept as in torch."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_one_rate(lr)
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("foreach", None)
            for param in group["params"]:
                kept = self.state.get(param, {})
                if kept and not isinstance(kept["step"], Tensor):
                    kept["step"] = new_scalar(kept["step"])

    @no_grad()
    def step(self, closure: Callable | None = None) -> Any:
        """Same as torch.optim.Adafactor.step: returns what `closure` returns."""
        loss = run_closure(closure)
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._update(param, param.grad, group)
        return loss

    def _begin(self, param: Tensor, grad: Tensor) -> dict[str, Any]:
        if grad.is_sparse:
            raise RuntimeError("Adafactor does not support sparse gradients")
        state = self.state[param]
        if not state:
            state["step"] = new_scalar(0.0)
            if grad.dim() > 1:
                *outer, rows, columns = grad.shape
                state["row_var"] = grad.new_zeros([*outer, rows, 1])
                state["col_var"] = grad.new_zeros([*outer, 1, columns])
            else:
                state["variance"] = zeros_like(grad)
        return state

    def _update(self, param: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        state = self._begin(param, grad)
        grad = -grad if group["maximize"] else grad
        lr = float(group["lr"])
        least, least_scale = group["eps"]
        least = minitorch.finfo(param.dtype).eps if least is None else least
        state["step"] += 1
        step = state["step"].item()
        rate = max(least_scale, _root_mean_square(param)) * min(lr, 1 / step**0.5)
        if group["weight_decay"] != 0:
            param.mul_(1 - lr * group["weight_decay"])
        update = _mean_square(grad, state, step ** group["beta2_decay"], least).clamp_(min=least * least).rsqrt_()
        update.mul_(grad)
        param.add_(update, alpha=-rate / max(1.0, _root_mean_square(update) / group["d"]))


def _root_mean_square(t: Tensor) -> float:
    return t.norm(2).item() / t.numel() ** 0.5


def _mean_square(grad: Tensor, state: dict[str, Any], weight: float, least: float) -> Tensor:
    """The running mean of the squared gradient, for matrices as a product of a column and a row."""
    if grad.dim() < 2:
        return state["variance"].lerp_(grad * grad, weight).clone()
    row, column = state["row_var"], state["col_var"]
    for mean, dim in ((row, -1), (column, -2)):
        mean.lerp_(grad.norm(dim=dim, keepdim=True).square_().div_(grad.size(dim)), weight)
    return (row @ column).div_(row.mean(dim=-2, keepdim=True).clamp_(min=least))
