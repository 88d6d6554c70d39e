"""safetensors files, through the library of that name: the functions of `safetensors.torch`, for minitorch's tensors.

`safetensors.torch` itself imports torch; these go by way of the library's NumPy side, which maps the file and checks
its header. Needs `pip install "minitorch-engine[safetensors]"`. The format: https://github.com/huggingface/safetensors.
"""

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

import minitorch
from minitorch._tensor import Tensor

try:
    import ml_dtypes
    import safetensors as _library
    from safetensors import numpy as _arrays
except ImportError as e:
    raise ImportError(
        "minitorch.utils.safetensors needs the packages safetensors and ml_dtypes: "
        'pip install "minitorch-engine[safetensors]"'
    ) from e

if TYPE_CHECKING:
    from minitorch.nn import Module

__all__ = ["load", "load_file", "load_model", "safe_open", "save", "save_file", "save_model"]

# the format's names, which the library's own table for `load` has without bfloat16
_DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "I64": np.int64,
    "I32": np.int32, "I16": np.int16, "I8": np.int8, "U64": np.uint64, "U32": np.uint32, "U16": np.uint16,
    "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip


def _array(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.dtype is minitorch.bfloat16:
        return tensor.view(minitorch.uint16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def _tensor(array: np.ndarray, device: Any) -> Tensor:
    if array.dtype == ml_dtypes.bfloat16:
        tensor = minitorch.from_numpy(array.view(np.uint16)).view(minitorch.bfloat16)
    else:
        tensor = minitorch.from_numpy(array)
    return tensor.to(device)


class safe_open:
    """One file, of which tensors are read as they are asked for.

    framework is "pt" (tensors) or "np" (arrays); device is where tensors go.

    >>> import minitorch as torch, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> save_file({"weight": torch.eye(2)}, path, metadata={"made by": "me"})
    >>> with safe_open(path, framework="pt") as f:
    ...     f.keys(), f.metadata(), f.get_tensor("weight"), f.get_slice("weight")[:, 1]
    (['weight'], {'made by': 'me'}, tensor([[1., 0.],
            [0., 1.]]), tensor([0., 1.]))
    """

    def __init__(self, filename: str | PathLike, framework: str = "pt", device: Any = "cpu") -> None:
        if framework not in ("pt", "pytorch", "torch", "np", "numpy"):
            raise ValueError(f"safe_open: framework must be 'pt' or 'np', got {framework!r}")
        self._file = _library.safe_open(filename, framework="np")
        self._device = None if framework in ("np", "numpy") else device

    def __enter__(self) -> "safe_open":
        self._file.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._file.__exit__(*exception)

    def keys(self) -> list[str]:
        """The tensors' names."""
        return list(self._file.keys())

    def metadata(self) -> dict[str, str] | None:
        """What was given to save_file as metadata."""
        return self._file.metadata()

    def get_tensor(self, name: str) -> Any:
        """One tensor, read from the file."""
        return self._given(self._file.get_tensor(name))

    def get_slice(self, name: str) -> "_Slice":
        """What reads a part of one tensor when it is indexed with slices."""
        return _Slice(self._file.get_slice(name), self._given)

    def _given(self, array: np.ndarray) -> Any:
        return array if self._device is None else _tensor(array, self._device)


class _Slice:
    def __init__(self, part: Any, given: Any) -> None:
        self._part, self._given = part, given

    def get_shape(self) -> list[int]:
        return self._part.get_shape()

    def get_dtype(self) -> str:
        return self._part.get_dtype()

    def __getitem__(self, index: Any) -> Any:
        return self._given(self._part[index])


def save(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a file with these tensors: contiguous, dense, and none sharing memory with another.

    >>> import minitorch as torch
    >>> load(save({"a": torch.ones(2, dtype=torch.bfloat16)}))
    {'a': tensor([1., 1.], dtype=torch.bfloat16)}
    """
    return _arrays.save(_to_save(tensors), metadata=metadata)


def save_file(tensors: dict[str, Tensor], filename: str | PathLike, metadata: dict[str, str] | None = None) -> None:
    """Write a file with these tensors: contiguous, dense, and none sharing memory with another."""
    _arrays.save_file(_to_save(tensors), filename, metadata=metadata)


def load(data: bytes) -> dict[str, Tensor]:
    """The tensors in the bytes of a file."""
    return {
        name: _tensor(np.frombuffer(part["data"], _DTYPES[part["dtype"]]).reshape(part["shape"]).copy(), "cpu")
        for name, part in _library.deserialize(data)
    }


def load_file(filename: str | PathLike, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors in a file."""
    with safe_open(filename, device=device) as f:
        return {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118 - no dictionary


def save_model(
    model: "Module", filename: str | PathLike, metadata: dict[str, str] | None = None, force_contiguous: bool = True
) -> None:
    """A module's state; of tensors that share memory one is written, and the metadata names it for the others."""
    state = model.state_dict()
    metadata = dict(metadata or {})
    for kept, names in _to_remove(state).items():
        for name in names:
            metadata.setdefault(name, kept)
            del state[name]
    if force_contiguous:
        state = {name: tensor.contiguous() for name, tensor in state.items()}
    save_file(state, filename, metadata=metadata or None)


def load_model(
    model: "Module", filename: str | PathLike, strict: bool = True, device: Any = "cpu"
) -> tuple[set[str], list[str]]:
    """Load what save_model wrote into a module of the same structure: (missing names, unexpected names)."""
    state = load_file(filename, device=device)
    shared = _to_remove(model.state_dict(), state)
    keys = model.load_state_dict(state, strict=False)
    missing, unexpected = set(keys.missing_keys), list(keys.unexpected_keys)
    for name in (name for names in shared.values() for name in names):
        if name in missing:
            missing.remove(name)
        else:
            unexpected.append(name)
    if strict and (missing or unexpected):
        lines = [f"Error(s) in loading state_dict for {type(model).__name__}:"]
        for what, names in (("Missing", sorted(missing)), ("Unexpected", sorted(unexpected))):
            if names:
                lines.append(f"    {what} key(s) in state_dict: " + ", ".join(f'"{name}"' for name in names))
        raise RuntimeError("\n".join(lines))
    return missing, unexpected


def _to_save(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}")
    sparse = [name for name, tensor in tensors.items() if tensor.layout is not minitorch.strided]
    if sparse:
        raise ValueError(
            f"You are trying to save a sparse tensors: `{sparse}` which the format does not have: "
            "save their `.to_dense()`, or indices and values"
        )
    shared = [names for names in _overlapping(tensors) if len(names) > 1]
    if shared:
        raise RuntimeError(
            f"Some tensors share memory, and the file would hold it twice: {shared}. Save one of each, clones, or use "
            "save_model"
        )
    for name, tensor in tensors.items():
        if not tensor.is_contiguous():
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It is a view of "
                "another's memory: save `.contiguous()` of it, or use save_model(..., force_contiguous=True)"
            )
    return {name: _array(tensor) for name, tensor in tensors.items()}


def _overlapping(tensors: dict[str, Tensor]) -> list[list[str]]:
    """The names in groups whose tensors reach into each other's memory."""
    spans = sorted(
        (str(t.device), t.data_ptr(), t.data_ptr() + _extent(t), name)
        for name, t in tensors.items()
        if t.device.type != "meta" and t.numel()
    )
    groups: list[list[str]] = []
    device, end = None, 0
    for where, start, stop, name in spans:
        if where == device and start < end:
            groups[-1].append(name)
            end = max(end, stop)
        else:
            groups.append([name])
            device, end = where, stop
    return groups


def _extent(t: Tensor) -> int:
    """Bytes from a tensor's first element to its last."""
    last = sum((n - 1) * s for n, s in zip(t.shape, t.stride(), strict=True))
    return (last + 1) * t.element_size()


def _to_remove(state: dict[str, Tensor], preferred: Iterable[str] = ()) -> dict[str, list[str]]:
    """For each group that shares memory the name to keep, one that covers all of it, and those to leave out."""
    removed: dict[str, list[str]] = {}
    for names in _overlapping(state):
        if len(names) == 1:
            continue
        whole = sorted(n for n in names if state[n].nbytes == state[n].untyped_storage().nbytes())
        if not whole:
            raise RuntimeError(
                f"Found no name to keep among {names}: they share memory, and none covers all of its storage"
            )
        kept = next((name for name in whole if name in preferred), whole[0])
        removed[kept] = sorted(set(names) - {kept})
    return removed
