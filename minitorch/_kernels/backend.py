"""What a device must supply: the protocol of the modules named in `_device.BACKENDS`.

An op infers shape and dtype before its kernel runs, and view ops need geometry alone, so a device is an array class (a
`StridedArray`, or NumPy's own) and the five functions below. `run` is where its kernels are: `op.formula` is the
scalar formula of a pointwise op, from which a device generates a loop of its own; other ops are looked up by
`op.name`, and one that is missing raises NotImplementedError with the op's and the device's name.
"""

from typing import Any, Protocol

import numpy as np


class Backend(Protocol):
    """The functions of a backend module."""

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """An uninitialised array on the device."""

    def filled(self, shape: tuple[int, ...], value: Any, dtype: np.dtype) -> Any:
        """An array full of one number."""

    def from_host(self, array: np.ndarray) -> Any:
        """A copy of a NumPy array on the device."""

    def write(self, dest: Any, source: Any) -> None:
        """Copy `source` into `dest`, an array of the device of any strides, broadcast and converted."""

    def run(self, op: Any, inferred: Any, arrays: list[Any], others: list[Any]) -> Any:
        """Run an op's kernel: `inferred` is (shape, dtype) of the result, or a list of them for several outputs."""
