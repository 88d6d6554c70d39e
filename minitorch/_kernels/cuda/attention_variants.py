"""What one attention's kernels are compiled for, and what a mask does to a score: for all of them."""

from math import inf
from typing import Any, NamedTuple

import numpy as np

from .device import where  # type: ignore[attr-defined]
from .formulas import STORAGE, element_functions

BOOL = np.dtype(np.bool_)


class Variant(NamedTuple):
    """What the kernels of one attention are compiled for: what is behind the mask, and whether weights are dropped."""

    dtype: np.dtype
    width: int
    is_causal: bool
    mask: np.dtype | None = None
    drops: bool = False

    @property
    def types(self) -> tuple[str, str, str]:
        """Codes of an element and of what is computed in, and of the parameters of every kernel behind its own."""
        s = STORAGE[self.dtype]
        mask = STORAGE[BOOL if self.mask is None else self.mask].code
        return s.code, s.compute, f"i4 i4 {s.compute} {mask}* i4 i8 i8 i8 i8 u8 u8 u8 i4 {s.compute}"

    @property
    def read_mask(self) -> Any:
        """How a kernel reads an element of the mask."""
        return element_functions(BOOL if self.mask is None else self.mask, STORAGE[self.dtype].compute)[0]

    @property
    def masks(self) -> str:
        """How the mask takes part."""
        return "" if self.mask is None else "hides" if self.mask == BOOL else "is added"


def scored(score, masks, mask, at, row, key, keys, is_causal, read):
    """A score with what the mask adds; -inf where the query may not look. `row` and `key` lie in the mask."""
    if masks == "hides":
        score = where(mask[at] != 0, score, -inf)
    if masks == "is added":
        score = score + read(mask[at])
    if is_causal:
        score = where(key <= row, score, -inf)
    return where(key < keys, score, -inf)
