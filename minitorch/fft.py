"""torch.fft: frequencies and shifts. The transforms need complex tensors, which minitorch lacks, and each says so."""

from collections.abc import Callable
from typing import Any, NoReturn

from minitorch._creation import FACTORIES
from minitorch._ops.check import check
from minitorch._tensor import Tensor

_TRANSFORMS = "fft fft2 fftn hfft hfft2 hfftn ifft ifft2 ifftn ihfft ihfft2 ihfftn irfft irfft2 irfftn rfft rfft2 rfftn"


__all__ = ["Tensor", "fftfreq", "fftshift", "ifftshift", "rfftfreq", *_TRANSFORMS.split()]


def _missing(name: str) -> Callable[..., Any]:
    def transform(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"torch.fft.{name} is not supported by minitorch, which has no complex tensors")

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = "Not supported: raises NotImplementedError."
    return transform


globals().update({name: _missing(name) for name in _TRANSFORMS.split()})


def _frequencies(n: int, d: float, positive: int, negative: int, out: Tensor | None, options: dict[str, Any]) -> Tensor:
    """0 to positive - 1, then -negative to -1, over n d."""
    from minitorch import cat, no_grad

    requires_grad = options.pop("requires_grad")
    with no_grad():
        parts = [FACTORIES["arange"](*bounds, **options) for bounds in ((positive,), (-negative, 0))]
        if not parts[0].is_floating_point() and options["dtype"] is None:
            parts = [p.to(FACTORIES["empty"](0).dtype) for p in parts]
        result = cat(parts) * (1.0 / (n * d))
        if out is not None:
            out.resize_(result.shape)
            return out.copy_(result)
    return result.requires_grad_(requires_grad)


def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of the n bins of a transform of samples d apart: (n,), the negative ones last.

    >>> fftfreq(5)
    tensor([ 0.0000,  0.2000,  0.4000, -0.4000, -0.2000])
    """
    options = dict(dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)
    return _frequencies(n, d, (n + 1) // 2, n // 2, out, options)


def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of the n / 2 + 1 bins of a transform of n real samples d apart.

    >>> rfftfreq(4, 0.5)
    tensor([0.0000, 0.5000, 1.0000])
    """
    options = dict(dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)
    return _frequencies(n, d, n // 2 + 1, 0, out, options)


def _shifted(name: str, input: Tensor, dim: Any, sign: int) -> Tensor:
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    dims = tuple(range(input.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    check(all(isinstance(d, int) for d in dims), f"{name}(): dim must be ints, got {dims}", TypeError)
    shifts = tuple(input.shape[d] // 2 if sign > 0 else (input.shape[d] + 1) // 2 for d in dims)
    return input.roll(shifts, dims)


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The zero frequency moved to the middle, along dim or all dimensions.

    >>> fftshift(fftfreq(4))
    tensor([-0.5000, -0.2500,  0.0000,  0.2500])
    """
    return _shifted("fft_fftshift", input, dim, 1)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of fftshift.

    >>> ifftshift(fftshift(fftfreq(5)))
    tensor([ 0.0000,  0.2000,  0.4000, -0.4000, -0.2000])
    """
    return _shifted("fft_ifftshift", input, dim, -1)
