"""Reverse mode as a transform: grad, grad_and_value, vjp.

The graph is the ordinary one. A `Tape` gives a function copies of its inputs that are leaves, or aliases if there is a
graph outside, differentiates the outputs by exactly these, and cuts what leads to nothing but these off the results.
Inside vmap the graph is that of the batches: gradients of a whole batch are the gradients of each of its values,
provided that every input is itself a batch, which `Tape.track` sees to.
"""

import functools
from collections.abc import Callable
from typing import Any

from minitorch._creation import zeros_like
from minitorch._dtype import FLOATS
from minitorch._ops.nodes import aliased
from minitorch._ops.op import OPS
from minitorch._tensor import Tensor, current_edge
from minitorch.autograd import engine
from minitorch.autograd.grad_mode import state
from minitorch.autograd.node import AccumulateGrad
from minitorch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from .levels import BatchedArray, Transforming, active, innermost, logical, physical


def is_float(t: Any) -> bool:
    """Whether t can have a gradient."""
    return isinstance(t, Tensor) and t.array.dtype in FLOATS


def edge_of(t: Tensor) -> Any:
    """Where the tensor's gradient goes."""
    return t.edge if t.base is None else current_edge(t)


class Tape(Transforming):
    """A function being differentiated. As a context, grad mode is on."""

    def __init__(self, levels: tuple[Any, ...] | None = None) -> None:
        from .vmap import Vmap

        self.levels = active(Vmap) if levels is None else levels
        self.outer = state.grad
        self.own: set[Any] = set()  # the leaves made here
        self.edges: dict[int, tuple[Tensor, Any]] = {}  # what `track` made, with the edge that it had then

    def __enter__(self) -> "Tape":
        self.before, state.grad = state.grad, True
        state.refresh()
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        state.grad = self.before
        state.refresh()

    def track(self, x: Tensor) -> Tensor:
        """A copy of x, over the same memory, that the outputs can be differentiated by."""
        p = physical(x, self.levels)
        if self.outer and edge_of(p) is not None:
            p = OPS["basic_alias"].function(p, (Ellipsis,))
        else:
            p = leaf(p)
            self.own.add(p.edge)
        found = logical(p, self.levels)
        self.edges[id(found)] = found, edge_of(p)
        return found

    def pull(self, outs: list[Any], inputs: list[Tensor], cotangents: list[Any], record: bool) -> list[Tensor]:
        """The cotangents, drawn back from the outputs to the inputs; zeros where nothing arrives."""
        roots = []
        for o, g in zip(outs, cotangents, strict=True):
            edge = edge_of(physical(o, self.levels))
            if edge is not None:
                g = physical(g, self.levels)
                roots.append((edge, g if g.array.dtype is o.array.dtype else OPS["to_copy"].function(g, o.array.dtype)))
        targets = [self.edges[id(t)][1] for t in inputs]
        found = gradients(roots, targets, record)
        return [zeros_like(t) if g is None else logical(g, self.levels) for t, g in zip(inputs, found, strict=True)]

    def leads_out(self, tensors: list[Any]) -> bool:
        """Whether anything outside can be differentiated by: a graph that reaches other leaves than those made here."""
        if not self.outer:
            return False
        stack = [edge_of(physical(t, self.levels)) for t in tensors if is_float(t)]
        seen = set()
        while stack:
            node = stack.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if isinstance(node, AccumulateGrad) and node not in self.own:
                return True
            stack += node.successors()
        return False

    def release(self, t: Any) -> Any:
        """A result as the outside may see it: without a graph, if that leads only to leaves made here."""
        if not is_float(t):
            return t
        if t.requires_grad and not self.leads_out([t]):
            t = without_graph(t)
        kept = innermost(t)[0].__dict__
        if "tangents" in kept:
            kept["tangents"] = {level: self.release(tangent) for level, tangent in kept["tangents"].items()}
        return t


