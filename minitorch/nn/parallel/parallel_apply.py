"""Same path as torch.nn.parallel.parallel_apply: modules called on a GPU each."""

from collections.abc import Sequence
from typing import Any

import minitorch
from minitorch._no_accelerator import NO_ACCELERATOR
from minitorch.nn.modules.module import Module

__all__ = ["parallel_apply"]


def parallel_apply(
    modules: Sequence[Module],
    inputs: Sequence[Any],
    kwargs_tup: Sequence[dict[str, Any]] | None = None,
    devices: Sequence[Any] | None = None,
) -> list[Any]:
    """Same as torch.nn.parallel.parallel_apply: `module(*input, **kwargs)` of each, with its GPU as the current one.

    Without a GPU: RuntimeError. The calls are made one after the other, since a GPU computes in the background anyway.
    """
    for what, given in (("inputs", inputs), ("kwargs_tup", kwargs_tup), ("devices", devices)):
        assert given is None or len(modules) == len(given), (
            f"The number of modules {len(modules)} is not equal to the number of {what} {len(given)}"
        )
    for device in devices or ():
        if device is not None and not isinstance(device, int) and minitorch.device(device).type != "cuda":
            raise ValueError(f"Expected a cuda device, but got: {device}")
    if not minitorch.cuda.is_available():
        raise RuntimeError(NO_ACCELERATOR)
    results = []
    for i, (module, args) in enumerate(zip(modules, inputs, strict=True)):
        with minitorch.cuda.device(devices[i] if devices else None):
            args = args if isinstance(args, list | tuple) else (args,)
            results.append(module(*args, **(kwargs_tup[i] if kwargs_tup else {})))
    return results
