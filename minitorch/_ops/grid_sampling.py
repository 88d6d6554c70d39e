"""grid_sample: an image read at the places of a grid; affine_grid, which makes such grids.

The places and their weights are made of other ops, so gradients of any order come from theirs; but images with zeros
outside, read nearest or bilinear, have loops of their own.
"""

from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn

from .check import c_name, check, no_kernel
from .nodes import titled
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .operands import cast
from .public import FUNCTIONS, op, public
from .resampling import cubic_weights
from .shapes import reshape

MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")

_CHANGED = (
    "Default {} behavior has changed to align_corners=False since 1.3.0. Please specify align_corners=True if the old "
    "behavior is desired. See the documentation of grid_sample for details."
)


# ---------------------------------------------------------------------- coordinates
def _pixels(c: Tensor, n: int, align_corners: bool) -> Tensor:
    """From -1 .. 1 to places among n pixels, whose corners or whose outer edges lie at -1 and 1."""
    return (c + 1.0) * ((n - 1) / 2.0) if align_corners else ((c + 1.0) * n - 1.0) / 2.0


def _clipped(x: Tensor, n: int) -> Tensor:
    """Within the image; no gradient flows from the edge on."""
    inside = (x > 0) & (x < n - 1)
    return FUNCTIONS["where"](inside, x, FUNCTIONS["clamp"](x.detach(), 0, n - 1))


def _reflected(x: Tensor, n: int, align_corners: bool) -> Tensor:
    """Mirrored at the outer pixels' centres, or at their outer edges, until it is within."""
    low, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
    if span == 0:
        return x.detach() * 0.0
    x = x - low
    x = FUNCTIONS["where"](x < 0, -x, x)
    flips = FUNCTIONS["floor"](x.detach() / span)
    rest = x - flips * span
    return FUNCTIONS["where"](FUNCTIONS["remainder"](flips, 2.0) == 0, rest, span - rest) + low


def _padded(x: Tensor, n: int, padding: str, align_corners: bool) -> Tensor:
    if padding == "zeros":
        return x
    return _clipped(x if padding == "border" else _reflected(x, n, align_corners), n)


# ---------------------------------------------------------------------- weighted sums
# Each is linear in both its factors, and the gradients of each are the other two.
@structured(tensors="image index weight")
def weighted_gather(image, index, weight):
    return (*image.shape[:2], index.shape[2]), image.dtype


@weighted_gather.cpu
def weighted_gather_cpu(image, index, weight):
    """Of images (N, C, S): the sum over t of weight (N, T, P) times what index (N, T, P) says, if not negative."""
    out = np.empty((*image.shape[:2], index.shape[2]), image.dtype)
    room = np.empty(index.shape[1:], np.int64), np.empty(image.shape[2] + 1, image.dtype)
    cache.load_file("cpu.resample").gather_weighted(*map(np.ascontiguousarray, (image, index, weight)), *room, out)
    return out


@weighted_gather.grad("image")
def weighted_gather_grad_image(g, image_shape, index, weight):
    return weighted_scatter(g, index, weight, image_shape[2])


@weighted_gather.grad("weight")
def weighted_gather_grad_weight(g, image, index):
    return products_at(g, image, index)


@structured(tensors="samples index weight")
def weighted_scatter(samples, index, weight, size):
    return (*samples.shape[:2], size), samples.dtype


@weighted_scatter.cpu
def weighted_scatter_cpu(samples, index, weight, size):
    """The adjoint in the image: samples (N, C, P) times the weights, added to zeros where the index says."""
    out = np.zeros((*samples.shape[:2], size), samples.dtype)
    cache.load_file("cpu.resample").scatter_weighted(*map(np.ascontiguousarray, (samples, index, weight)), out)
    return out


@weighted_scatter.grad("samples")
def weighted_scatter_grad_samples(g, index, weight):
    return weighted_gather(g, index, weight)


