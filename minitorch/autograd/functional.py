"""Jacobians, Hessians and products with them, of a function of tensors at one point.

Results are tuples where the function takes or returns tuples, as in torch.
"""

from collections.abc import Callable
from typing import Any

from .grad_mode import enable_grad, set_grad_enabled, state

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

_NO_OUTPUT_GRAPH = (
    "Output {i} of the user-provided function does not require gradients. The outputs must be computed in a "
    "differentiable manner from the input when running in strict mode."
)
_NO_JACOBIAN_GRAPH = (
    "While computing the hessian, found that the jacobian of the user-provided function with respect to input {i} is "
    "independent of the input. This is not allowed in strict mode. You should ensure that your function is twice "
    "differentiable and that the jacobian depends on the inputs (this would be violated by a linear function for "
    "example)."
)
_NO_GRADIENT_GRAPH = (
    "The gradient with respect to input {i} is independent of the inputs of the user-provided function. This is not "
    "allowed in strict mode."
)
_UNUSED = "The output of the user-provided function is independent of input {i}. This is not allowed in strict mode."
_UNUSED_TWICE = (
    "The jacobian of the user-provided function is independent of input {i}. This is not allowed in strict mode."
)
_UNUSED_DIRECTION = (
    "The gradient with respect to the input is independent of entry {i} in the grad_outputs when using the double "
    "backward trick to compute forward mode gradients. This is not allowed in strict mode."
)
_UNUSED_HESSIAN = (
    "The hessian of the user-provided function is independent of entry {i} in the grad_jacobian. This is not allowed "
    "in strict mode as it prevents from using the double backward trick to replace forward mode AD."
)
_CONSTANT = (
    "The {what} of the user-provided function is independent of input {i}. This is not allowed in strict mode when "
    "create_graph=True."
)


# ---------------------------------------------------------------------- arguments
def _as_tuple(value: Any, what: str, function: str) -> tuple[bool, tuple[Any, ...]]:
    """(whether it is a tuple, its tensors)."""
    from minitorch._tensor import Tensor

    several = isinstance(value, tuple)
    tensors = value if several else (value,)
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            which = f"value at index {i}" if several else f"given {what}"
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the {which} has "
                f"type {type(t)}."
            )
    return several, tuple(tensors)


def _tracked(inputs: tuple[Any, ...], create_graph: bool) -> tuple[Any, ...]:
    """The inputs as leaves of their own, or, for a graph that goes on outside, as views."""
    return tuple(t.view_as(t) if create_graph and t.requires_grad else t.detach().requires_grad_() for t in inputs)


def _finished(result: Any, create_graph: bool, *several: bool) -> Any:
    """Nested tuples of tensors, cut off the graph unless it is wanted; tuples that nobody gave are opened."""
    if not isinstance(result, tuple):
        return result if create_graph else result.detach()
    made = tuple(_finished(r, create_graph, *several[1:]) for r in result)
    return made if several[0] else made[0]


def _check_graph(tensors: Any, message: str, strict: bool) -> None:
    """In strict mode, everything must depend on the inputs."""
    for i, t in enumerate(tensors if strict else ()):
        if t is None:
            raise RuntimeError(_UNUSED.format(i=i))
        if not t.requires_grad:
            raise RuntimeError(message.format(i=i))


