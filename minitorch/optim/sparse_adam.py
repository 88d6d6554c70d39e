"""SparseAdam: Adam for sparse gradients, which changes only what they name."""

import math
from collections.abc import Callable
from typing import Any

import minitorch
from minitorch._creation import zeros_like
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import no_grad

from ._formula import check_betas, check_one_rate, run_closure
from .optimizer import Optimizer

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Same as torch.optim.SparseAdam: parameters are dense, gradients sparse.

    >>> import minitorch
    >>> w = minitorch.nn.Parameter(minitorch.ones(3))
    >>> w.grad = minitorch.sparse_coo_tensor([[1]], [2.0], (3,))
    >>> SparseAdam([w], lr=0.5).step()
    >>> w
    Parameter containing:
    tensor([1.0000, 0.5000, 1.0000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_one_rate(lr)
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        sparse = [
            [i, j] for i, group in enumerate(self.param_groups) for j, p in enumerate(group["params"]) if p.is_sparse
        ]
        if sparse:
            raise ValueError(f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors")

    @no_grad()
    def step(self, closure: Callable | None = None) -> Any:
        """Same as torch.optim.SparseAdam.step: returns what `closure` returns."""
        loss = run_closure(closure)
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._update(param, param.grad, group)
        return loss

    def _update(self, param: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        if not grad.is_sparse:
            raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
        state = self.state[param]
        if not state:
            state.update(step=0, exp_avg=zeros_like(param), exp_avg_sq=zeros_like(param))
        state["step"] += 1
        grad = (-grad if group.get("maximize", False) else grad).coalesce()
        slopes = grad._values()
        if not slopes.numel():
            return

        def moved(mean: Tensor, values: Tensor, weight: float) -> Tensor:
            """Bring `mean`, where the gradient is, nearer to `values`; returns it there."""
            old = mean.sparse_mask(grad)._values()
            change = (values - old) * weight
            mean.add_(at_rows(change))
            return change + old

        def at_rows(values: Tensor) -> Tensor:
            return minitorch.sparse_coo_tensor(grad._indices(), values, grad.size())

        beta1, beta2 = group["betas"]
        mean = moved(state["exp_avg"], slopes, 1 - beta1)
        square = moved(state["exp_avg_sq"], slopes.pow(2), 1 - beta2)
        rate = float(group["lr"]) * math.sqrt(1 - beta2 ** state["step"]) / (1 - beta1 ** state["step"])
        param.add_(at_rows(-rate * (mean / (square.sqrt() + group["eps"]))))