@weighted_scatter.grad("weight")
def weighted_scatter_grad_weight(g, samples, index):
    return products_at(samples, g, index)


@structured(tensors="samples image index")
def products_at(samples, image, index):
    return index.shape, samples.dtype


@products_at.cpu
def products_at_cpu(samples, image, index):
    """The adjoint in the weights: the sum over C of samples (N, C, P) times what the index says of the image."""
    out = np.zeros(index.shape, samples.dtype)
    cache.load_file("cpu.resample").products_at(*map(np.ascontiguousarray, (samples, image, index)), out)
    return out


@products_at.grad("samples")
def products_at_grad_samples(g, image, index):
    return weighted_gather(image, index, g)


@products_at.grad("image")
def products_at_grad_image(g, samples, image_shape, index):
    return weighted_scatter(samples, index, g, image_shape[2])


# ---------------------------------------------------------------------- samples
OUTSIDE = -(2**40)  # added to places, makes any sum of them negative


def _taps(x: Tensor, n: int, mode: str, padding: str, align_corners: bool) -> list[tuple[Tensor, Tensor]]:
    """Along one axis: the places that are read, whole numbers, and their weights."""
    if mode == "nearest":
        one = FUNCTIONS["masked_fill"](x, (x == x) | (x != x), 1.0)  # with a gradient, which is zero
        return [(FUNCTIONS["round"](_padded(x.detach(), n, padding, align_corners)), one)]
    if mode == "bilinear":
        x = _padded(x, n, padding, align_corners)
        low = FUNCTIONS["floor"](x.detach())
        return [(low, low + 1.0 - x), (low + 1.0, x - low)]
    low = FUNCTIONS["floor"](x.detach())
    places = [_padded(low + float(k), n, padding, align_corners) for k in (-1, 0, 1, 2)]
    return list(zip(places, cubic_weights(x - low), strict=True))


def _index(place: Tensor, n: int, stride: int) -> Tensor:
    """Where the place along one axis is in the flat image."""
    inside = (place >= 0) & (place < n)
    index = cast(FUNCTIONS["where"](inside, place, 0.0), dtypes.int64.numpy)
    return FUNCTIONS["where"](inside, index * stride, OUTSIDE)


def _in_one_loop(input: Tensor, grid: Tensor, mode: str, padding: str) -> bool:
    """Whether the loops over planes serve: an image of plain floats, not many times the size of what is read."""
    a, places = input.array, grid.array
    if a.__class__ is not np.ndarray or places.__class__ is not np.ndarray or a.ndim != 4:
        return False
    if mode == "bicubic" or padding != "zeros" or a.dtype not in (np.float32, np.float64) or a.dtype != places.dtype:
        return False
    return a[0, 0].size <= min(MUCH * places[0].size, 2**31) if a.size and places.size else False


MUCH = 8  # the most pixels for each number of the grid: all are copied


@structured(title="GridSampler2D", tensors="input grid")
def sampled_planes(input, grid, nearest, align_corners):
    return (*input.shape[:2], *grid.shape[1:3]), input.dtype


@sampled_planes.cpu
def sampled_planes_cpu(input, grid, nearest, align_corners):
    out = np.empty((*input.shape[:2], *grid.shape[1:3]), input.dtype)
    image, places, *room = _arranged(input, grid)
    _kernels().sample(image, places, nearest, align_corners, *room, out.reshape(*out.shape[:2], -1))
    return out


def _kernels() -> Any:
    return cache.load_file("cpu.grid_sample")


def _arranged(input: Any, grid: Any) -> tuple[Any, ...]:
    """Image and places, contiguous, and the kernels' room: at, weights, plane."""
    places = np.ascontiguousarray(grid).reshape(grid.shape[0], -1, 2)
    count, dtype, around = places.shape[1], input.dtype, _kernels().AROUND
    plane = np.zeros((input.shape[2] + around) * (input.shape[3] + around), dtype)
    return np.ascontiguousarray(input), places, np.empty(count, np.uint32), np.empty((8, count), dtype), plane


