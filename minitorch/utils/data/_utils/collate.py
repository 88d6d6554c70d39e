"""Items into a batch: tensors stacked, containers entered."""

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from minitorch._tensor import Tensor
from minitorch.utils.data._utils import worker

__all__ = ["collate", "default_collate", "default_convert"]

_UNSUPPORTED = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"

CollateMap = dict[Any, Callable[..., Any]]


def default_convert(data: Any) -> Any:
    """Same as torch.utils.data.default_convert: NumPy arrays in a container become tensors, the rest stays.

    >>> import numpy as np
    >>> default_convert({"x": np.array([0, 1]), "name": "a"})
    {'x': tensor([0, 1]), 'name': 'a'}
    """
    kind = type(data)
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        if isinstance(data, np.ndarray) and data.dtype.kind in "SUO":
            return data
        from minitorch import as_tensor

        return as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(data[key]) for key in data}, clone=False)
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return kind(*map(default_convert, data))
    if isinstance(data, tuple):
        return [default_convert(item) for item in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt(data, [default_convert(item) for item in data], clone=False)
    return data


def _rebuilt(like: Any, values: Any, clone: bool = True) -> Any:
    """A container of the same class as `like` with these values; a plain one if the class cannot be made so.

    A mutable one is cloned and written to, since it may have further attributes.
    """
    made: Any
    try:
        if clone and isinstance(like, MutableMapping):
            made = copy.copy(like)
            made.update(values)
            return made
        if clone and isinstance(like, MutableSequence):
            made = copy.copy(like)
            for i, value in enumerate(values):
                made[i] = value
            return made
        return type(like)(values)
    except TypeError:
        return values


def collate(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Same as torch.utils.data._utils.collate.collate: join items by a function for each type, entering containers.

    A type that the map lacks is served by the first entry that it is derived from.
    """
    first = batch[0]
    functions = collate_fn_map or {}
    function = functions.get(type(first))
    if function is None:
        function = next((functions[kind] for kind in functions if isinstance(first, kind)), None)
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)

    def joined(items: Any) -> Any:
        return collate(items, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        return _rebuilt(first, {key: joined([item[key] for item in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*[joined(column) for column in zip(*batch)])
    if isinstance(first, Sequence):
        if any(len(item) != len(first) for item in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [joined(column) for column in zip(*batch)]
        return columns if isinstance(first, tuple) else _rebuilt(first, columns)
    raise TypeError(_UNSUPPORTED.format(type(first)))


def collate_tensor_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Tensors of one shape, stacked; in a worker, in shared memory at once."""
    from minitorch import stack, strided

    first = batch[0]
    if first.is_nested:
        raise RuntimeError(_no_batches_of("nested"))
    if first.layout is not strided:
        raise RuntimeError(_no_batches_of("sparse"))
    out = None
    if worker.get_worker_info() is not None and can_share(batch):
        out = worker.new_batch(len(batch), first)
    return stack(list(batch), 0, out=out)


def can_share(tensors: Sequence[Tensor]) -> bool:
    """Whether a result made of these tensors may be written into memory given beforehand."""
    return all(type(t) is Tensor and not t.requires_grad and t.is_cpu for t in tensors) and (
        len({(t.dtype, t.shape) for t in tensors}) == 1
    )


def _no_batches_of(kind: str) -> str:
    return (
        f"Batches of {kind} tensors are not currently supported by the default collate_fn; "
        "please provide a custom collate_fn to handle them appropriately."
    )


def collate_numpy_array_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Arrays of numbers, as tensors."""
    from minitorch import as_tensor

    if batch[0].dtype.kind in "SUO":
        raise TypeError(_UNSUPPORTED.format(batch[0].dtype))
    return collate([as_tensor(item) for item in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """NumPy's numbers, as a tensor of their dtype."""
    from minitorch import as_tensor

    return as_tensor(batch)


def collate_float_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Python floats, as a float64 tensor."""
    from minitorch import float64, tensor

    return tensor(batch, dtype=float64)


def collate_int_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Python integers or bools, as a tensor."""
    from minitorch import tensor

    return tensor(batch)


def collate_str_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Strings stay as they are."""
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Any) -> Any:
    """Same as torch.utils.data.default_collate: tensors, arrays and numbers gain a leading batch dimension.

    Containers are entered: a list of dicts becomes a dict of batches. Strings are left as they are.

    >>> default_collate([{"x": 1, "name": "a"}, {"x": 2, "name": "b"}])
    {'x': tensor([1, 2]), 'name': ['a', 'b']}
    >>> default_collate([(0, 1.5), (1, 2.5)])
    [tensor([0, 1]), tensor([1.5000, 2.5000], dtype=torch.float64)]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
