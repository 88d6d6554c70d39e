"""Same as torch.types: names for annotations."""

import os
from typing import IO, TypeAlias

from ._device import device
from ._dtype import dtype as _dtype  # noqa: F401
from ._layout import Size as _size  # noqa: F401
from ._storage import UntypedStorage as Storage
from ._tensor import Tensor

__all__ = ["Device", "FileLike", "Number", "Storage"]

Number: TypeAlias = int | float | bool
Device: TypeAlias = device | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
_TensorOrTensors: TypeAlias = Tensor | tuple[Tensor, ...]
_int, _float, _bool, _device = int, float, bool, device
