"""The name of torch.vmap from before it was public."""

from collections.abc import Callable
from typing import Any

from ._transforms.vmap import vmap


def _vmap(
    func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, allow_none_pass_through: bool = False
) -> Callable[..., Any]:
    """vmap of a function that uses no random numbers; results that are None are not passed through."""
    if allow_none_pass_through:
        raise NotImplementedError("_vmap: allow_none_pass_through is not supported by minitorch")
    return vmap(func, in_dims, out_dims)
