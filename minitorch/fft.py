"""torch.fft by name: Fourier transforms need complex tensors, which minitorch lacks, so each says so."""

from collections.abc import Callable
from typing import Any, NoReturn

_NAMES = (
    "fft fft2 fftfreq fftn fftshift hfft hfft2 hfftn ifft ifft2 ifftn ifftshift ihfft ihfft2 ihfftn "
    "irfft irfft2 irfftn rfft rfft2 rfftfreq rfftn"
)


def _missing(name: str) -> Callable[..., Any]:
    def transform(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"torch.fft.{name} is not supported by minitorch, which has no complex tensors")

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = "Not supported: raises NotImplementedError."
    return transform


globals().update({name: _missing(name) for name in _NAMES.split()})
