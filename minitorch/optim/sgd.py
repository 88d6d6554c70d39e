"""Stochastic gradient descent."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import enable_grad, set_grad_enabled

from .optimizer import Optimizer

__all__ = ["SGD", "sgd"]

ndarray = np.ndarray
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_kernels: tuple[Callable, ...] = ()


class SGD(Optimizer):
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
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if lr < 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
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
        if fused and differentiable:
            raise RuntimeError("`fused` does not support `differentiable`")
        if fused and foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("nesterov", False)
            group.setdefault("maximize", False)
            group.setdefault("foreach", None)
            group.setdefault("differentiable", False)
            group.setdefault("fused", False)

    def step(self, closure: Callable | None = None) -> Any:
        """Same as torch.optim.SGD.step: returns what `closure` returns."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            lr, decay = group["lr"], group["weight_decay"]
            if isinstance(lr, Tensor) or isinstance(decay, Tensor) or group["differentiable"]:
                self._step_by_ops(group)
            elif group["momentum"] != 0:
                self._step_with_momentum(group)
            else:
                self._step_plain(group, float(lr), decay)
        return loss

    def _step_plain(self, group: dict[str, Any], rate: float, decay: float) -> None:
        plain, decaying, _ = _kernels or _load_kernels()
        if group["maximize"]:
            decay = -decay  # along -(decay * param - grad): the sign goes into both numbers
        else:
            rate = -rate
        for param in group["params"]:
            grad = param._grad
            if grad is None:
                continue
            array = param.array
            dtype = array.dtype
            if array.__class__ is not ndarray or not (dtype is FLOAT32 or dtype is FLOAT64):
                self._step_by_ops(group, [param])
                continue
            if decay == 0:
                plain(array, grad.array, rate)
            else:
                decaying(array, grad.array, rate, decay)
            param.version[0] += 1

    def _step_with_momentum(self, group: dict[str, Any]) -> None:
        kernel = (_kernels or _load_kernels())[2]
        state = self.state
        numbers = (
            -float(group["lr"]),
            float(group["weight_decay"]),
            -1.0 if group["maximize"] else 1.0,
            float(group["momentum"]),
            1.0 - group["dampening"],
            bool(group["nesterov"]),
        )
        for param in group["params"]:
            grad = param._grad
            if grad is None:
                continue
            array = param.array
            dtype = array.dtype
            if array.__class__ is not ndarray or not (dtype is FLOAT32 or dtype is FLOAT64):
                self._step_by_ops(group, [param])
                continue
            buffer = state[param].get("momentum_buffer")
            first = buffer is None
            if first:
                buffer = state[param]["momentum_buffer"] = grad.detach().clone()
            kernel(array, grad.array, buffer.array, first, *numbers)
            buffer.version[0] += 1
            param.version[0] += 1

    def _step_by_ops(self, group: dict[str, Any], params: list[Tensor] | None = None) -> None:
        """By operations on tensors: for options and dtypes that the kernels do not know."""
        with set_grad_enabled(self.defaults["differentiable"]):
            for param in group["params"] if params is None else params:
                grad = param.grad
                if grad is None:
                    continue
                if group["momentum"] == 0:
                    _update(param, grad, None, group)
                else:
                    state = self.state[param]
                    buffer = state.get("momentum_buffer")
                    state["momentum_buffer"] = _update(param, grad, buffer, group)


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
    if grad_scale is not None or found_inf is not None:
        raise AssertionError("Expected grad_scale and found_inf to be None")
    options = {
        "weight_decay": weight_decay,
        "momentum": momentum,
        "lr": lr,
        "dampening": dampening,
        "nesterov": nesterov,
        "maximize": maximize,
        "fused": fused,
    }
    for i, (param, grad) in enumerate(zip(params, d_p_list, strict=True)):
        buffer = momentum_buffer_list[i] if momentum != 0 else None
        buffer = _update(param, grad, buffer, options)
        if momentum != 0:
            momentum_buffer_list[i] = buffer


def _update(param: Tensor, grad: Tensor, buffer: Tensor | None, options: dict[str, Any]) -> Tensor | None:
    """One step of one parameter. Returns its momentum buffer, which the first step makes."""
    momentum, lr, decay = options["momentum"], options["lr"], options["weight_decay"]
    if options["fused"] and param.device.type not in ("cpu", "cuda"):
        raise RuntimeError(
            "`fused=True` requires all the params to be floating point Tensors of "
            f"supported devices: ['cuda', 'cpu'] but {param.dtype} and {param.device.type}"
        )
    if options["maximize"]:
        grad = -grad
    if isinstance(decay, Tensor) and decay.requires_grad:
        grad = grad + param.clone() * decay
    elif decay != 0:
        grad = grad.add(param, alpha=float(decay))
    if momentum != 0:
        if buffer is None:
            buffer = grad.detach().clone()
        else:
            buffer.mul_(momentum).add_(grad, alpha=1 - options["dampening"])
        grad = grad.add(buffer, alpha=momentum) if options["nesterov"] else buffer
    if isinstance(lr, Tensor) and lr.requires_grad:
        param.sub_(grad * lr)
    else:
        param.add_(grad, alpha=-float(lr))
    return buffer


def _load_kernels() -> tuple[Callable, ...]:
    """The compiled updates: plain, with weight decay, with momentum. They import Numba."""
    global _kernels
    from minitorch._kernels.cache import load_file
    from minitorch._kernels.cpu.loops import for_contiguous

    def any_layout(kernel: Callable) -> Callable:
        def through_copies(*args: Any) -> None:
            dense = [np.array(a, order="C") if isinstance(a, ndarray) else a for a in args]
            kernel(*dense)
            for array, result in zip(args, dense, strict=True):
                # all but the gradient are written to, and a gradient may well be read-only
                if isinstance(array, ndarray) and array is not args[1]:
                    array[...] = result

        return for_contiguous(kernel, through_copies)

    module = load_file("cpu.optim")
    _kernels = tuple(map(any_layout, (module.sgd, module.sgd_decay, module.sgd_momentum)))
    return _kernels
