"""interpolate: images at another size, each dimension by a table of which inputs make an output."""

from functools import lru_cache
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor
from minitorch.autograd._warnings import warn

from .adaptive_pooling import adaptive_avg_pool
from .axis_maps import AxisMap, Maps, axis_map_op, from_taps
from .check import check, no_kernel, type_name
from .public import public

SPATIAL = {"linear": 1, "bilinear": 2, "bicubic": 2, "lanczos": 2, "trilinear": 3}  # dimensions that a mode is for

_NEAREST = {n: axis_map_op(f"upsample_nearest{n}d", f"UpsampleNearest{n}D") for n in (1, 2, 3)}
_EXACT = {n: axis_map_op(f"upsample_nearest_exact{n}d", f"UpsampleNearestExact{n}D") for n in (1, 2, 3)}
_SMOOTH = {
    "linear": axis_map_op("upsample_linear1d", "UpsampleLinear1D"),
    "bilinear": axis_map_op("upsample_bilinear2d", "UpsampleBilinear2D"),
    "trilinear": axis_map_op("upsample_trilinear3d", "UpsampleTrilinear3D"),
    "bicubic": axis_map_op("upsample_bicubic2d", "UpsampleBicubic2D"),
}
_ANTIALIASED = {
    "bilinear": axis_map_op("upsample_bilinear2d_aa", "UpsampleBilinear2DAa"),
    "bicubic": axis_map_op("upsample_bicubic2d_aa", "UpsampleBicubic2DAa"),
    "lanczos": axis_map_op("upsample_lanczos2d_aa", "UpsampleLanczos2DAa"),
}


# ---------------------------------------------------------------------- tables
@lru_cache(maxsize=64)
def nearest_map(n: int, outputs: int, factor: float | None, exact: bool, dtype: str) -> AxisMap:
    """The input whose place, scaled down, is the output's; `exact` compares the pixels' centres, as PIL does."""
    if outputs == n and not exact:
        return _identity(n)  # whatever the factor says, in torch too
    kind = np.dtype(dtype).type  # where an output falls between two inputs depends on how the scale is rounded
    scale = kind(1.0 / factor) if factor is not None and factor > 0 else kind(n) / kind(outputs)
    place = np.arange(outputs).astype(kind) + kind(0.5 if exact else 0.0)
    index = np.minimum((place * scale).astype(np.int64), n - 1)
    return from_taps(n, index[:, None], np.ones((outputs, 1)))


def _identity(n: int) -> AxisMap:
    return from_taps(n, np.arange(n)[:, None], np.ones((n, 1)))


def _scale(n: int, outputs: int, factor: float | None, align_corners: bool) -> float:
    if align_corners:
        return (n - 1) / (outputs - 1) if outputs > 1 else 0.0
    return 1.0 / factor if factor is not None and factor > 0 else n / outputs


def _places(n: int, outputs: int, factor: float | None, align_corners: bool) -> Any:
    """The outputs' places among the inputs: corner on corner, or as pixels with an area."""
    scale = _scale(n, outputs, factor, align_corners)
    return np.arange(outputs) * scale if align_corners else (np.arange(outputs) + 0.5) * scale - 0.5


@lru_cache(maxsize=64)
def linear_map(n: int, outputs: int, factor: float | None, align_corners: bool) -> AxisMap:
    """The two inputs next to the output's place, the nearer one with more weight."""
    place = np.maximum(_places(n, outputs, factor, align_corners), 0)
    low = np.minimum(place.astype(np.int64), n - 1)
    part = np.minimum(place - low, 1.0)
    index = np.stack([low, np.minimum(low + 1, n - 1)], 1)
    return from_taps(n, index, np.stack([1.0 - part, part], 1))


def cubic_weights(t: Any, a: float = -0.75) -> list[Any]:
    """Keys' cubic convolution: the weights of the four points around a place t beyond the second."""

    def near(x: Any) -> Any:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0

    def far(x: Any) -> Any:
        return ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a

    return [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]


