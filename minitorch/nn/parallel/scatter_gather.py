"""Same path as torch.nn.parallel.scatter_gather: batches cut for several GPUs, and results put together again."""

import warnings
from collections.abc import Sequence
from typing import Any

import minitorch
from minitorch._tensor import Tensor

__all__ = ["gather", "scatter", "scatter_kwargs"]


def is_namedtuple(obj: Any) -> bool:
    """Whether this is an instance of a named tuple."""
    return isinstance(obj, tuple) and hasattr(obj, "_asdict") and hasattr(obj, "_fields")


def gpu_index(device: Any) -> int:
    """The number of the GPU that an argument means; torch's error for the CPU."""
    if isinstance(device, int):
        return device
    d = minitorch.device(device)
    if d.type == "cpu":
        raise ValueError(f"Expected a non cpu device, but got: {d}")
    return minitorch.cuda.current_device() if d.index is None else d.index


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> Any:
    """Same as torch.nn.parallel.scatter: tensors cut along `dim`, one piece to a GPU, all else given to each.

    So are tensors in tuples, lists and dictionaries. Without a GPU a tensor is refused: RuntimeError.

    >>> scatter({"lr": 0.1}, [0, 1])
    [{'lr': 0.1}, {'lr': 0.1}]
    """
    if isinstance(inputs, Tensor):
        indices = [gpu_index(d) for d in target_gpus]
        if not minitorch.cuda.is_available():
            raise RuntimeError("scatter moves tensors to GPUs, and there is none: call the module itself")
        parts = inputs.chunk(len(indices), dim)
        return tuple(part.to(f"cuda:{i}") for part, i in zip(parts, indices, strict=False))
    if not inputs or not isinstance(inputs, tuple | list | dict):
        return [inputs for _ in target_gpus]
    members = inputs.values() if isinstance(inputs, dict) else inputs
    rows = zip(*(scatter(member, target_gpus, dim) for member in members), strict=False)
    if isinstance(inputs, dict):
        return [type(inputs)(zip(inputs, row, strict=True)) for row in rows]
    if is_namedtuple(inputs):
        return [type(inputs)(*row) for row in rows]
    return [list(row) if isinstance(inputs, list) else row for row in rows]


def scatter_kwargs(
    inputs: tuple[Any, ...], kwargs: dict[str, Any] | None, target_gpus: Sequence[Any], dim: int = 0
) -> tuple[tuple[Any, ...], tuple[dict[str, Any], ...]]:
    """The arguments and the keyword arguments of each GPU's call, as many of the ones as of the others.

    >>> scatter_kwargs((2,), {"lr": 0.1}, [0, 1])
    (((2,), (2,)), ({'lr': 0.1}, {'lr': 0.1}))
    """
    args = scatter(inputs, target_gpus, dim) if inputs else []
    named = scatter(kwargs, target_gpus, dim) if kwargs else []
    args += [() for _ in range(len(named) - len(args))]
    named += [{} for _ in range(len(args) - len(named))]
    return tuple(args), tuple(named)


def gather(outputs: Any, target_device: Any, dim: int = 0) -> Any:
    """Same as torch.nn.parallel.gather: results of several GPUs joined along `dim` on one device.

    Results are tensors, None, or tuples, lists and dictionaries of them, all alike. Tensors on the CPU are refused:
    AssertionError.

    >>> gather([{"loss": None}, {"loss": None}], 0)
    {'loss': None}
    """
    first = outputs[0]
    if isinstance(first, Tensor):
        assert all(t.device.type != "cpu" for t in outputs), "Gather function not implemented for CPU tensors"
        if all(t.dim() == 0 for t in outputs) and dim == 0:
            warnings.warn(
                "Was asked to gather along dimension 0, but all input tensors were scalars; "
                "will instead unsqueeze and return a vector.",
                stacklevel=2,
            )
            outputs = [t.view(1) for t in outputs]
        device = target_device if target_device == "cpu" else f"cuda:{gpu_index(target_device)}"
        return minitorch.cat([t.to(device) for t in outputs], dim)
    if first is None:
        return None
    if isinstance(first, dict):
        if any(len(d) != len(first) for d in outputs):
            raise ValueError("All dicts must have the same number of keys")
        return type(first)((k, gather([d[k] for d in outputs], target_device, dim)) for k in first)
    parts = [gather(row, target_device, dim) for row in zip(*outputs, strict=True)]
    return type(first)(*parts) if is_namedtuple(first) else type(first)(parts)
