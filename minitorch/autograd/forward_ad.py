"""Dual numbers: forward-mode differentiation.

>>> import minitorch as torch
>>> import minitorch.autograd.forward_ad as fwAD
>>> with fwAD.dual_level():
...     x = fwAD.make_dual(torch.tensor(3.0), torch.tensor(1.0))
...     fwAD.unpack_dual(x * x).tangent
tensor(6.)
"""

from typing import Any, NamedTuple

from .grad_mode import _Switch

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns; the tangent is None for a tensor without one."""

    primal: Any
    tangent: Any


def _current() -> Any:
    """The level entered in this thread, None outside."""
    from minitorch._transforms.forward import switch

    return switch.level


def enter_dual_level() -> int:
    """Begin a level, in which tensors can have tangents. There is one at a time; torch.func.jvp nests."""
    from minitorch._transforms.forward import Forward, switch

    if switch.level is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    switch.level = Forward()
    switch.level.__enter__()
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level; its tangents are gone."""
    from minitorch._transforms.forward import switch

    now = -1 if switch.level is None else 0
    if level is not None and level != now:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    if switch.level is None:
        raise RuntimeError("Dual level must be a positive number.")
    switch.level.__exit__()
    switch.level = None


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """A view of `tensor` whose derivative is `tangent`."""
    current = _current()
    if current is None or (level is not None and level < 0):
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    from minitorch._transforms.jacobians import make_dual

    return make_dual(current, tensor, tangent)


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """(primal, tangent) of a tensor; a tangent that is None stands for zeros."""
    current = _current()
    if current is None or (level is not None and level < 0):
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(current.primal(tensor), current.tangent(tensor))


class dual_level:
    """`enter_dual_level` and `exit_dual_level` as a context manager and as a decorator."""

    enabled = True

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *_: object) -> None:
        exit_dual_level()

    def clone(self) -> "dual_level":
        """Another of its kind, for one call of a decorated function."""
        return dual_level()

    __call__ = _Switch.__call__
    _wrap_generator = _Switch._wrap_generator


def _is_fwd_grad_enabled() -> bool:
    """Whether ops compute tangents."""
    from minitorch._transforms.forward import switch

    return switch.enabled


class _set_fwd_grad_enabled:
    """Switch the computing of tangents on or off at once; as a context manager, until its end."""

    def __init__(self, mode: bool):
        from minitorch._transforms.forward import switch

        self.before, switch.enabled = switch.enabled, mode
        self.mode = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        from minitorch._transforms.forward import switch

        switch.enabled = self.before

    def clone(self) -> "_set_fwd_grad_enabled":
        """Another of its kind, for one call of a decorated function."""
        return _set_fwd_grad_enabled(self.mode)

    __call__ = _Switch.__call__
    _wrap_generator = _Switch._wrap_generator