def _direction(v: Any, others: tuple[Any, ...], several: bool, function: str, where: str) -> tuple[Any, ...] | None:
    """v as a tuple of tensors of the same shapes as `others`."""
    if v is None:
        if len(others) != 1 or others[0].numel() != 1:
            raise RuntimeError(f"The vector v can only be None if the {where} a single Tensor with a single element.")
        return None
    _, v = _as_tuple(v, "v", function)
    v = tuple(t.detach() if not t.requires_grad else t for t in v)
    if len(v) != len(others):
        if several:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(others)} but got {len(v)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (mine, other) in enumerate(zip(v, others, strict=True)):
        if mine.shape != other.shape:
            entry = f"Entry {i} in " if several else ""
            raise RuntimeError(f"{entry}v has invalid size: should be {other.size()} but got {mine.size()}.")
    return v


_OF_INPUT = "input to the user-provided function is"


# ---------------------------------------------------------------------- gradients
def _gradients(outputs: Any, inputs: Any, v: Any, create_graph: bool, keep: bool = False) -> tuple[Any, ...]:
    """autograd.grad of those outputs that require grad; None for inputs that no gradient reaches."""
    from . import grad

    given = (None,) * len(outputs) if v is None else v
    pairs = [(o, g) for o, g in zip(outputs, given, strict=True) if o is not None and o.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    return grad(
        [o for o, _ in pairs],
        inputs,
        [g for _, g in pairs],
        retain_graph=keep or create_graph,
        create_graph=create_graph,
        allow_unused=True,
    )


def _filled(grads: Any, like: Any, unused: str, strict: bool, create_graph: bool, what: str) -> tuple[Any, ...]:
    """Zeros for what is None; in strict mode, errors instead."""
    from minitorch._creation import zeros_like

    made = []
    for i, (g, t) in enumerate(zip(grads, like, strict=True)):
        if strict and g is None:
            raise RuntimeError(unused.format(i=i))
        if strict and create_graph and not g.requires_grad:
            raise RuntimeError(_CONSTANT.format(what=what, i=i))
        made.append(zeros_like(t) if g is None else g)
    return tuple(made)


def _zero_directions(like: Any) -> tuple[Any, ...]:
    """Arguments that gradients are linear in, to be differentiated by."""
    from minitorch._creation import zeros_like

    return tuple(zeros_like(t, requires_grad=True) for t in like)


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), v times its Jacobian).

    >>> import minitorch as torch
    >>> torch.autograd.functional.vjp(lambda x: x**2, torch.tensor([1.0, 2.0]), torch.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        several, inputs = _as_tuple(inputs, "inputs", "vjp")
        inputs = _tracked(inputs, create_graph)
        several_out, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "vjp")
        _check_graph(outputs, _NO_OUTPUT_GRAPH, strict)
        v = _direction(v, outputs, several_out, "vjp", "user-provided function returns")
    with set_grad_enabled(create_graph or state.grad):
        grads = _gradients(outputs, inputs, v, create_graph)
        found = _filled(grads, inputs, _UNUSED, strict, create_graph, "jacobian")
    return _finished(outputs, create_graph, several_out), _finished(found, create_graph, several)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), its Jacobian times v), by two reverse passes; torch.func.jvp takes one forward pass.

    >>> import minitorch as torch
    >>> torch.autograd.functional.jvp(lambda x: x**2, torch.tensor([1.0, 2.0]), torch.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        several, inputs = _as_tuple(inputs, "inputs", "jvp")
        inputs = _tracked(inputs, create_graph)
        v = _direction(v, inputs, several, "jvp", _OF_INPUT)
        several_out, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "jvp")
        _check_graph(outputs, _NO_OUTPUT_GRAPH, strict)
        directions = _zero_directions(outputs)
        pulled = _gradients(outputs, inputs, directions, True)
        _check_graph(pulled, _NO_GRADIENT_GRAPH, strict)
    with set_grad_enabled(create_graph or state.grad):
        grads = _gradients(pulled, directions, v if v is not None else _ones(inputs), create_graph)
        found = _filled(grads, outputs, _UNUSED_DIRECTION, strict, create_graph, "jacobian")
    return _finished(outputs, create_graph, several_out), _finished(found, create_graph, several_out)


def _ones(tensors: Any) -> tuple[Any, ...]:
    from minitorch._creation import ones_like

    return tuple(ones_like(t) for t in tensors)


# ---------------------------------------------------------------------- whole matrices
def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of func, of shape (*output, *input) for each output and input.

    One reverse pass for each element of the output; with vectorize=True one for all, over a batch.

    >>> import minitorch as torch
    >>> torch.autograd.functional.jacobian(lambda x: x**2, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs '
            'than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        return _forward_jacobian(func, inputs, create_graph, strict, vectorize)
    with enable_grad():
        several, inputs = _as_tuple(inputs, "inputs", "jacobian")
        inputs = _tracked(inputs, create_graph)
        several_out, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "jacobian")
        _check_graph(outputs, _NO_OUTPUT_GRAPH, strict)
        if vectorize and strict:
            raise RuntimeError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
                "Please either set `strict=False` or `vectorize=False`."
            )
        rows = _rows_at_once if vectorize else _rows_one_by_one
        found = tuple(rows(i, o, inputs, create_graph, strict) for i, o in enumerate(outputs))
    return _finished(found, create_graph, several_out, several)


def _rows_one_by_one(i: int, output: Any, inputs: Any, create_graph: bool, strict: bool) -> tuple[Any, ...]:
    """The Jacobians of one output by each input."""
    from minitorch._creation import zeros_like
    from minitorch._ops.public import FUNCTIONS

    rows: list[list[Any]] = [[] for _ in inputs]
    for element in FUNCTIONS["reshape"](output, -1).unbind() if output.numel() else ():
        for k, g in enumerate(_gradients((element,), inputs, None, create_graph, True)):
            if strict and g is None:
                raise RuntimeError(
                    f"Output {i} of the user-provided function is independent of input {k}. This is not allowed in "
                    "strict mode."
                )
            if strict and create_graph and not g.requires_grad:
                raise RuntimeError(_CONSTANT.format(what="jacobian", i=i))
            rows[k].append(zeros_like(inputs[k]) if g is None else g)
    return tuple(
        FUNCTIONS["stack"](r).view((*output.shape, *t.shape)) if r else t.new_zeros((*output.shape, *t.shape))
        for r, t in zip(rows, inputs, strict=True)
    )


