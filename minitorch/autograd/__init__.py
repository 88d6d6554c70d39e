"""Reverse-mode differentiation. Read `node.py`, then `engine.py`; `grad_mode.py` says when operations are recorded."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import anomaly_mode, engine, forward_ad, function, functional, grad_mode, graph
from ._warnings import warn, warn_once
from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .function import Function
from .grad_mode import (
    UNUSUAL,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    is_multithreading_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
    state,
)
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .node import Node

__all__ = [
    "Function", "Variable", "backward", "detect_anomaly", "enable_grad", "grad", "grad_mode", "gradcheck",
    "gradgradcheck", "inference_mode", "no_grad", "set_detect_anomaly", "set_grad_enabled",
    "set_multithreading_enabled", "variable",
]  # fmt: skip


class _VariableMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, engine.tensor_class)


class Variable(metaclass=_VariableMeta):
    """What tensors that require grad were once wrapped in; calling it gives a tensor.

    >>> import minitorch as torch
    >>> torch.autograd.Variable(torch.ones(1), requires_grad=True)
    tensor([1.], requires_grad=True)
    """

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: bool = False) -> Any:
        from minitorch._creation import empty

        if volatile:
            warn("volatile was removed and now has no effect. Use `with torch.no_grad():` instead.")
        return (empty(0) if data is None else data.detach()).requires_grad_(requires_grad)


def _listed(value: Any) -> list[Any]:
    if value.__class__ is engine.tensor_class:
        return [value]
    if value.__class__ is list:
        return value
    if value.__class__ is tuple:
        return list(value)
    if isinstance(value, (engine.tensor_class, graph.GradientEdge)):
        return [value]
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value)


def _inputs(value: Any) -> list[Any]:
    """The tensors, or edges, that gradients are wanted for."""
    listed = _listed(value)
    for t in listed:
        if t.__class__ is not engine.tensor_class and not isinstance(t, (engine.tensor_class, graph.GradientEdge)):
            kind = type(t).__name__
            raise RuntimeError(f"all inputs have to be Tensors or GradientEdges, but got {kind}")
    return listed


def _given(gradients: Any, n: int) -> list[Any]:
    """One gradient, or None, for each of n outputs."""
    listed = [None] * n if gradients is None else _listed(gradients)
    if len(listed) != n:
        raise RuntimeError(f"got {n} tensors and {len(listed)} gradients")
    return listed


def _like(value: Any) -> Any:
    """An array of the shape and dtype of a tensor or of what a GradientEdge stands for; None if it does not tell."""
    token = value.ownership_token if isinstance(value, graph.GradientEdge) else value
    return getattr(token, "tensor", None) if isinstance(value, graph.GradientEdge) else value.array


def _one(like: Any) -> Any:
    """The gradient of a result of one element with respect to itself."""
    if like.__class__ is np.ndarray and not state.interceptors:
        return engine.wrap(np.ones(like.shape, like.dtype))
    from minitorch._creation import ones_like

    return ones_like(engine.wrap(like))


def _root(i: int, t: Any, g: Any) -> tuple[Node, Any]:
    """(node, gradient) of one tensor to start from, with torch's checks."""
    if not isinstance(t, (engine.tensor_class, graph.GradientEdge)):
        raise AssertionError("Expected output to be a torch.Tensor")
    edge, like = graph.edge_of(t), _like(t)
    if g is not None and not isinstance(g, engine.tensor_class):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if g is None and edge is not None:
        if like is None or like.size != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        g = _one(like)
    elif g is not None and like is not None and g.array.shape != like.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of "
            f"{engine.wrap(like).shape}."
        )
    if edge is None:
        raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
    return edge, g if like is None or g.array.dtype == like.dtype else g.to(engine.wrap(like).dtype)


def _roots(tensors: list[Any], gradients: list[Any], create_graph: bool) -> list[tuple[Node, Any]]:
    loss: Any = tensors[0] if len(tensors) == 1 and not create_graph else None  # what is nearly always differentiated
    if loss.__class__ is engine.tensor_class and gradients[0] is None:
        edge, one = graph.edge_of(loss), None if loss.array.shape else engine.ONE.get(loss.array.dtype)
        if edge is not None and one is not None and loss.array.__class__ is np.ndarray:
            return [(edge, one)]
    roots = [_root(i, t, g) for i, (t, g) in enumerate(zip(tensors, gradients, strict=True))]
    return roots if create_graph else [(edge, g.array) for edge, g in roots]


