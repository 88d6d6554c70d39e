"""finfo and iinfo: the limits of a dtype."""

from typing import Any

from . import _dtype as dtypes

# name -> (bits of the significand after the point, largest, smallest normal number, decimal resolution)
_FLOATS: dict[str, tuple[int, float, float, float]] = {
    "float16": (10, 65504.0, 2.0**-14, 1e-3),
    "bfloat16": (7, (2 - 2.0**-7) * 2.0**127, 2.0**-126, 1e-2),
    "float32": (23, (2 - 2.0**-23) * 2.0**127, 2.0**-126, 1e-6),
    "float64": (52, (2 - 2.0**-52) * 2.0**1023, 2.0**-1022, 1e-15),
    "float8_e4m3fn": (3, 448.0, 2.0**-6, 1.0),
    "float8_e5m2": (2, 57344.0, 2.0**-14, 1.0),
    "float8_e4m3fnuz": (3, 240.0, 2.0**-7, 1.0),
    "float8_e5m2fnuz": (3, 57344.0, 2.0**-15, 1.0),  # torch gives it the eps of e4m3
    "float8_e8m0fnu": (0, 2.0**127, 2.0**-127, 1.0),
}
_INTEGERS = {d.name: d for d in dtypes.SUPPORTED if d.category == dtypes.INTEGER}


def _checked(name: str, d: Any) -> Any:
    if not isinstance(d, dtypes.dtype):
        raise TypeError(f"{name}(): argument 'type' (position 1) must be torch.dtype, not {type(d).__name__}")
    return d


class _Info:
    """What both have in common: attributes, compared by dtype."""

    __slots__ = ("bits", "dtype", "max", "min")
    bits: int
    dtype: str

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(self.dtype)


class finfo(_Info):
    """The limits of a floating-point dtype, by default the default dtype; a complex dtype has its parts' limits.

    >>> import minitorch as torch
    >>> torch.finfo(torch.float16).max, torch.finfo(torch.bfloat16).eps
    (65504.0, 0.0078125)
    """

    __slots__ = ("eps", "resolution", "smallest_normal", "tiny")

    def __init__(self, type: Any = None):
        given = dtypes.get_default_dtype() if type is None else _checked("finfo", type)
        d = given.to_real()
        if d.category != dtypes.FLOAT:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
            )
        if d.name not in _FLOATS:
            raise TypeError(f"torch.finfo() has no limits of {d}")
        self.dtype, self.bits = d.name, 8 * d.itemsize
        digits, self.max, self.smallest_normal, self.resolution = _FLOATS[d.name]
        self.tiny, self.eps = self.smallest_normal, 2.0**-digits
        self.min = self.smallest_normal if d.name == "float8_e8m0fnu" else -self.max

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo(_Info):
    """The limits of an integer dtype.

    >>> import minitorch as torch
    >>> torch.iinfo(torch.uint8)
    iinfo(min=0, max=255, dtype=uint8)
    """

    __slots__ = ()

    def __init__(self, type: Any):
        d = _checked("iinfo", type)
        if d is dtypes.bool:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if d.name.startswith(("q", "quint")):
            raise NotImplementedError(f"\"dtype\" not implemented for '{d.c_name}'")
        if d.name not in _INTEGERS:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        self.dtype, self.bits = d.name, 8 * d.itemsize
        self.max = 2 ** (self.bits - d.is_signed) - 1
        self.min = -(2 ** (self.bits - 1)) if d.is_signed else 0

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


for _kind in (finfo, iinfo):
    _kind.__module__ = "torch"