@lru_cache(maxsize=64)
def cubic_map(n: int, outputs: int, factor: float | None, align_corners: bool) -> AxisMap:
    """The four inputs around the output's place."""
    place = _places(n, outputs, factor, align_corners)
    low = np.floor(place).astype(np.int64)
    index = np.clip(low[:, None] + np.arange(-1, 3), 0, n - 1)
    return from_taps(n, index, np.stack(cubic_weights(place - low), 1))


def _triangle(x: Any) -> Any:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _cubic(x: Any) -> Any:
    x = np.abs(x)
    far, near = cubic_weights(np.where(x < 1, x, x - 1), -0.5)[:2]
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: Any) -> Any:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_FILTERS = {"bilinear": (_triangle, 1), "bicubic": (_cubic, 2), "lanczos": (_lanczos, 3)}  # and their reach


@lru_cache(maxsize=64)
def antialiased_map(n: int, outputs: int, factor: float | None, align_corners: bool, mode: str) -> AxisMap:
    """All inputs that a filter as wide as the output's pixel reaches, as PIL does."""
    if outputs == n:
        return _identity(n)
    shape, reach = _FILTERS[mode]
    scale = _scale(n, outputs, factor, align_corners)
    wide = max(scale, 1.0)
    center = scale * (np.arange(outputs) + 0.5)
    first = np.maximum((center - reach * wide + 0.5).astype(np.int64), 0)
    count = np.minimum((center + reach * wide + 0.5).astype(np.int64), n) - first
    starts = np.concatenate([[0], np.cumsum(count)])
    index = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, count)
    weights = shape((index - np.repeat(center, count) + 0.5) / wide)
    sums = np.add.reduceat(weights, starts[:-1])
    return AxisMap(n, starts, index, weights / np.repeat(np.where(sums == 0, 1.0, sums), count))


# ---------------------------------------------------------------------- arguments
def _per_axis(value: Any, shape: tuple[int, ...], what: str, of: str, form: str) -> list[Any]:
    n = len(shape) - 2
    if not isinstance(value, (tuple, list)):
        return [value] * n
    if len(value) != n:
        raise ValueError(
            f"Input and {what} must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of {list(shape[2:])} and {of} {value}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
            f"{form} format."
        )
    return list(value)


def _sizes_and_factors(shape: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool) -> tuple[Any, Any]:
    """The output's size, and the factors if these count rather than what the sizes' ratio is."""
    check(size is None or scale_factor is None, "only one of size or scale_factor should be defined", ValueError)
    check(size is not None or scale_factor is not None, "either size or scale_factor should be defined", ValueError)
    form = "scale_factor in (s1, s2, ...,sK)"
    if size is not None:
        form = "output size in (o1, o2, ...,oK)"
        sizes = _per_axis(size, shape, "output", "output size of", form)
        for s in sizes:
            if not (hasattr(s, "__index__") and not isinstance(s, bool)):
                raise TypeError(
                    f"expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got "
                    f"size with types {[type(s) for s in sizes]}"
                )
        check(not recompute, "recompute_scale_factor is not meaningful with an explicit size.", ValueError)
        return [s.__index__() for s in sizes], [None] * len(sizes)
    factors = _per_axis(scale_factor, shape, "scale_factor", "scale_factor of shape", form)
    for f in factors:
        if not isinstance(f, (int, float, np.number)):
            raise TypeError(f"scale_factor must be numbers, not {type_name(f)}")
    sizes = [int(n * f) for n, f in zip(shape[2:], factors, strict=True)]
    return sizes, [None] * len(sizes) if recompute else [float(f) for f in factors]


def _check_mode(ndim: int, mode: Any, align_corners: bool | None, antialias: bool) -> None:
    plain = mode in ("nearest", "area", "nearest-exact")
    check(
        not plain or align_corners is None,
        "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear",
        ValueError,
    )
    check(
        not antialias or (mode in _FILTERS and ndim == 4),
        "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input",
        ValueError,
    )
    if ndim in (3, 4, 5) and (plain or SPATIAL.get(mode) == ndim - 2):
        check(mode != "lanczos" or not align_corners, "Lanczos mode does not support align_corners=True", ValueError)
        check(mode != "lanczos" or antialias, "Lanczos mode requires antialias=True", ValueError)
        return
    if ndim in (3, 4, 5) and mode in ("linear", "bilinear", "trilinear"):
        raise NotImplementedError(f"Got {ndim}D input, but {mode} mode needs {SPATIAL[mode] + 2}D input")
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {ndim}D) for the modes: nearest | linear "
        f"| bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
    )