def _edge_of_input(t: Any) -> Node:
    edge = graph.edge_of(t)
    if edge is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return edge


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
        warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning)
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only "
                "use `grad_tensors`."
            )
        grad_tensors = grad_variables
    if create_graph:
        warn_once(
            "Using backward() with create_graph=True will create a reference cycle between the parameter and its "
            "gradient which can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid "
            "this. If you have to use this function, make sure to reset the .grad fields of your parameters to None "
            "after use to break the cycle and avoid the leak."
        )
    targets = None if inputs is None else _inputs(inputs)
    if targets is not None and not targets:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    tensors = _listed(tensors)
    roots = _roots(tensors, _given(grad_tensors, len(tensors)), create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    if targets is None:
        engine.backward_many(roots, keep, create_graph)
        return
    for t in targets:
        if not isinstance(t, graph.GradientEdge):
            t.retain_grad()
    edges: dict[Node, Any] = dict.fromkeys(map(_edge_of_input, targets))
    wanted, are_all = engine.ancestors_leading_to([n for n, _ in roots], edges)
    engine.backward_many(roots, keep, create_graph, edges, wanted | {e for e in edges if e.is_leaf}, are_all)


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
) -> Any:
    """The gradients of `outputs` with respect to `inputs`; `create_graph` makes them differentiable.

    A dictionary of inputs gives a dictionary. With `is_grads_batched`, one pass is made for each entry of the first
    dimension of `grad_outputs`.

    >>> import minitorch as torch
    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> (g,) = torch.autograd.grad(x**3, x, create_graph=True)
    >>> torch.autograd.grad(g, x)
    (tensor(12.),)
    """
    if not only_inputs:
        warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for "
            "other parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
        )
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    if inputs.__class__ is not engine.tensor_class and isinstance(inputs, Mapping):
        found = grad(
            outputs, tuple(inputs.values()), grad_outputs, retain_graph, create_graph, True, allow_unused,
            is_grads_batched, materialize_grads,
        )  # fmt: skip
        return dict(zip(inputs, found, strict=True))
    outputs, inputs = _listed(outputs), _inputs(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    gradients = _given(grad_outputs, len(outputs))
    keep = create_graph if retain_graph is None else retain_graph
    if any(map(_is_sparse, inputs)):
        if is_grads_batched:
            raise NotImplementedError("grad(): is_grads_batched=True is not supported for sparse inputs")
        made = _with_sparse_inputs(outputs, inputs, gradients, keep, create_graph, allow_unused)
    elif is_grads_batched:
        made = _batched(outputs, inputs, gradients, keep, create_graph, allow_unused)
    else:
        made = _gradients(outputs, inputs, gradients, keep, create_graph, allow_unused)
    if materialize_grads:
        made = [_zeros_for(t) if g is None else g for t, g in zip(inputs, made, strict=True)]
    return tuple(made)


def _is_sparse(t: Any) -> bool:
    return t.__class__ is not engine.tensor_class and getattr(t, "is_sparse", False)


def _with_sparse_inputs(
    outputs: list[Any], inputs: list[Any], gradients: list[Any], keep: bool, create_graph: bool, allow_unused: bool
) -> list[Any]:
    """`_gradients` where some inputs are sparse: their gradients have parts, for the stored elements and for all."""
    leaves = [t.leaves() if getattr(t, "is_sparse", False) else (t,) for t in inputs]
    flat = [t for parts in leaves for t in parts if t is not None]
    found = dict(zip(map(id, flat), _gradients(outputs, flat, gradients, keep, create_graph, True), strict=True))
    made: list[Any] = []
    for t, parts in zip(inputs, leaves, strict=True):
        of_parts = [None if part is None else found[id(part)] for part in parts]
        made.append(t.gradient(*of_parts) if len(parts) > 1 else of_parts[0])
    if not allow_unused:
        _refuse_unused(made)
    return made


def _refuse_unused(gradients: list[Any]) -> None:
    for i, g in enumerate(gradients):
        if g is None:
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
                "allow_unused=True if this is the desired behavior."
            )


def _zeros_for(t: Any) -> Any:
    from minitorch._creation import zeros_like

    if isinstance(t, graph.GradientEdge):
        raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
    return zeros_like(t)


def _gradients(
    outputs: list[Any], inputs: list[Any], gradients: list[Any], keep: bool, create_graph: bool, allow_unused: bool
) -> list[Any]:
    # a transform must see the ops
    tensors = create_graph or (bool(UNUSUAL) and any(hasattr(i, "beneath") for i in state.interceptors))
    roots = _roots(outputs, gradients, tensors)
    edges = [_edge_of_input(t) for t in inputs]
    captured: dict[Any, Any] = dict.fromkeys(edges)
    wanted, are_all = engine.ancestors_leading_to([n for n, _ in roots], captured)
    engine.backward_many(roots, keep, tensors, captured, wanted, are_all)
    found = [captured[e] for e in edges]
    if not allow_unused:
        _refuse_unused(found)
    if tensors and not create_graph:
        from minitorch._transforms.reverse import detached

        return [None if g is None else detached(g) for g in found]
    return [g if create_graph or g is None else engine.wrap(g) for g in found]


def _batched(
    outputs: list[Any], inputs: list[Any], gradients: list[Any], keep: bool, create_graph: bool, allow_unused: bool
) -> list[Any]:
    """A pass for each entry of the gradients' first dimension, the results stacked."""
    from minitorch._ops.stacking import stack

    for i, (t, g) in enumerate(zip(outputs, gradients, strict=True)):
        if g is None:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        if g.shape[1:] != t.shape:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{i}] has a shape of {g.shape[1:]} and output[{i}] "
                f"has a shape of {t.shape}. If you only want some tensors in `grad_output` to be considered batched, "
                "consider using vmap."
            )
    n = len(gradients[0])
    rows = [
        _gradients(outputs, inputs, [g[k] for g in gradients], keep or k + 1 < n, create_graph, allow_unused)
        for k in range(n)
    ]
    return [None if column[0] is None else stack(list(column)) for column in zip(*rows, strict=True)]


def __getattr__(name: str) -> Any:
    """What few programs need is imported when first named."""
    if name in ("profiler", "profiler_util", "variable"):
        import importlib

        return importlib.import_module(f"minitorch.autograd.{name}")
    raise AttributeError(f"module 'minitorch.autograd' has no attribute {name!r}")
