"""jvp, linearize, jacrev, jacfwd and hessian."""

import functools
from collections.abc import Callable
from typing import Any

from minitorch._creation import eye, zeros_like
from minitorch._dtype import FLOATS
from minitorch._ops.public import FUNCTIONS
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import state
from minitorch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from .forward import Forward
from .levels import Transform
from .reverse import Pullback, Tape, chosen, is_float, outputs_of, split_aux, with_chosen
from .vmap import check_randomness, vmap

JVP = "jvp(f, primals, tangents)"


class Pushforward(Transform, Forward):
    """The level of one jvp."""

    def __init__(self) -> None:
        self.number = 1 + len(state.interceptors)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """(output, its derivative in the direction `tangents`), with aux if func returns some.

    >>> import minitorch as torch
    >>> torch.func.jvp(torch.sin, (torch.zeros(2),), (torch.ones(2),))
    (tensor([0., 0.]), tensor([1., 1.]))
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    flat, spec = tree_flatten(primals)
    directions, tangent_spec = tree_flatten(tangents)
    if spec != tangent_spec:
        raise RuntimeError(
            f"{JVP}: Expected primals and tangents to have the same python structure. For example, if primals is a "
            f"tuple of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents with structure "
            f"{tangent_spec}"
        )
    for what, leaves in (("primals", flat), ("tangents", directions)):
        if not leaves:
            raise RuntimeError(f"{JVP}: Expected {what} to contain at least one Tensor.")
        for x in leaves:
            if not isinstance(x, Tensor):
                raise RuntimeError(f"{JVP}: Expected {what} to only contain Tensors, got {type(x)}")
    level = Pushforward()
    with level:
        duals = [make_dual(level, p, t) for p, t in zip(flat, directions, strict=True)]
        result = func(*tree_unflatten(duals, spec))
        output, aux = split_aux(result, has_aux, JVP)
        outputs, output_spec = outputs_of(output, JVP)
        pushed = [level.tangent(o) for o in outputs]
        if strict and any(t is None for t in pushed):
            raise RuntimeError(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not "
                "allowed with strict=True."
            )
        found = tree_unflatten([level.primal(o) for o in outputs], output_spec)
        aux = tree_map(lambda a: level.primal(a) if isinstance(a, Tensor) else a, aux)
    derivative = tree_unflatten(
        [zeros_like(o) if t is None else t for o, t in zip(outputs, pushed, strict=True)], output_spec
    )
    return (found, derivative, aux) if has_aux else (found, derivative)


def make_dual(level: Forward, primal: Tensor, tangent: Tensor) -> Tensor:
    """A dual number, of floats only."""
    for what, t in (("primal", primal), ("tangent", tangent)):
        if t.array.dtype not in FLOATS:
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {t.dtype}")
    return level.make_dual(primal, tangent)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """(output, function from tangents to the derivative at `primals`), func being called once.

    The derivative is that of the gradients by their cotangents, as in `tangent_rules.by_two_reverse_passes`.

    >>> import minitorch as torch
    >>> output, jvp_fn = torch.func.linearize(torch.sin, torch.zeros(2))
    >>> jvp_fn(torch.ones(2))
    tensor([1., 1.])
    """
    tape = Tape()
    flat, spec = tree_flatten(primals)
    with tape:
        tracked = [tape.track(p) for p in flat]
        outputs, output_spec = tree_flatten(func(*tree_unflatten(tracked, spec)))
        floats = [o for o in outputs if is_float(o)]
        cotangents = [tape.track(zeros_like(o)) for o in floats]
        pulled = tape.pull(floats, tracked, cotangents, True)

    def jvp_fn(*tangents: Any) -> Any:
        given, given_spec = tree_flatten(tangents)
        if given_spec != spec:
            raise RuntimeError(f"Expected the tangents {given_spec} to have the same argspec as the primals {spec}")
        for i, (t, p) in enumerate(zip(given, flat, strict=True)):
            for what in ("shape", "dtype"):
                have, want = getattr(t, what), getattr(p, what)
                if have != want:
                    raise RuntimeError(
                        f"tangent:{i} with {what} {have} in flattened pytree doesn't match the {what} {want} of the "
                        "corresponding primal."
                    )
        record = state.grad and (tape.leads_out(pulled) or any(t.requires_grad for t in given))
        found = iter([tape.release(t) for t in tape.pull(pulled, cotangents, given, record)])
        return tree_unflatten([next(found) if is_float(o) else zeros_like(o) for o in outputs], output_spec)

    return tree_unflatten([tape.release(o) for o in outputs], output_spec), jvp_fn


def basis_of(t: Tensor) -> Tensor:
    """All unit vectors of t's shape, along a new first dimension."""
    n = t.numel()
    return eye(n, dtype=t.dtype, device=t.device).reshape(n, *t.shape)


