"""What the transforms share: reading their arguments, and drawing numbers in torchvision's order."""

import math
import numbers
import warnings
from collections.abc import Sequence
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from . import functional as F
from ._matrices import interpolation_from_int


def uniform(low: float, high: float) -> float:
    """A number drawn between the two, from torch's stream."""
    return torch.empty(1).uniform_(float(low), float(high)).item()


def integer(low: int, high: int) -> int:
    """An integer drawn from low to high - 1."""
    return int(torch.randint(low, high, size=(1,)).item())


def size_pair(size: Any, error_msg: str = "Please provide only two dimensions (h, w) for size.") -> Any:
    """Height and width of a size given as a number, or as a sequence of one or two."""
    if isinstance(size, numbers.Number):
        return (int(size), int(size))  # type: ignore[call-overload]
    if isinstance(size, Sequence) and len(size) == 1:
        return (size[0], size[0])
    if len(size) != 2:
        raise ValueError(error_msg)
    return size


def check_sequence(x: Any, name: str, sizes: tuple[int, ...]) -> None:
    text = f"{name} should be a sequence of length {' or '.join(map(str, sizes))}."
    if not isinstance(x, Sequence):
        raise TypeError(text)
    if len(x) not in sizes:
        raise ValueError(text)


def angle_range(x: Any, name: str, sizes: tuple[int, ...] = (2,)) -> list[float]:
    """The range of an angle that is given by its ends, or by a number for both directions."""
    if isinstance(x, numbers.Number):
        if x < 0:  # type: ignore[operator]
            raise ValueError(f"If {name} is a single number, it must be positive.")
        x = [-x, x]  # type: ignore[operator]
    else:
        check_sequence(x, name, sizes)
    return [float(degree) for degree in x]


def checked_fill(fill: Any) -> Any:
    if fill is None:
        return 0
    if not isinstance(fill, (Sequence, numbers.Number)):
        raise TypeError("Fill should be either a sequence or a number.")
    return fill


def checked_ranges(scale: Any, ratio: Any) -> None:
    for value, name in ((scale, "Scale"), (ratio, "Ratio")):
        if not isinstance(value, Sequence):
            raise TypeError(f"{name} should be a sequence")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)


def interpolation_of(value: Any) -> Any:
    return interpolation_from_int(value) if isinstance(value, int) else value


def fill_for(img: Any, fill: Any) -> Any:
    """The fill of a transform as the functions want it: for a tensor a float per channel."""
    if not isinstance(img, Tensor) or fill is None:
        return fill
    if isinstance(fill, (int, float)):
        return [float(fill)] * F.get_dimensions(img)[0]
    return [float(f) for f in fill]


def rectangle(height: int, width: int, scale: Sequence[float], ratio: Sequence[float]) -> tuple[float, float]:
    """Two sides, before rounding, of a rectangle of a random share of the area; their quotient is the ratio."""
    low, high = torch.log(torch.tensor(ratio)).tolist()
    area = height * width * uniform(scale[0], scale[1])
    aspect = torch.exp(torch.empty(1).uniform_(low, high)).item()
    return math.sqrt(area * aspect), math.sqrt(area / aspect)


class RandomlyApplied(nn.Module):
    """A change that is made with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def change(self, img: Any) -> Any:
        """What happens to the image; subclasses say."""
        raise NotImplementedError

    def forward(self, img: Any) -> Any:
        return self.change(img) if torch.rand(1) < self.p else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"
