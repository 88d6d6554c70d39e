"""User-defined autograd.Functions inside transforms."""

from typing import Any

from minitorch._ops.op import OPS
from minitorch._ops.public import FUNCTIONS
from minitorch._tensor import Tensor
from minitorch.autograd.function import Function, call
from minitorch.autograd.grad_mode import state
from minitorch.utils._pytree import _broadcast_to_and_flatten, tree_flatten, tree_unflatten

from .levels import batched, is_batched


class Info:
    """What a Function's `vmap` staticmethod is told: the size of the batch and the kind of randomness."""

    def __init__(self, batch_size: int, randomness: str):
        self.batch_size, self.randomness = batch_size, randomness


def batched_function(level: Any, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """cls.apply on batches: by its `vmap` staticmethod, or, for a generated rule, one value after the other."""
    leaves, spec = tree_flatten(args)
    if not any(is_batched(a, level) for a in leaves):
        return level.beneath(lambda: cls.apply(*args, **kwargs))
    own = None if cls.vmap is Function.vmap else cls.vmap
    if cls.generate_vmap_rule and own is not None:
        raise RuntimeError(
            f"You tried to vmap over {cls.__name__}, but it has both generate_vmap_rule=True and an overridden vmap "
            "staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid "
            "ambiguity. For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"
        )
    if not cls.generate_vmap_rule and own is None:
        raise RuntimeError(
            f"You tried to vmap over {cls.__name__}, but it does not have vmap support. Please override and implement "
            "the vmap staticmethod or set generate_vmap_rule=True. For more details, please see "
            "https://pytorch.org/docs/main/notes/extending.func.html"
        )
    dims = [0 if is_batched(a, level) else None for a in leaves]
    values = [a.array.value if d == 0 else a for a, d in zip(leaves, dims, strict=True)]
    if cls.generate_vmap_rule:

        def each() -> Any:
            results = []
            for i in range(level.size):
                one = [OPS["select"].function(v, 0, i) if d == 0 else v for v, d in zip(values, dims, strict=True)]
                results.append(cls.apply(*tree_unflatten(one, spec), **kwargs))
            if isinstance(results[0], Tensor):
                return FUNCTIONS["stack"](results)
            return tuple(FUNCTIONS["stack"](list(column)) for column in zip(*results, strict=True))

        return level.wrapped(level.beneath(each))
    in_dims = tree_unflatten(dims, spec)
    out, out_dims = level.beneath(own, Info(level.size, level.randomness), in_dims, *tree_unflatten(values, spec))
    outs, out_spec = tree_flatten(out)
    places = _broadcast_to_and_flatten(out_dims, out_spec)
    assert places is not None

    def in_front(t: Tensor, d: int) -> Tensor:
        from .vmap import moved

        return moved(t, d % t.ndim, 0)

    made = [
        t if d is None else batched(level.beneath(in_front, t, d), level) for t, d in zip(outs, places, strict=True)
    ]
    return tree_unflatten(made, out_spec)


def pushed(tangents: list[Any], cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """(outputs, their tangents) of cls.apply; runs below the level."""
    if cls.jvp is Function.jvp:
        cls.jvp(None)  # torch's error
    if state.interceptors:
        raise NotImplementedError(
            f"{cls.__name__}: forward mode through an autograd.Function inside another transform is not supported"
        )
    ctx, out = call(cls, args, kwargs)
    found = ctx.apply_jvp(*tangents)
    if not isinstance(out, tuple):
        return out, (found,)
    if not isinstance(found, tuple) or len(found) != len(out):
        raise RuntimeError(f"{cls.__name__}.jvp must return one tangent for each of the {len(out)} outputs")
    return out, found
