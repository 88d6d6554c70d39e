"""`torch._assert` and `torch._check`: conditions that a traced program keeps."""

from collections.abc import Callable
from typing import Any

from minitorch._ops.operands import tensors_only
from minitorch._tensor import Tensor

__all__ = [
    "_assert",
    "_assert_async",
    "_check",
    "_check_index",
    "_check_not_implemented",
    "_check_type",
    "_check_value",
]


def _assert(condition: Any, message: str) -> None:
    """`assert condition, message`, but a call, so that a tracer records it."""
    from minitorch import overrides

    if overrides.has_torch_function((condition,)):
        overrides.handle_torch_function(_assert, (condition,), condition, message)
    else:
        assert condition, message


def _assert_async(input: Tensor, assert_msg: str = "Expected Tensor with single nonzero value, but got zero") -> None:
    """RuntimeError with this message unless the one element is not zero: at once, wherever the tensor is."""
    tensors_only("_assert_async", input=input)
    if not isinstance(assert_msg, str):
        kind = type(assert_msg).__name__
        raise TypeError(f"_assert_async(): argument 'assert_msg' (position 2) must be str, not {kind}")
    if not input:
        raise RuntimeError(assert_msg)


def _refused(error: type[Exception], condition: bool, message: Callable[[], Any] | None) -> None:
    if isinstance(condition, Tensor):
        raise TypeError(
            "cond must be a bool, but got a Tensor. For tensor conditions, use torch._check_tensor_all() to assert "
            "that all elements are true."
        )
    if not isinstance(condition, bool):
        raise TypeError(f"cond must be a bool, but got {type(condition)}")
    if condition:
        return
    if message is None:
        raise error(
            "Expected cond to be True, but got False. (Could this error message be improved? If so, please report an "
            "enhancement request to PyTorch.)"
        )
    if not callable(message):
        raise TypeError("message must be a callable")
    raise error(str(message()))


def _check(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """RuntimeError with the text that message() returns, unless cond is True."""
    _refused(RuntimeError, cond, message)


def _check_index(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """IndexError with the text that message() returns, unless cond is True."""
    _refused(IndexError, cond, message)


def _check_value(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """ValueError with the text that message() returns, unless cond is True."""
    _refused(ValueError, cond, message)


def _check_type(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """TypeError with the text that message() returns, unless cond is True."""
    _refused(TypeError, cond, message)


def _check_not_implemented(cond: bool, message: Callable[[], Any] | None = None) -> None:
    """NotImplementedError with the text that message() returns, unless cond is True."""
    _refused(NotImplementedError, cond, message)


_assert.__module__ = "minitorch"  # a graph that calls it says torch._assert