@sampled_planes.shared("found")
def sampled_planes_found(g, input, grid, nearest, align_corners):
    return sampled_planes_gradients(g, input, grid, nearest, align_corners)  # noqa: F821


@sampled_planes.grad("input")
def sampled_planes_grad_input(found):
    return found[0]


@sampled_planes.grad("grid")
def sampled_planes_grad_grid(found):
    return found[1]


def _sampled_planes_gradients(g, input, grid, nearest, align_corners):
    d_image, d_grid = np.empty(input.shape, input.dtype), np.empty(grid.shape, grid.dtype)
    image, places, at, weights, plane = _arranged(input, grid)
    sums, g = np.empty((4, len(at)), input.dtype), np.ascontiguousarray(g).reshape(*g.shape[:2], -1)
    made = np.empty_like(plane), d_image, d_grid.reshape(places.shape)
    _kernels().sample_gradients(g, image, places, nearest, align_corners, at, weights, plane, sums, *made)
    return d_image, d_grid


def _sampled_planes_gradients_in_ops(g, input, grid, nearest, align_corners):
    index, weight, axes = _tables(input, grid, "nearest" if nearest else "bilinear", "zeros", align_corners)
    g, image = (reshape(t, *t.shape[:2], prod(t.shape[2:])) for t in (g, input))
    d_image = reshape(op("weighted_scatter")(g, index, weight, image.shape[2]), input.shape)
    if nearest:
        return d_image, grid * 0.0
    sums = op("products_at")(g, image, index)
    upper_left, upper_right, lower_left, lower_right = (FUNCTIONS["select"](sums, 1, t) for t in range(4))
    ((_, from_top), (_, from_bottom)), ((_, from_left), (_, from_right)) = axes
    along = (upper_right - upper_left) * from_top + (lower_right - lower_left) * from_bottom
    down = (lower_left - upper_left) * from_left + (lower_right - upper_right) * from_right
    scales = [(n - 1 if align_corners else n) / 2.0 for n in input.shape[2:]]
    d_grid = FUNCTIONS["stack"]([along * scales[1], down * scales[0]], -1)
    return d_image, reshape(d_grid, grid.shape)


ARRAY_NAMES["sampled_planes_gradients"] = _sampled_planes_gradients
TENSOR_NAMES["sampled_planes_gradients"] = _sampled_planes_gradients_in_ops


def _sample(input: Tensor, grid: Tensor, mode: str, padding: str, align_corners: bool) -> Tensor:
    """input (N, C, *sizes) at the places of grid (N, *outputs, number of sizes), whose first is along the last size."""
    if _in_one_loop(input, grid, mode, padding):
        return op("sampled_planes")(input, grid, mode == "nearest", align_corners)
    image = reshape(input, *input.shape[:2], prod(input.shape[2:]))
    index, weight, _ = _tables(input, grid, mode, padding, align_corners)
    total = op("weighted_gather")(image, index, weight)
    return FUNCTIONS["view_as_shape"](total, (*input.shape[:2], *grid.shape[1:-1]))


def _tables(input: Tensor, grid: Tensor, mode: str, padding: str, align_corners: bool) -> tuple[Tensor, Tensor, Any]:
    """Places in flat images and their weights, (N, taps, P) each; and along each axis the places with their weights."""
    sizes, count = input.shape[2:], prod(grid.shape[1:-1])
    axes = []
    for axis, n in enumerate(sizes):
        places = _pixels(FUNCTIONS["select"](grid, -1, len(sizes) - 1 - axis), n, align_corners)
        places = reshape(places, grid.shape[0], count)
        stride = prod(sizes[axis + 1 :])
        axes.append([(_index(p, n, stride), w) for p, w in _taps(places, n, mode, padding, align_corners)])
    taps = axes[0]
    for others in axes[1:]:
        taps = [(index + i, weight * w) for index, weight in taps for i, w in others]
    index, weight = (FUNCTIONS["stack"](list(parts), 1) for parts in zip(*taps, strict=True))
    return index, weight, axes


