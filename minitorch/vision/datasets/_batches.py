"""CIFAR's batches: pickles of dictionaries with arrays, read without running anything that they say.

A pickle may call any function of any module. These files call the few of `_CALLS`, which stand-ins answer; whatever
else one names is refused.
"""

import io
import pickle
from typing import Any, ClassVar

import numpy as np

from minitorch.serialization._pickles import NotAllowed, SafeUnpickler

_CODES = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"b1", "f4", "f8"}


class _DtypeOf:
    """Stands for numpy.dtype(code); its state is the order of bytes and nulls."""

    def __init__(self, code: Any, *options: Any):
        if code not in _CODES:
            raise pickle.UnpicklingError(f"no array of {code!r} is expected")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


def _numbers(data: Any, dtype: Any) -> np.ndarray:
    # Python 2's strings are read as text
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, dtype.dtype)


class _ArrayOf:
    """Stands for an array, of which the file first makes an empty one, then says what is in it."""

    array: np.ndarray

    def __init__(self, *ignored: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, data = state
        self.array = _numbers(data, dtype).reshape(shape, order="F" if is_fortran else "C")


def _array_from_buffer(data: Any, dtype: Any, shape: Any, order: str) -> _ArrayOf:
    made = _ArrayOf()
    made.array = _numbers(data, dtype).reshape(shape, order=order)  # type: ignore[call-overload]
    return made


def _scalar(dtype: Any, data: Any) -> Any:
    return _numbers(data, dtype)[0]


def _encoded(text: str, encoding: str) -> bytes:
    """_codecs.encode, as Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text in {encoding!r} is not expected")
    return text.encode("latin1")


_CALLS: dict[str, Any] = {
    "_codecs.encode": _encoded,
    "numpy.dtype": _DtypeOf,
    "numpy.ndarray": "numpy.ndarray",  # only ever an argument of _reconstruct
    **{
        f"numpy.{core}.{name}": call
        for core in ("core", "_core")
        for name, call in {
            "multiarray._reconstruct": _ArrayOf,
            "multiarray.scalar": _scalar,
            "numeric._frombuffer": _array_from_buffer,
        }.items()
    },
}


class _BatchUnpickler(SafeUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _CALLS:
            raise NotAllowed(f"{module}.{name}")
        return _CALLS[f"{module}.{name}"]

    def _call(self) -> None:
        args, function = self.stack.pop(), self.stack[-1]
        if not callable(function) or not any(function is call for call in _CALLS.values()):
            raise pickle.UnpicklingError(f"a call of {function!r}")
        self.stack[-1] = function(*args)

    def _build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if not isinstance(made, _ArrayOf | _DtypeOf):
            raise pickle.UnpicklingError(f"a state for {type(made).__name__}")
        made.__setstate__(state)

    dispatch: ClassVar[dict[int, Any]] = {
        **SafeUnpickler.dispatch,
        pickle.REDUCE[0]: _call,
        pickle.BUILD[0]: _build,
    }


def load_batch(path: str) -> dict[Any, Any]:
    """The dictionary in a batch, its arrays as arrays. RuntimeError that names the file if it is anything else."""
    with open(path, "rb") as file:
        stream = io.BytesIO(file.read())
    try:
        batch = _BatchUnpickler(stream, None, encoding="latin1").load()
    except NotAllowed as e:
        raise RuntimeError(f"{path} is not such a batch: it would call {e.name}, which is not done") from e
    except Exception as e:  # bytes that are no pickle fail in any way
        raise RuntimeError(f"{path} is damaged, or no pickle: {type(e).__name__}: {e}") from e
    if not isinstance(batch, dict):
        raise RuntimeError(f"{path} holds a {type(batch).__name__} instead of a dictionary")
    return {key: value.array if isinstance(value, _ArrayOf) else value for key, value in batch.items()}