def leaf(p: Tensor) -> Tensor:
    """A leaf over p's memory, with p's tangents."""
    made = without_graph(p)
    made.requires_grad = True
    return made


def without_graph(t: Tensor) -> Tensor:
    """The same values and tangents, without history."""
    if t.array.__class__ is BatchedArray:
        made = aliased(BatchedArray(without_graph(t.array.value), t.array.level), t.version, None)
    else:
        made = aliased(t.array, t.version, None)
        if "tangents" in t.__dict__:
            made.__dict__["tangents"] = t.__dict__["tangents"]
    return made


def detached(t: Tensor) -> Tensor:
    """The same values without history, and so its tangents."""
    made = without_graph(t)
    kept = innermost(made)[0].__dict__
    if "tangents" in kept:
        kept["tangents"] = {level: detached(tangent) for level, tangent in kept["tangents"].items()}
    return made


def gradients(roots: list[Any], targets: list[Any], record: bool) -> list[Tensor | None]:
    """What arrives at the edges `targets`. Transforms want the pass on Tensors, so that they see its ops."""
    from .forward import Forward

    captured = dict.fromkeys(targets)
    if not roots:
        return [None] * len(targets)
    wanted, are_all = engine.ancestors_leading_to([n for n, _ in roots], captured)
    tensors = record or bool(active(Forward)) or any(g.array.__class__ is BatchedArray for _, g in roots)
    given = [(n, g if tensors else g.array) for n, g in roots]
    engine.backward_many(given, True, tensors, captured, wanted, are_all)
    found = [captured[t] for t in targets]
    if not tensors:
        return [None if g is None else engine.wrap(g) for g in found]
    return [g if g is None or record else without_graph(g) for g in found]


# ---------------------------------------------------------------------- the transforms
def check_tensors(leaves: list[Any]) -> None:
    """Refuse inputs that are no tensors."""
    for x in leaves:
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        if x.array.dtype not in FLOATS:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")


def chosen(args: tuple[Any, ...], argnums: Any) -> Any:
    """The arguments that a transform differentiates by: one, or a tuple of several."""
    if isinstance(argnums, int) and not isinstance(argnums, bool):
        return args[_position(argnums, len(args))]
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    if not argnums:
        raise RuntimeError("argnums must be non-empty")
    if len(set(argnums)) != len(argnums):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return tuple(args[_position(a, len(args))] for a in argnums)


def _position(argnum: Any, count: int) -> int:
    if not isinstance(argnum, int):
        raise RuntimeError(f"argnum must be int, got: {type(argnum)}")
    if not -count <= argnum < count:
        raise RuntimeError(f"Got argnum={argnum}, but only {count} positional inputs")
    return argnum % count


def with_chosen(args: tuple[Any, ...], argnums: Any, new: Any) -> tuple[Any, ...]:
    """The arguments with those of `chosen` replaced."""
    made = list(args)
    if isinstance(argnums, int):
        made[argnums] = new
    else:
        for a, value in zip(argnums, new, strict=True):
            made[a] = value
    return tuple(made)


def split_aux(result: Any, has_aux: bool, name: str) -> tuple[Any, Any]:
    """(output, aux) of what a function returned."""
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return result


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns (gradient, value of func), the value with aux if func returns some.

    >>> import minitorch as torch
    >>> torch.func.grad_and_value(lambda x: x**2)(torch.tensor(3.0))
    (tensor(6.), tensor(9.))
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        tape = Tape()
        leaves, spec = tree_flatten(chosen(args, argnums))
        check_tensors(leaves)
        with tape:
            tracked = [tape.track(x) for x in leaves]
            result = func(*with_chosen(args, argnums, tree_unflatten(tracked, spec)), **kwargs)
        name = "grad_and_value(f)(*args)"
        output, aux = split_aux(result, has_aux, name)
        if not isinstance(output, Tensor):
            raise RuntimeError(f"{name}: Expected f(*args) to return a Tensor, got {type(output)}")
        if output.ndim:
            raise RuntimeError(
                f"{name}: Expected f(*args) to return a scalar Tensor, got tensor with {output.ndim} dims. Maybe you "
                "wanted to use the vjp or jacrev APIs instead?"
            )
        found = tape.pull([output], tracked, [_one_like(output)], tape.leads_out([output]))
        gradient = tree_unflatten([tape.release(g) for g in found], spec)
        output = tape.release(output)
        return gradient, ((output, tree_map(tape.release, aux)) if has_aux else output)

    return wrapper


