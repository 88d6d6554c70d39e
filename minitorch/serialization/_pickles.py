"""Pickles under torch's names: what we write real torch reads, and what it wrote we read.

Two readers: `TrustedUnpickler` runs whatever the file says, as pickle does; `SafeUnpickler` knows the instructions that
make data, and calls only what is on a list.
"""

import codecs
import importlib
import pickle
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._device import device as Device
from minitorch._layout import Size, layout
from minitorch._storage import UntypedStorage, offset, root, storage_bytes
from minitorch._tensor import Tensor
from minitorch.nn.parameter import Buffer, Parameter, UninitializedTensorMixin
from minitorch.utils.hooks import warn_if_has_hooks

from ._storages import CLASS_NAMES, REBUILD, StorageClass, storage_class


# ---------------------------------------------------------------------- writing
class _Global:
    """Stands in a pickle for one of torch's names."""

    def __init__(self, name: str):
        self.module, _, self.name = name.rpartition(".")

    def __call__(self) -> None:
        raise TypeError(f"{self.module}.{self.name} is only a name")


class _StorageOf:
    """Stands in a pickle for the storage of an array, or the `owner` of one."""

    def __init__(self, owner: Any, dtype: Any):
        self.owner, self.dtype = owner, dtype


# The ones written in Python, which the C ones replace. Only that pickler lets the name of a class be chosen; and the
# unpickler in C takes memory for whatever index a memo instruction names.
_PythonPickler: Any = pickle._Pickler
_PythonUnpickler: Any = pickle._Unpickler


class Pickler(_PythonPickler):
    """Writes minitorch's objects under torch's names; `storages` are then to be saved beside the pickle, by key."""

    def __init__(self, stream: Any, protocol: int):
        super().__init__(stream, protocol=protocol)
        self.storages: dict[str, Any] = {}
        self._keys: dict[int, str] = {}
        self._dtypes: dict[int, Any] = {}

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, UntypedStorage):
            obj = _StorageOf(obj.owner, None)
        if not isinstance(obj, _StorageOf):
            return None
        owner, dtype = obj.owner, obj.dtype
        known = self._dtypes.setdefault(id(owner), dtype)
        if known is not dtype and known is not None and dtype is not None:
            raise RuntimeError("Cannot save multiple tensors or storages that view the same data as different types")
        key = self._keys.setdefault(id(owner), str(len(self._keys)))
        memory = self.storages.get(key)
        if memory is None:
            memory = self.storages[key] = storage_bytes(owner)
        if dtype in CLASS_NAMES:
            name, count = f"torch.{CLASS_NAMES[dtype]}", memory.size // dtypes.numpy_dtype(dtype).itemsize
        else:
            name, count = "torch.storage.UntypedStorage", memory.size
        location = "cpu" if isinstance(owner, np.ndarray) else str(owner.device)
        return "storage", _Global(name), key, location, count

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor):
            return _reduced_tensor(obj)
        if isinstance(obj, dtypes.dtype):
            return str(obj).removeprefix("torch.")
        if isinstance(obj, Device):
            return _Global("torch.device"), ((obj.type,) if obj.index is None else (obj.type, obj.index))
        if isinstance(obj, Size):
            return _Global("torch.Size"), (tuple(obj),)
        if isinstance(obj, layout):
            return _Global("torch.serialization._get_layout"), (repr(obj),)
        return NotImplemented

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module, renamed = _torch_name(obj, name)
        if module is None:
            try:
                super().save_global(obj, name)
            except pickle.PicklingError:
                pickle.dumps(obj)  # which refuses it in the words, and by the class, of the pickler in C
                raise
            return
        if self.proto >= 4:
            self.save(module)
            self.save(renamed)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{renamed}\n".encode())
        self.memoize(obj)

    # the names that stand for others are instances, which pickle would take apart
    dispatch: ClassVar[dict[Any, Any]] = {
        **_PythonPickler.dispatch, _Global: save_global, FunctionType: save_global,
    }  # fmt: skip


def _torch_name(obj: Any, name: str | None) -> tuple[str | None, str]:
    """(module, name) under which torch knows a class or function of ours; None for those of others."""
    if isinstance(obj, _Global):
        return obj.module, obj.name
    if isinstance(obj, dtypes.dtype):
        return "torch", str(name)
    module = getattr(obj, "__module__", None)
    if not isinstance(module, str) or module.partition(".")[0] != "minitorch":
        return None, ""
    own = obj.__qualname__ if name is None else name
    for place in ("nn.functional", "special", "linalg", ""):
        found: Any = importlib.import_module(f"minitorch.{place}".rstrip("."))
        if getattr(found, own, None) is obj:
            return f"torch.{place}".rstrip("."), own
    return "torch" + module.removeprefix("minitorch"), own


