"""What gradcheck's `check_batched_grad` asks: whether vmap over a derivative gives what calls one by one give.

Backward formulas that vmap cannot run, or runs wrongly, give wrong Jacobians and Hessians in `torch.func` and in
`autograd.functional` with `vectorize=True`, however right their gradients are.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minitorch._creation import from_numpy, zeros_like
from minitorch._ops.stacking import stack

from .gradcheck import GradcheckError

_REMEDY = (
    "The derivative is right for one direction, but not under torch.func.vmap, which computes several at once: write "
    "the formula in torch's functions, without .item(), .numpy() or branches on numbers."
)


def check_batched_backward(outputs: list[Any], wanted: list[Any]) -> None:
    """Backward passes, from each output alone to the inputs `wanted`."""
    from . import grad

    def pulled(output: Any, direction: Any) -> list[Any]:
        found = grad(output, wanted, direction, retain_graph=True, allow_unused=True)
        return [zeros_like(t) if g is None else g for t, g in zip(wanted, found, strict=True)]

    for i, output in enumerate(outputs):
        _compare(partial(pulled, output), output, f"output {i} and input {{}}")


def check_batched_forward(func: Callable[..., Any], values: tuple[Any, ...], wanted: list[Any]) -> None:
    """Forward mode, from each of the inputs `wanted` alone."""
    from .forward_ad import dual_level, make_dual, unpack_dual

    def pushed(t: Any, tangent: Any) -> list[Any]:
        with dual_level():
            dual = make_dual(t.detach(), tangent)
            result = func(*[dual if v is t else v for v in values])
            made = [unpack_dual(o) for o in (result if isinstance(result, (tuple, list)) else (result,))]
            return [zeros_like(d.primal) if d.tangent is None else d.tangent for d in made]

    for i, t in enumerate(wanted):
        _compare(partial(pushed, t), t, f"output {{}} and input {i}, in forward mode")


def _compare(derivative: Callable[[Any], list[Any]], like: Any, where: str) -> None:
    """`derivative` for two directions of the shape of `like`, at once and one after the other."""
    from minitorch._transforms.vmap import vmap

    values = like.detach().numpy()
    drawn = np.random.default_rng(0).standard_normal((2, *values.shape))  # the user's random numbers stay as they are
    directions = from_numpy(drawn.astype(values.dtype))
    singly = [derivative(d) for d in directions]
    try:
        at_once = vmap(derivative)(directions)
    except RuntimeError as e:
        raise GradcheckError(f"While computing batched gradients, got: {e}\n\n{_REMEDY}") from e
    for k, (found, *expected) in enumerate(zip(at_once, *singly, strict=True)):
        right = stack(expected)
        if not found.allclose(right):
            raise GradcheckError(f"For {where.format(k)}:\n\n{_REMEDY}\n\nGot:\n{found}\n\nExpected:\n{right}")
