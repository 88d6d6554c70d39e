"""Same as torch.backends.cpu: what the processor can do."""

import numpy as np

__all__ = ["get_cpu_capability"]


def get_cpu_capability() -> str:
    """The widest vectors that torch would use: "AVX512", "AVX2", or "DEFAULT".

    >>> import minitorch as torch
    >>> torch.backends.cpu.get_cpu_capability() in ("AVX512", "AVX2", "DEFAULT")
    True
    """
    features = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
    for name, needed in {"AVX512": ("AVX512_SKX", "FMA3"), "AVX2": ("AVX2", "FMA3")}.items():
        if all(features.get(feature, False) for feature in needed):
            return name
    return "DEFAULT"