def _reduced_tensor(t: Tensor) -> tuple[Any, ...]:
    """How torch takes a tensor apart."""
    if isinstance(t, UninitializedTensorMixin):
        return NotImplemented
    attributes = dict(t.__dict__)
    if t.is_sparse:
        data = (t._indices(), t._values(), t.size(), t.is_coalesced())
        return _Global("torch._utils._rebuild_sparse_tensor"), (t.layout, data)
    if isinstance(t, Parameter) and type(t) is Parameter:
        hooks: OrderedDict[str, Any] = OrderedDict()
        parts = (t.data, t.requires_grad, hooks)
        if attributes:
            return _Global("torch._utils._rebuild_parameter_with_state"), (*parts, attributes)
        return _Global("torch._utils._rebuild_parameter"), parts
    warn_if_has_hooks(t)
    if t.is_meta:
        function = _Global("torch._utils._rebuild_meta_tensor_no_storage")
        return function, (t.dtype, tuple(t.shape), t.stride(), t.requires_grad)
    a = t.array
    if not hasattr(a, "dtype") or t.device.type not in ("cpu", "cuda"):
        t = t.cpu()
        a = t.array
    storage = _StorageOf(root(a), t.dtype)
    args: tuple[Any, ...] = (storage, offset(a), tuple(a.shape), t.stride(), t.requires_grad, OrderedDict())
    function = _Global("torch._utils._rebuild_tensor_v2")
    if t.dtype not in CLASS_NAMES:
        function, args = _Global("torch._utils._rebuild_tensor_v3"), (*args, t.dtype)
    if type(t) is Tensor and not attributes:
        return function, args
    kind = _Global("torch.Tensor") if type(t) is Tensor else type(t)
    return _Global("torch._tensor._rebuild_from_type_v2"), (function, kind, args, attributes or None)


# ---------------------------------------------------------------------- reading
# where torch's functions that are written in C++ say that they are, and where they are public
_BUILTIN = {"torch._C._nn": "torch.nn.functional", "torch._VariableFunctions": "torch"}


def ours(module: str, name: str) -> Any:
    """The object that a file calls torch's `module.name`, or another library's."""
    full = f"{module}.{name}"
    if full in REBUILD:
        return REBUILD[full]
    found = storage_class(full)
    if found is not None:
        return found
    if module.partition(".")[0] == "torch":
        module = "minitorch" + _BUILTIN.get(module, module).removeprefix("torch")
    value: Any = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _bytes_of_text(text: Any, encoding: Any) -> bytes:
    """`_codecs.encode`, as protocol 2 writes bytes."""
    if encoding != "latin1" or not isinstance(text, str):
        raise pickle.UnpicklingError("only text in latin1 is decoded")
    return codecs.encode(text, "latin1")


def _set_of(items: Any = ()) -> set:
    if not isinstance(items, (list, tuple, set)):
        raise pickle.UnpicklingError(f"a set is not made of {type(items).__name__}")
    return set(items)


def _bytearray_of(data: Any = b"", *encoding: Any) -> bytearray:
    if isinstance(data, str) and encoding == ("latin-1",):
        data = data.encode("latin-1")
    if not isinstance(data, bytes):  # a number would ask for that much memory
        raise pickle.UnpicklingError(f"a bytearray is not made of {type(data).__name__}")
    return bytearray(data)


def _complex_of(real: Any, imag: Any) -> complex:
    return complex(float(real), float(imag))


def _size_of(values: Any = ()) -> Size:
    if not isinstance(values, (list, tuple)):
        raise pickle.UnpicklingError(f"a Size is not made of {type(values).__name__}")
    return Size(values)


def _device_of(kind: Any, index: Any = None) -> Device:
    if not isinstance(kind, str) or not (index is None or isinstance(index, int)):
        raise pickle.UnpicklingError(f"no device is called {kind!r}, {index!r}")
    return Device(kind) if index is None else Device(kind, index)


def _empty_defaultdict(*args: Any) -> defaultdict:
    if args not in ((), (dict,), (None,)):
        raise pickle.UnpicklingError("a defaultdict may only make dictionaries")
    return defaultdict(*args)


SAFE: dict[str, Any] = {
    **REBUILD,
    "collections.OrderedDict": OrderedDict,
    "collections.Counter": Counter,
    "collections.defaultdict": _empty_defaultdict,
    "builtins.set": _set_of,
    "builtins.dict": dict,
    "builtins.bytearray": _bytearray_of,
    "builtins.complex": _complex_of,
    "_codecs.encode": _bytes_of_text,
    "torch.Size": _size_of,
    "torch.device": _device_of,
    "torch.Tensor": Tensor,
    "torch.nn.parameter.Parameter": Parameter,
    "torch.nn.parameter.Buffer": Buffer,
    **{f"torch.{name}": value for name, value in vars(dtypes).items() if isinstance(value, dtypes.dtype)},
}

# what the user allowed: full name -> object
allowed: dict[str, Any] = {}


def full_name(obj: Any) -> str:
    """The name by which a file calls a class or function: torch's, if it is ours."""
    module, name = _torch_name(obj, None)
    return f"{obj.__module__}.{obj.__qualname__}" if module is None else f"{module}.{name}"


