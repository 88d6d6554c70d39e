"""Stochastic gradient descent."""

from typing import Any, ClassVar

from minitorch._creation import zeros_like
from minitorch._tensor import Tensor

from . import _updates
from ._formula import LATER_OPTIONS, FormulaOptimizer, Loops, check_fused_options, check_lr, check_range, of_gradient

__all__ = ["SGD", "sgd"]


class SGD(FormulaOptimizer):
    """Same as torch.optim.SGD, with the same numbers; one compiled kernel per parameter.

    `foreach` and `fused` change nothing but are kept and checked as in torch.

    >>> import minitorch
    >>> w = minitorch.nn.Parameter(minitorch.tensor([1.0]))
    >>> optimizer = SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Parameter containing:
    tensor([0.], requires_grad=True)
    """

    _formula = _updates.sgd
    _arrays = ("momentum_buffer",)
    _scalars = ()
    _takes_sparse = True
    _later_options: ClassVar = {"nesterov": False, **LATER_OPTIONS, "fused": False}
    _known_options: tuple[Any, ...] | None = None  # those for which `_known_loops` holds
    _known_loops: Loops | None = None

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_range(momentum, "momentum value")
        check_range(weight_decay, "weight_decay value")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused_options(self.defaults)

    def _stateless_loops(self, group: dict[str, Any]) -> Loops | None:
        options = group["lr"], group["weight_decay"], group["maximize"], group["momentum"], group["differentiable"]
        if options != self._known_options:
            # a rate that is a tensor may change without being another
            if group["momentum"] != 0 or group["differentiable"] or any(isinstance(o, Tensor) for o in options):
                return None
            _, _, (kernel, needed), large = self._plan(())
            numbers, _ = self._numbers(group)
            self._known_options, self._known_loops = options, (kernel, large, [float(numbers[n]) for n in needed])
        return self._known_loops

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        return {"momentum_buffer": 0.0} if group["momentum"] != 0 else {}

    @classmethod
    def _begin(cls, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, ...]:
        first = state.get("momentum_buffer") is None
        if first:
            state["momentum_buffer"] = zeros_like(param, requires_grad=False)
        return (first,)

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        numbers = {
            **of_gradient(group),
            "rate": -group["lr"],
            "momentum": group["momentum"],
            "weight": 1 - group["dampening"],
            "nesterov": group["nesterov"],
            "first": any(scalars),
        }
        return numbers, ()

    @classmethod
    def _by_ops(cls, param: Tensor, grad: Tensor, buffers: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        super()._by_ops(param, grad.to_dense() if grad.is_sparse else grad, buffers, numbers)


def sgd(
    params: list[Tensor],
    d_p_list: list[Tensor],
    momentum_buffer_list: list[Tensor | None],
    has_sparse_grad: bool = False,
    foreach: bool | None = None,
    fused: bool | None = None,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
    *,
    weight_decay: float,
    momentum: float,
    lr: float,
    dampening: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """Same as torch.optim.sgd.sgd: one step without an optimizer; call it under `no_grad`.

    The list of momentum buffers is filled in place. Scaled gradients (`grad_scale`, `found_inf`)
    are refused.

    >>> import minitorch
    >>> w = minitorch.tensor([1.0])
    >>> options = dict(weight_decay=0, momentum=0, dampening=0, nesterov=False, maximize=False)
    >>> sgd([w], [minitorch.tensor([2.0])], [None], lr=0.25, **options)
    >>> w
    tensor([0.5000])
    """
    options = {
        "weight_decay": weight_decay, "momentum": momentum, "lr": lr, "dampening": dampening, "nesterov": nesterov,
        "maximize": maximize, "fused": fused, "grad_scale": grad_scale, "found_inf": found_inf,
    }  # fmt: skip
    states = [{"momentum_buffer": buffer} for buffer in momentum_buffer_list] if momentum != 0 else [{} for _ in params]
    SGD._functional(params, d_p_list, states, options)
    if momentum != 0:
        momentum_buffer_list[:] = [state["momentum_buffer"] for state in states]