def _rows_at_once(i: int, output: Any, inputs: Any, create_graph: bool, strict: bool) -> tuple[Any, ...]:
    from minitorch._creation import zeros_like
    from minitorch._transforms.jacobians import basis_of
    from minitorch._transforms.vmap import vmap

    if not output.requires_grad or not output.numel():
        return tuple(t.new_zeros((*output.shape, *t.shape)) for t in inputs)

    def row(v: Any) -> tuple[Any, ...]:
        grads = _gradients((output,), inputs, (v,), create_graph, True)
        return tuple(zeros_like(t) if g is None else g for g, t in zip(grads, inputs, strict=True))

    return tuple(g.reshape((*output.shape, *t.shape)) for g, t in zip(vmap(row)(basis_of(output)), inputs, strict=True))


def _forward_jacobian(func: Callable[..., Any], inputs: Any, create_graph: bool, strict: bool, vectorize: bool) -> Any:
    """Column by column of the input, over a batch."""
    if create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `strict=False` or `strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for "
            "`vectorize=True`."
        )
    from minitorch._transforms.jacobians import jacfwd

    several, inputs = _as_tuple(inputs, "inputs", "jacobian")
    several_out = False

    def checked(*given: Any) -> tuple[Any, ...]:
        nonlocal several_out
        several_out, outputs = _as_tuple(func(*given), "outputs of the user-provided function", "jacobian")
        return outputs

    found = jacfwd(checked, tuple(range(len(inputs))))(*inputs)
    return _finished(found, True, several_out, several)


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of func, whose value has one element: for each pair of inputs (*input, *input).

    >>> import minitorch as torch
    >>> torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    several, inputs = _as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def value(*given: Any) -> Any:
        several_out, outputs = _as_tuple(func(*given), "outputs of the user-provided function", "hessian")
        _check_graph(outputs, _NO_OUTPUT_GRAPH, strict)
        _check_single(outputs, several_out, "hessian")
        return outputs[0].squeeze()

    def gradient(*given: Any) -> Any:
        if outer_jacobian_strategy == "forward-mode":
            from minitorch._transforms.reverse import grad

            return grad(value, tuple(range(len(given))))(*given)
        found = jacobian(value, given, create_graph=True)
        _check_graph(found, _NO_JACOBIAN_GRAPH, strict)
        return found

    found = jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return _finished(found, create_graph, several, several)


def _check_single(outputs: Any, several: bool, name: str) -> None:
    if several:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")


# ---------------------------------------------------------------------- products with the Hessian
def _first_derivative(
    func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool, name: str
) -> tuple[bool, Any, Any, Any, Any]:
    """(whether inputs is a tuple, inputs, outputs, gradient with its graph, v)."""
    several, inputs = _as_tuple(inputs, "inputs", name)
    inputs = _tracked(inputs, create_graph)
    v = _direction(v, inputs, several, name, _OF_INPUT)
    several_out, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", name)
    _check_graph(outputs, _NO_OUTPUT_GRAPH, strict)
    _check_single(outputs, several_out, name)
    gradient = _gradients(outputs, inputs, None, True)
    _check_graph(gradient, _NO_JACOBIAN_GRAPH, strict)
    return several, inputs, outputs, gradient, _ones(inputs) if v is None else v


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), v times its Hessian).

    >>> import minitorch as torch
    >>> torch.autograd.functional.vhp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        several, inputs, outputs, gradient, v = _first_derivative(func, inputs, v, create_graph, strict, "vhp")
    with set_grad_enabled(create_graph or state.grad):
        grads = _gradients(gradient, inputs, v, create_graph)
        found = _filled(grads, inputs, _UNUSED_TWICE, strict, create_graph, "hessian")
    return _finished(outputs, create_graph, False), _finished(found, create_graph, several)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(*inputs), its Hessian times v); vhp takes a pass less.

    >>> import minitorch as torch
    >>> torch.autograd.functional.hvp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        several, inputs, outputs, gradient, v = _first_derivative(func, inputs, v, create_graph, strict, "hvp")
        directions = _zero_directions(inputs)
        second = _gradients(gradient, inputs, directions, True)
        _check_graph(second, _NO_GRADIENT_GRAPH, strict)
    with set_grad_enabled(create_graph or state.grad):
        grads = _gradients(second, directions, v, create_graph)
        found = _filled(grads, inputs, _UNUSED_HESSIAN, strict, create_graph, "hessian")
    return _finished(outputs, create_graph, False), _finished(found, create_graph, several)
