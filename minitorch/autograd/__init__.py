"""Reverse-mode differentiation. Read `node.py`, then `engine.py`; `grad_mode.py` says when operations are recorded."""

from collections.abc import Sequence
from typing import Any

from . import engine, function
from .function import Function
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .node import Node

__all__ = [
    "Function", "GradcheckError", "Node", "backward", "enable_grad", "function", "grad", "gradcheck", "gradgradcheck",
    "inference_mode", "is_grad_enabled", "is_inference_mode_enabled", "no_grad", "set_grad_enabled",
]  # fmt: skip


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]


def _edge(t: Any) -> Any:
    from minitorch._tensor import current_edge

    return t.edge if t.base is None else current_edge(t)


def _roots(tensors: list[Any], gradients: list[Any], create_graph: bool) -> list[tuple[Node, Any]]:
    """(node, gradient) of each tensor to start from, with torch's checks."""
    from minitorch._creation import ones_like
    from minitorch._tensor import Tensor

    roots = []
    for i, (t, g) in enumerate(zip(tensors, gradients, strict=True)):
        if not isinstance(t, Tensor):
            raise TypeError(f"element {i} of tensors must be a Tensor, not {type(t).__name__}")
        edge = _edge(t)
        if edge is None:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        if g is None:
            if t.array.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            g = ones_like(t)
        if not isinstance(g, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
        if g.array.shape != t.array.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of "
                f"{t.shape}."
            )
        if g.array.dtype != t.array.dtype:
            g = g.to(t.dtype)
        roots.append((edge, g if create_graph else g.array))
    return roots


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of `tensors` to the `grad` of the leaves (or of `inputs` alone).

    >>> import minitorch as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.autograd.backward((x * 3).sum())
    >>> x.grad
    tensor([3., 3.])
    """
    if grad_variables is not None:
        grad_tensors = grad_variables
    tensors = _listed(tensors)
    if inputs is not None and isinstance(inputs, Sequence) and not len(inputs):
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    gradients = [None] * len(tensors) if grad_tensors is None else _listed(grad_tensors)
    if len(gradients) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(gradients)} gradients")
    roots = _roots(tensors, gradients, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        engine.backward_many(roots, keep, create_graph)
        return
    leaves = _listed(inputs)
    for t in leaves:
        if _edge(t) is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        if not t.is_leaf:
            t.retain_grad()
    targets = {_edge(t): None for t in leaves}
    wanted = engine.ancestors_leading_to([n for n, _ in roots], targets) | set(targets)
    engine.backward_many(roots, keep, create_graph, None, wanted)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of `outputs` with respect to `inputs`; `create_graph` makes them differentiable.

    >>> import minitorch as torch
    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> (g,) = torch.autograd.grad(x**3, x, create_graph=True)
    >>> torch.autograd.grad(g, x)
    (tensor(12.),)
    """
    if is_grads_batched:
        raise NotImplementedError("grad(): is_grads_batched=True is not supported by minitorch")
    if not only_inputs:
        raise NotImplementedError("grad(): only_inputs=False is not supported, as in torch")
    from minitorch._creation import zeros_like
    from minitorch._tensor import wrap

    outputs, inputs = _listed(outputs), _listed(inputs)
    if allow_unused is None:
        allow_unused = materialize_grads
    elif allow_unused is False and materialize_grads:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    gradients = [None] * len(outputs) if grad_outputs is None else _listed(grad_outputs)
    roots = _roots(outputs, gradients, create_graph)
    edges = [_edge(t) for t in inputs]
    if any(e is None for e in edges):
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    captured: dict[Node, Any] = dict.fromkeys(edges)
    wanted = engine.ancestors_leading_to([n for n, _ in roots], captured)
    engine.backward_many(roots, create_graph if retain_graph is None else retain_graph, create_graph, captured, wanted)
    found = []
    for i, (t, e) in enumerate(zip(inputs, edges, strict=True)):
        g = captured[e]
        if g is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
                "allow_unused=True if "
                "this is the desired behavior."
            )
        if g is not None and not create_graph:
            g = wrap(g)
        found.append(zeros_like(t) if g is None and materialize_grads else g)
    return tuple(found)


def set_detect_anomaly(mode: bool, check_nan: bool = True) -> None:
    """Switch anomaly detection; only off is supported so far."""
    if mode:
        raise NotImplementedError("set_detect_anomaly(True) is not supported by minitorch yet")


def detect_anomaly(check_nan: bool = True) -> None:
    """Anomaly detection as a context manager: not supported so far."""
    raise NotImplementedError("detect_anomaly() is not supported by minitorch yet")