def jacrev(
    func: Callable[..., Any],
    argnums: Any = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """A function that returns the Jacobian of func by its arguments `argnums`, row by row of the output.

    `chunk_size` is the number of rows computed at once.

    >>> import minitorch as torch
    >>> torch.func.jacrev(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        back = Pullback(functools.partial(func, **kwargs), args, argnums, has_aux)
        rows = []
        for o in back.outputs:

            def row(v: Tensor, o: Tensor = o) -> tuple[Any, ...]:
                return tuple(back.pull([o], [v]))

            n = o.numel()
            found = (
                vmap(row, chunk_size=chunk_size)(basis_of(o))
                if n
                else [zeros_like(x).expand(0, *x.shape) for x in back.inputs]
            )
            rows.append(tree_unflatten([g.reshape((*o.shape, *g.shape[1:])) for g in found], back.spec))
        jacobian = tree_unflatten(rows, back.output_spec)
        return (jacobian, back.released()[1]) if has_aux else jacobian

    return wrapper


def jacfwd(
    func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """A function that returns the Jacobian of func by its arguments `argnums`, column by column of the input.

    >>> import minitorch as torch
    >>> torch.func.jacfwd(torch.cumsum, argnums=0)(torch.zeros(2), 0)
    tensor([[1., 0.],
            [1., 1.]])
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        check_randomness(randomness)
        inputs, spec = tree_flatten(chosen(args, argnums))
        lengths = [x.numel() for x in inputs]

        def of_inputs(*leaves: Any) -> Any:
            return func(*with_chosen(args, argnums, tree_unflatten(list(leaves), spec)), **kwargs)

        def column(*tangents: Tensor) -> Any:
            return jvp(of_inputs, tuple(inputs), tangents, has_aux=has_aux)

        _, pushed, *aux = vmap(column, randomness=randomness)(*_columns(inputs, lengths))
        jacobian = tree_map(lambda t: tree_unflatten(_by_input(t, inputs, lengths), spec), pushed)
        return (jacobian, tree_map(lambda a: a[0] if isinstance(a, Tensor) else a, aux[0])) if has_aux else jacobian

    return wrapper


def _columns(inputs: list[Tensor], lengths: list[int]) -> list[Tensor]:
    """Per input the tangents of all columns: unit vectors for its own, zeros for those of the other inputs."""
    made = []
    for i, x in enumerate(inputs):
        blocks = [basis_of(x) if j == i else zeros_like(x).expand(n, *x.shape) for j, n in enumerate(lengths)]
        made.append(FUNCTIONS["cat"](blocks, 0) if len(blocks) > 1 else blocks[0])
    return made


def _by_input(t: Tensor, inputs: list[Tensor], lengths: list[int]) -> list[Tensor]:
    """Columns (N, *output) as one Jacobian (*output, *input) per input."""
    parts = t.movedim(0, -1).split(lengths, -1)
    return [p.reshape((*p.shape[:-1], *x.shape)) for p, x in zip(parts, inputs, strict=True)]


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """A function that returns the second derivatives of func: jacfwd of jacrev.

    >>> import minitorch as torch
    >>> torch.func.hessian(lambda x: (x**3).sum())(torch.ones(2))
    tensor([[6., 0.],
            [0., 6.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
