"""Transforms of the parts of a tensor."""

import functools
import operator
from collections.abc import Sequence
from typing import Any

import minitorch as torch
from minitorch import Tensor

from . import constraints
from ._transform import Transform
from .utils import _sum_rightmost, lazy_property


def _required(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


class _SideBySide(Transform):
    """Transforms of parts along `dim`: how a tensor is split is a matter of the subclass."""

    def __init__(self, tseq: Sequence[Transform], dim: int, cache_size: int):
        _required(all(isinstance(t, Transform) for t in tseq), "All elements of tseq must be Transform instances")
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)
        self.dim = dim

    def _split(self, value: Tensor) -> Sequence[Tensor]:
        raise NotImplementedError

    def _joined(self, parts: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def _size(self) -> tuple[str, int]:
        """What the size along `dim` must equal: its name and value."""
        raise NotImplementedError

    def _parts(self, name: str, value: Tensor, called: str = "tensor") -> Sequence[Tensor]:
        dim, (what, size) = self.dim, self._size()
        in_range = -value.dim() <= dim < value.dim()
        _required(in_range, f"dim {dim} out of range for {called} with {value.dim()} dimensions")
        found = value.size(dim)
        _required(found == size, f"{name}.size({dim}) = {found} must equal {what} {size}")
        return self._split(value)

    def _call(self, x: Tensor) -> Tensor:
        return self._joined([t(part) for t, part in zip(self.transforms, self._parts("x", x))])

    def _inverse(self, y: Tensor) -> Tensor:
        return self._joined([t.inv(part) for t, part in zip(self.transforms, self._parts("y", y))])

    def _slopes(self, x: Tensor, y: Tensor) -> list[Tensor]:
        pairs = zip(self._parts("x", x, "x"), self._parts("y", y, "y"))
        return [t.log_abs_det_jacobian(*pair) for t, pair in zip(self.transforms, pairs)]

    @property
    def bijective(self) -> bool:
        return all(t.bijective for t in self.transforms)


class CatTransform(_SideBySide):
    """A transform for each of the parts, of given lengths, that a tensor was concatenated from."""

    _arguments = ("transforms", "dim", "lengths")

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0
    ):
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        _required(
            len(self.lengths) == len(self.transforms),
            f"lengths ({len(self.lengths)}) must match transforms ({len(self.transforms)})",
        )

    @lazy_property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @lazy_property
    def length(self) -> int:
        """The size along `dim`."""
        return sum(self.lengths)

    def _size(self) -> tuple[str, int]:
        return "length", self.length

    def _split(self, value: Tensor) -> Sequence[Tensor]:
        return value.split(self.lengths, self.dim)

    def _joined(self, parts: list[Tensor]) -> Tensor:
        return torch.cat(parts, dim=self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        slopes = [
            _sum_rightmost(slope, self.event_dim - t.event_dim) for t, slope in zip(self.transforms, self._slopes(x, y))
        ]
        dim = self.dim - (x.dim() if self.dim >= 0 else 0) + self.event_dim
        if dim < 0:
            return torch.cat(slopes, dim=dim)
        return functools.reduce(operator.add, slopes)  # of parts of one event

    @constraints.dependent_property
    def domain(self) -> Any:
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self) -> Any:
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(_SideBySide):
    """A transform for each of the slices that a tensor was stacked from."""

    _arguments = ("transforms", "dim")

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0):
        super().__init__(tseq, dim, cache_size)

    def _size(self) -> tuple[str, int]:
        return "len(transforms)", len(self.transforms)

    def _split(self, value: Tensor) -> Sequence[Tensor]:
        return value.unbind(self.dim)

    def _joined(self, parts: list[Tensor]) -> Tensor:
        return torch.stack(parts, dim=self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self._joined(self._slopes(x, y))

    @constraints.dependent_property
    def domain(self) -> Any:
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self) -> Any:
        return constraints.stack([t.codomain for t in self.transforms], self.dim)