def _one_like(t: Tensor) -> Tensor:
    from minitorch._creation import ones_like

    return ones_like(t)


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of func, whose value is a scalar, by its arguments `argnums`.

    >>> import minitorch as torch
    >>> torch.func.grad(torch.func.grad(torch.sin))(torch.tensor(0.0))
    tensor(-0.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


def outputs_of(result: Any, name: str) -> tuple[list[Tensor], Any]:
    """The outputs of a function, flat, and their structure."""
    leaves, spec = tree_flatten(result)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise RuntimeError(f"{name}: expected f(*primals) to return only tensors, got unsupported type {type(x)}")
    if not leaves:
        raise RuntimeError(f"{name}: Expected f to be a function that has non-empty output (got output = [])")
    return leaves, spec


class Pullback:
    """func at one point, ready to be differentiated: what vjp and jacrev share."""

    def __init__(self, func: Callable[..., Any], args: tuple[Any, ...], argnums: Any, has_aux: bool):
        self.tape = tape = Tape()
        leaves, self.spec = tree_flatten(args if argnums is None else chosen(args, argnums))
        check_tensors(leaves)
        with tape:
            self.inputs = [tape.track(x) for x in leaves]
            tracked = tree_unflatten(self.inputs, self.spec)
            result = func(*(tracked if argnums is None else with_chosen(args, argnums, tracked)))
        output, self.aux = split_aux(result, has_aux, "vjp(f, *primals)")
        self.outputs, self.output_spec = outputs_of(output, "vjp(f, *primals)")
        for o in self.outputs:
            if o.array.dtype not in FLOATS:
                raise RuntimeError(
                    "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype "
                    f"{o.dtype}"
                )
        self.leads_out = tape.leads_out(self.outputs)

    def released(self) -> Any:
        """The outputs, and aux, as the outside may see them."""
        return (
            tree_unflatten([self.tape.release(o) for o in self.outputs], self.output_spec),
            tree_map(self.tape.release, self.aux),
        )

    def pull(self, outputs: list[Tensor], cotangents: list[Tensor]) -> list[Tensor]:
        """The gradients of the inputs."""
        record = state.grad and (self.leads_out or any(g.requires_grad for g in cotangents))
        return [self.tape.release(g) for g in self.tape.pull(outputs, self.inputs, cotangents, record)]


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(output of func, function from cotangents of the output to gradients of the primals), with aux if there is some.

    >>> import minitorch as torch
    >>> output, vjp_fn = torch.func.vjp(torch.sin, torch.zeros(2))
    >>> vjp_fn(torch.ones(2))
    (tensor([1., 1.]),)
    """
    back = Pullback(func, primals, None, has_aux)
    output, aux = back.released()

    def wrapper(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        flat, spec = tree_flatten(cotangents)
        if spec != back.output_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {_short(spec)}, primal output: {_short(back.output_spec)}"
            )
        for i, (g, o) in enumerate(zip(flat, back.outputs, strict=True)):
            if g.shape != o.shape:
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of "
                    f"{o.shape}."
                )
        return tree_unflatten(back.pull(back.outputs, flat), back.spec)

    return (output, wrapper, aux) if has_aux else (output, wrapper)


def _short(spec: Any) -> str:
    """A structure as this one message of torch's shows it."""
    return str(tree_unflatten([_Star()] * spec.num_leaves, spec))


class _Star:
    def __repr__(self) -> str:
        return "*"