def _check_sizes(shape: tuple[int, ...], sizes: Any) -> None:
    n = len(shape) - 2

    def listed(values: Any) -> str:
        return ", ".join(f"{axis}: {v}" for axis, v in zip("DHW"[-n:], values, strict=True))

    if min(*shape[2:], *sizes) <= 0:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({listed(shape[2:])})"
            f"{' and' * (n == 1)} output ({listed(sizes)})"
        )
    if shape[1] <= 0:
        raise RuntimeError(f"Non-empty {len(shape)}D data tensor expected but got a tensor with sizes {list(shape)}")


def _refuse_integers(input: Tensor, mode: str) -> None:
    dtype = input.array.dtype
    if dtype in dtypes.FLOATS or (dtype == np.uint8 and (mode.startswith("nearest") or SPATIAL[mode] == 2)):
        return
    kind = mode.split("-")[0]
    if input.ndim == 4 and kind in ("nearest", "bilinear"):
        no_kernel(f"upsample_{kind}2d_channels_last", input.array)
    names = {"nearest": "nearest", "bicubic": "cubic"}
    no_kernel(f"compute_indices_weights_{names.get(kind, 'linear')}", input.array)


# ---------------------------------------------------------------------- public functions
@public("nn.functional")
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(N, C, L), (N, C, H, W) or (N, C, D, H, W) at another size, given itself or as a factor.

    mode: nearest, nearest-exact, area, linear (3-D input), bilinear or bicubic (4-D), trilinear (5-D), or with
    antialias lanczos (4-D).

    >>> import minitorch as torch
    >>> torch.nn.functional.interpolate(torch.tensor([[[1.0, 2.0]]]), scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.2500, 1.7500, 2.0000]]])
    """
    a = input.array
    is_plain = size.__class__ in _KEYS and scale_factor.__class__ in _KEYS  # 1 and True are one key in tuples
    found = (_kept if is_plain else _found)(
        a.shape, a.dtype == np.float64, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias
    )
    if mode == "area":
        return adaptive_avg_pool(len(a.shape) - 2, input, found)
    _refuse_integers(input, mode)
    record, maps = found
    return record.function(input, maps)


def _found(
    shape: tuple[int, ...],
    wide: bool,
    size: Any,
    scale_factor: Any,
    mode: str,
    align_corners: bool | None,
    recompute_scale_factor: bool | None,
    antialias: bool,
) -> Any:
    """The op that resizes floats of this shape, `wide` ones of float64, and its maps, or sizes; all checks."""
    sizes, factors = _sizes_and_factors(shape, size, scale_factor, bool(recompute_scale_factor))
    _check_mode(len(shape), mode, align_corners, antialias)
    if mode == "area":
        return sizes
    _check_sizes(shape, sizes)
    n, axes, align = len(sizes), zip(shape[2:], sizes, factors, strict=True), bool(align_corners)
    if mode in ("nearest", "nearest-exact"):
        exact = mode == "nearest-exact"
        maps = Maps(nearest_map(*axis, exact, "float64" if wide else "float32") for axis in axes)
        return (_EXACT if exact else _NEAREST)[n], maps
    if antialias:
        return _ANTIALIASED[mode], Maps(antialiased_map(*axis, align, mode) for axis in axes)
    table = cubic_map if mode == "bicubic" else linear_map
    return _SMOOTH[mode], Maps(table(*axis, align) for axis in axes)


_kept = lru_cache(maxsize=256, typed=True)(_found)
_KEYS = frozenset((int, float, type(None)))


def _deprecated(name: str, instead: str = "interpolate") -> None:
    warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.{instead}` instead.")


@public("nn.functional")
def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """interpolate under its deprecated name."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@public("nn.functional")
def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode="nearest", deprecated."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, mode="nearest")


@public("nn.functional")
def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode="bilinear" and align_corners=True, deprecated."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
