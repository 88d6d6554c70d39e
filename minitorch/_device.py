"""The device object, the device that factories use, and the registry of backends."""

import importlib
import threading
from threading import get_ident
from typing import Any

# device type -> module with its arrays and kernels (the protocol is _kernels/backend.py); None: no backend yet
BACKENDS = {
    "cpu": "minitorch._kernels.cpu.backend",
    "meta": "minitorch._kernels.meta",
    "cuda": "minitorch._kernels.cuda.backend",
}
_KNOWN_TO_TORCH = (
    "cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, mps, meta, hpu, "
    "mtia, privateuseone"
)


class _Context(threading.local):
    stack: tuple["device", ...] = ()


_context = _Context()
_inside: set[int] = set()  # the threads within such a context: while there are none, no stack need be looked at


class device:
    """Where a tensor's elements live: "cpu" or "meta" (shapes and dtypes without data).

    As a context manager it becomes the device of tensors made inside.

    >>> import minitorch as torch
    >>> torch.device("cpu", 0)
    device(type='cpu', index=0)
    >>> with torch.device("meta"):
    ...     torch.empty(2).device
    device(type='meta')
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None):
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int):
            type, index = _accelerator(), type
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' (position 1) must be str, not {type.__class__.__name__}")
        if ":" in type:
            if index is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed explicitly: {type}"
                )
            type, _, tail = type.partition(":")
            if not tail.isdigit() or (len(tail) > 1 and tail[0] == "0"):
                raise RuntimeError(f"Invalid device string: '{type}:{tail}'")
            index = int(tail)
        if not type:
            raise RuntimeError("Device string must not be empty")
        if not type.replace("_", "a").isalpha():
            raise RuntimeError(f"Invalid device string: '{type}'\nA dtype is given as torch.float32, without quotes")
        if type not in _KNOWN_TO_TORCH.split(", "):
            raise RuntimeError(f"Expected one of {_KNOWN_TO_TORCH} device type at start of device string: {type}")
        self.type, self.index = type, index

    def __repr__(self) -> str:
        return f"device(type='{self.type}'{'' if self.index is None else f', index={self.index}'})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (str(self),)

    def __enter__(self) -> "device":
        _context.stack += (self,)
        _inside.add(get_ident())
        return self

    def __exit__(self, *_: object) -> None:
        _context.stack = _context.stack[:-1]
        if not _context.stack:
            _inside.discard(get_ident())


CPU = device("cpu")
_default = CPU


def get_default_device() -> device:
    """The device of tensors made without naming one."""
    return _context.stack[-1] if _inside and _context.stack else _default


def set_default_device(d: "device | str | None") -> None:
    """Set the device of tensors made without naming one; None means the CPU."""
    global _default
    _default = CPU if d is None else device(d)


def resolve(d: "device | str | int | None") -> device:
    """The device object for a `device=` argument."""
    return get_default_device() if d is None else d if d.__class__ is device else device(d)


# torch's errors for devices that its build for the CPU lacks
_LACKING: dict[str, tuple[type[Exception], str]] = {
    "mps": (RuntimeError, "PyTorch is not linked with support for mps devices\n"),
    "xpu": (AssertionError, "Torch not compiled with XPU enabled\n"),
}


def _accelerator() -> str:
    """The kind of device that a number alone means."""
    from minitorch._kernels.cuda import runtime

    if not runtime.is_available():
        raise RuntimeError("Cannot access accelerator device when none is available.")
    return "cuda"


def settled(d: device) -> device:
    """The device with its number: "cuda" alone is whichever GPU is current."""
    if d.type != "cuda" or d.index is not None:
        return d
    from minitorch._kernels.cuda import runtime

    return device("cuda", runtime.current_index())


def backend(d: device) -> Any:
    """What serves a device, a `Backend`; torch's error, or NotImplementedError, if minitorch has none."""
    found = _found.get((d.type, d.index))
    if found is not None:
        return found
    path = BACKENDS.get(d.type)
    if path is None:
        error, line = _LACKING.get(d.type, (NotImplementedError, ""))
        available = ", ".join(k for k, v in BACKENDS.items() if v)
        raise error(f"{line}minitorch has no backend for device '{d}'; available: {available}")
    module = importlib.import_module(path)
    found = _found[d.type, d.index] = module.at(d.index) if d.type == "cuda" else module
    return found


_found: dict[tuple[str, int | None], Any] = {}

__test__ = {"device": device}  # for doctest: the class says that it is of `minitorch`
