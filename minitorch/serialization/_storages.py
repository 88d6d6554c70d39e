"""Storages in files: torch's names of their classes, where they are to go, and tensors made of them."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._device import backend, settled
from minitorch._device import device as Device
from minitorch._kernels.half import tagged
from minitorch._kernels.strided import restrided
from minitorch._storage import UntypedStorage, storage_bytes
from minitorch._tensor import Tensor, wrap

# torch's class of storages -> dtype; other dtypes are saved as an UntypedStorage and a dtype
CLASS_DTYPES = {
    "DoubleStorage": dtypes.float64,
    "FloatStorage": dtypes.float32,
    "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16,
    "CharStorage": dtypes.int8,
    "ByteStorage": dtypes.uint8,
    "BoolStorage": dtypes.bool,
}
CLASS_NAMES = {dtype: name for name, dtype in CLASS_DTYPES.items()}


class StorageClass:
    """What a file calls `torch.FloatStorage`: stands for the dtype, and cannot be called."""

    def __init__(self, dtype: Any):
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"torch.{CLASS_NAMES.get(self.dtype, 'UntypedStorage')}"


class LoadedStorage:
    """The bytes of a storage and the dtype that the file says they have."""

    def __init__(self, memory: np.ndarray, dtype: Any, device: Any):
        self.memory, self.dtype, self.device = memory, dtype, device

    @functools.cached_property
    def on_device(self) -> Any:
        """The bytes on the GPU where they belong, copied once for all tensors in them."""
        return backend(self.device).from_host(self.memory)


MapLocation = Any  # None, a device or its name, a dictionary of names, or a function of (storage, name)


def placed(storage: np.ndarray, location: str, map_location: MapLocation) -> tuple[np.ndarray, Any]:
    """(bytes, device) of a storage that was saved at `location`."""
    if isinstance(map_location, dict):
        location = map_location.get(location, location)
    elif callable(map_location) and not isinstance(map_location, Device):
        given = UntypedStorage._of(storage)
        moved = map_location(given, location)
        if moved is not None:
            return storage_bytes(moved.owner), moved.device
    elif map_location is not None:
        location = str(map_location)
    target = Device(location)
    if target.type == "cuda":
        return storage, _gpu(target)
    if target.type not in ("cpu", "meta"):
        raise RuntimeError(
            f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with {location})"
        )
    return storage, target


def _gpu(device: Any) -> Any:
    """The GPU that a location names; torch's errors where there is none of that number, or none at all."""
    from minitorch import cuda

    if not cuda.is_available():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are "
            "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your "
            "storages to the CPU."
        )
    device, count = settled(device), cuda.device_count()
    if device.index >= count:
        raise RuntimeError(
            f"Attempting to deserialize object on CUDA device {device.index} but torch.cuda.device_count() is {count}. "
            "Please use torch.load with map_location to map your storages to an existing device."
        )
    return device


def location_tag(storage: Any) -> str:
    """Same as torch.serialization.location_tag: the name of the place where a storage is saved as being."""
    return str(storage.device)


def default_restore_location(storage: Any, location: str) -> Any:
    """Same as torch.serialization.default_restore_location: the storage at a location, for use in a map_location."""
    _, where = placed(storage_bytes(storage.owner), location, None)
    return storage.cuda(where) if where.type == "cuda" else storage


def check_location(map_location: MapLocation) -> None:
    """TypeError unless `load` can do something with it."""
    if not (map_location is None or isinstance(map_location, (str, Device, dict)) or callable(map_location)):
        raise TypeError(
            f"map_location should be a device, a string, a dictionary or a function, not {type(map_location).__name__}"
        )


# ---------------------------------------------------------------------- what files call to make tensors
def _integers(values: Any, what: str) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or not all(type(v) is int and v >= 0 for v in values):
        raise ValueError(f"a tensor's {what} must be integers of at least 0, not {values!r}")
    return tuple(values)