def _check(input: Tensor, grid: Tensor, mode: str) -> None:
    n = input.ndim - 2
    shapes = f"input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(f"grid_sampler(): expected grid and input to have same batch size, but got {shapes}")
    if grid.shape[-1] != n:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {n} in last dimension, but got grid with sizes "
            f"{list(grid.shape)}"
        )
    for d, size in enumerate(input.shape[2:], 2):
        if not size > 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
                f"{list(input.shape)} with dimension {d} being empty"
            )
    if not (input.ndim in (4, 5) and input.ndim == grid.ndim):
        raise RuntimeError(
            f"grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got {shapes}"
        )
    check(n == 2 or mode != "bicubic", "grid_sampler(): bicubic interpolation only supports 4D input")
    if input.array.dtype not in dtypes.FLOATS:
        no_kernel("grid_sampler_2d_cpu_kernel_impl" if n == 2 else "grid_sampler_3d_cpu", input.array)
    if input.dtype != grid.dtype:
        raise RuntimeError(f"expected scalar type {c_name(input.array)} but found {c_name(grid.array)}")


@public("torch")
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """nn.functional.grid_sample with modes by number."""
    mode, padding = MODES[interpolation_mode], PADDINGS[padding_mode]
    _check(input, grid, mode)
    return _sample(input, grid, mode, padding, align_corners)


@public("torch")
def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """grid_sampler of (N, C, H, W)."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@public("torch")
def grid_sampler_3d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """grid_sampler of (N, C, D, H, W)."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@public("nn.functional")
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """input (N, C, H, W) at the places (x, y), from -1 to 1, of grid (N, H', W', 2); or volumes, at (x, y, z).

    >>> import minitorch as torch
    >>> centre = torch.zeros(1, 1, 1, 2)
    >>> torch.nn.functional.grid_sample(torch.arange(4.0).reshape(1, 1, 2, 2), centre, align_corners=False)
    tensor([[[[1.5000]]]])
    """
    if mode not in MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    if align_corners is None:
        warn(_CHANGED.format("grid_sample and affine_grid"))
    return grid_sampler(input, grid, MODES.index(mode), PADDINGS.index(padding_mode), bool(align_corners))


# ---------------------------------------------------------------------- grids
@public("nn.functional")
def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The grid (N, H, W, 2) of places that theta (N, 2, 3) maps an image of size (N, C, H, W) to; likewise volumes."""
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    shown = tuple(size)
    if len(shown) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{shown}."
        )
    n = len(shown) - 2
    if not (theta.ndim == 3 and tuple(theta.shape[-2:]) == (n, n + 1)):
        raise ValueError(
            f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {shown}. Got {theta.shape}."
        )
    if min(shown) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {shown}")
    if align_corners is None:
        warn(_CHANGED.format("grid_sample and affine_grid"))
    return affine_grid_generator(theta, shown, bool(align_corners))


@public("torch")
def affine_grid_generator(theta: Tensor, size: Any, align_corners: bool) -> Tensor:
    """nn.functional.affine_grid without its checks."""
    batch, _, *sizes = size
    dtype = theta.array.dtype
    places = np.ones((*sizes, len(sizes) + 1), np.float64)
    for axis, n in enumerate(sizes):
        line = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        line = line if align_corners else line * (n - 1) / n
        places[..., len(sizes) - 1 - axis] = line.reshape(-1, *(1,) * (len(sizes) - 1 - axis))
    base = cast(wrap(places.reshape(1, -1, len(sizes) + 1)), dtype)
    grid = FUNCTIONS["bmm"](FUNCTIONS["expand_to"](base, (batch, *base.shape[1:])), FUNCTIONS["transpose"](theta, 1, 2))
    return titled(FUNCTIONS["view_as_shape"](grid, (batch, *sizes, len(sizes))), "AffineGridGeneratorBackward0")