class NotAllowed(pickle.UnpicklingError):
    """The file names something that is not on the list."""

    def __init__(self, name: str):
        super().__init__(name)
        self.name = name


_RENAMED = {**_BUILTIN, "__builtin__": "builtins", "copy_reg": "copyreg"}
_REFUSED = (pickle.INST, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.PERSID, pickle.NEXT_BUFFER)


class SafeUnpickler(_PythonUnpickler):
    """Makes data, and calls nothing that is not in SAFE or `allowed`."""

    def __init__(self, stream: Any, persistent_load: Callable[[Any], Any] | None, encoding: str = "utf-8"):
        super().__init__(stream, encoding=encoding)
        self.stream = stream
        if persistent_load is not None:
            self.persistent_load = persistent_load

    def find_class(self, module: str, name: str) -> Any:
        full = f"{_RENAMED.get(module, module)}.{name}"
        found = storage_class(full)
        if found is not None:
            return found
        if full in allowed:
            return allowed[full]
        if full not in SAFE:
            raise NotAllowed(full)
        return SAFE[full]

    def _call(self) -> None:
        args, function = self.stack.pop(), self.stack[-1]
        known = any(function is f for f in (*SAFE.values(), *allowed.values()))
        if not known or not isinstance(args, tuple):
            raise pickle.UnpicklingError(f"Trying to call reduce for unrecognized function {function!r}")
        self.stack[-1] = function(*args)

    def _make(self) -> None:
        args, cls = self.stack.pop(), self.stack.pop()
        if not any(cls is c for c in (OrderedDict, Counter, *allowed.values())) or not isinstance(args, tuple):
            raise pickle.UnpicklingError(f"Trying to create new object for non-allowed class {cls!r}")
        self.append(cls.__new__(cls, *args))

    def _make_with_keywords(self) -> None:
        keywords, args, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
        if not any(cls is c for c in allowed.values()) or not isinstance(args, tuple):
            raise pickle.UnpicklingError(f"Trying to create new object for non-allowed class {cls!r}")
        self.append(cls.__new__(cls, *args, **keywords))

    def _build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if type(made) is OrderedDict or type(made) is Counter:
            if not isinstance(state, dict):
                raise pickle.UnpicklingError("the attributes of a dictionary must be a dictionary")
            made.__dict__.update(state)
        elif any(type(made) is c for c in allowed.values()):
            self.append(state)
            super().load_build()
        else:
            raise pickle.UnpicklingError(
                f"Can only build Tensor, Parameter, OrderedDict or types allowed, not {type(made)}"
            )

    def _bytearray(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        data = self.read(min(size, 1 << 62))
        if len(data) != size:
            raise pickle.UnpicklingError("pickle data was truncated")
        self.append(bytearray(data))

    dispatch: ClassVar[dict[int, Any]] = {
        **{k: v for k, v in _PythonUnpickler.dispatch.items() if bytes([k]) not in _REFUSED},
        pickle.REDUCE[0]: _call,
        pickle.NEWOBJ[0]: _make,
        pickle.NEWOBJ_EX[0]: _make_with_keywords,
        pickle.BUILD[0]: _build,
        pickle.BYTEARRAY8[0]: _bytearray,
    }


class TrustedUnpickler(pickle.Unpickler):
    """Runs what the file says, torch's names meaning minitorch's."""

    def __init__(self, stream: Any, persistent_load: Callable[[Any], Any] | None, **options: Any):
        super().__init__(stream, **options)
        if persistent_load is not None:
            self.persistent_load = persistent_load  # type: ignore[method-assign]

    def find_class(self, module: str, name: str) -> Any:
        return ours(_RENAMED.get(module, module), name)


class Survey(SafeUnpickler):
    """Reads a pickle and makes nothing of it but plain data; `refused` are the names that are not allowed."""

    def __init__(self, stream: Any, persistent_load: Callable[[Any], Any] | None):
        super().__init__(stream, persistent_load)
        self.refused: dict[str, None] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except NotAllowed as e:
            self.refused[e.name] = None
            return _Anything

    def _take(self, count: int) -> None:
        self.stack[-count:] = [_Anything()]

    dispatch: ClassVar[dict[int, Any]] = {
        **SafeUnpickler.dispatch,
        pickle.REDUCE[0]: lambda self: self._take(2),
        pickle.NEWOBJ[0]: lambda self: self._take(2),
        pickle.NEWOBJ_EX[0]: lambda self: self._take(3),
        pickle.BUILD[0]: lambda self: self._take(2),
    }


class _Anything(dict):
    """Takes the place of an object that is not made."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def append(self, item: Any) -> None:
        pass

    def extend(self, items: Any) -> None:
        pass

    def add(self, item: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


def storage_class_of(kind: Any) -> StorageClass:
    """The class in a persistent id, checked."""
    if not isinstance(kind, StorageClass):
        raise pickle.UnpicklingError(f"a storage is not of class {kind!r}")
    return kind