def tensor_of(storage: Any, offset: Any, size: Any, stride: Any, dtype: Any) -> Tensor:
    """A tensor in a loaded storage. ValueError if it would reach beyond it."""
    if not isinstance(storage, LoadedStorage):
        raise ValueError(f"a tensor needs a storage, not {type(storage).__name__}")
    shape, steps = _integers(size, "size"), _integers(stride, "stride")
    (begin,) = _integers((offset,), "offset")
    if len(shape) != len(steps) or len(shape) > 64:
        raise ValueError(f"a tensor of size {shape} and stride {steps} is none")
    item = dtypes.numpy_dtype(dtype).itemsize
    last = begin + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    if 0 not in shape and (last + 1) * item > storage.memory.size:
        raise ValueError(
            f"a tensor of size {shape}, stride {steps} and offset {begin} reaches beyond its storage of "
            f"{storage.memory.size} bytes"
        )
    if 0 in shape and np.prod([max(n, 1) for n in shape], dtype=float) > 2**62:
        raise ValueError(f"a tensor of size {shape} is too large")
    if storage.device.type == "meta":
        from minitorch._creation import empty_strided

        return empty_strided(shape, steps, dtype=dtype, device="meta")
    if storage.device.type == "cuda":
        begin = 0 if 0 in shape else begin
        whole, strides = storage.on_device, tuple(s * item for s in steps)
        return wrap(type(whole)(shape, dtypes.numpy_dtype(dtype), whole.memory, strides, begin * item))
    typed = storage.memory[: storage.memory.size // item * item].view(dtypes.numpy_dtype(dtype))
    if 0 in shape:
        begin = 0
    return wrap(restrided(tagged(typed), shape, tuple(s * item for s in steps), begin * item))


def rebuild_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> Tensor:
    """What files call `torch._utils._rebuild_tensor_v2`."""
    return _marked(tensor_of(storage, offset, size, stride, getattr(storage, "dtype", None)), requires_grad)


def rebuild_old_tensor(storage: Any, offset: Any, size: Any, stride: Any) -> Tensor:
    """What files call `torch._utils._rebuild_tensor`."""
    return tensor_of(storage, offset, size, stride, getattr(storage, "dtype", None))


def rebuild_untyped(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> Tensor:
    """What files call `torch._utils._rebuild_tensor_v3`: the dtype comes apart from the storage."""
    if not isinstance(dtype, dtypes.dtype):
        raise ValueError(f"a tensor needs a dtype, not {dtype!r}")
    return _marked(tensor_of(storage, offset, size, stride, dtype), requires_grad)


def _marked(t: Tensor, requires_grad: Any) -> Tensor:
    if requires_grad is True:
        t.requires_grad = True
    elif requires_grad is not False:
        raise ValueError(f"requires_grad must be True or False, not {requires_grad!r}")
    return t


def rebuild_parameter(data: Any, requires_grad: Any, hooks: Any) -> Tensor:
    """What files call `torch._utils._rebuild_parameter`."""
    from minitorch.nn.parameter import Parameter

    if not isinstance(data, Tensor):
        raise ValueError(f"a Parameter needs a tensor, not {type(data).__name__}")
    return Parameter(data, bool(requires_grad))


def rebuild_parameter_with_state(data: Any, requires_grad: Any, hooks: Any, state: Any) -> Tensor:
    """What files call `torch._utils._rebuild_parameter_with_state`."""
    return with_state(rebuild_parameter(data, requires_grad, hooks), state)


def rebuild_from_type(function: Any, kind: Any, args: Any, state: Any) -> Any:
    """What files call `torch._tensor._rebuild_from_type_v2`: a tensor of another class, or with attributes."""
    if function not in REBUILD.values() or function is rebuild_from_type:
        raise ValueError(f"a tensor is not rebuilt by {function!r}")
    made = function(*args)
    if not (isinstance(kind, type) and issubclass(kind, Tensor)):
        raise ValueError(f"{kind!r} is no class of tensors")
    if type(made) is not kind:
        made = made.as_subclass(kind)
    return with_state(made, state)


def with_state(made: Any, state: Any) -> Any:
    """The tensor with the attributes that it had."""
    if isinstance(state, tuple) and len(state) == 2:
        state = state[0]  # the other part is of slots, which ours have none of
    if state:
        if not isinstance(state, dict) or not all(isinstance(k, str) and k.isidentifier() for k in state):
            raise ValueError("the attributes of a tensor must be a dictionary of names")
        made.__dict__.update(state)
    return made


def rebuild_sparse(layout: Any, data: Any) -> Tensor:
    """What files call `torch._utils._rebuild_sparse_tensor`."""
    import minitorch

    if layout is not minitorch.sparse_coo:
        raise NotImplementedError(f"loading tensors of layout {layout} is not supported by minitorch")
    indices, values, size, *coalesced = data
    return minitorch.sparse_coo_tensor(
        indices, values, size, check_invariants=True, is_coalesced=coalesced[0] if coalesced else None
    )


def rebuild_meta(dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Tensor:
    """What files call `torch._utils._rebuild_meta_tensor_no_storage`."""
    from minitorch._creation import empty_strided

    shape, steps = _integers(size, "size"), _integers(stride, "stride")
    return _marked(empty_strided(shape, steps, dtype=dtype, device="meta"), requires_grad)


def layout_of(name: Any) -> Any:
    """What files call `torch.serialization._get_layout`."""
    import minitorch

    names = {"torch.strided": minitorch.strided, "torch.sparse_coo": minitorch.sparse_coo}
    if name not in names:
        raise NotImplementedError(f"the layout {name} is not supported by minitorch")
    return names[name]


REBUILD: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": rebuild_old_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_tensor_v3": rebuild_untyped,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter_with_state,
    "torch._utils._rebuild_sparse_tensor": rebuild_sparse,
    "torch._utils._rebuild_meta_tensor_no_storage": rebuild_meta,
    "torch._tensor._rebuild_from_type_v2": rebuild_from_type,
    "torch.serialization._get_layout": layout_of,
}


def storage_class(name: str) -> StorageClass | None:
    """The stand-in for one of torch's classes of storages, by its full name."""
    module, _, cls = name.rpartition(".")
    if name in ("torch.storage.UntypedStorage", "torch.UntypedStorage"):
        return StorageClass(None)
    if module in ("torch", "torch.storage") and cls in CLASS_DTYPES:
        return StorageClass(CLASS_DTYPES[cls])
    return None
