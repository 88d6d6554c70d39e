"""Cases of arrays that are not contiguous: channels last, parts of larger arrays, transposes, broadcast operands.

`SECTIONS` as in `array_cases`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.array_cases import Maker, Step, backward, of_matrix

IMAGES = 8, 64, 56, 56


def of_images(function: Callable[[Any, Any], Any], part: str = "forward", channels: int = IMAGES[1]) -> Maker:
    """The step `function(T, x)`, or that of its gradient, for images with channels last."""

    def make(T: Any) -> Step:
        N, _, H, W = IMAGES
        x = T.randn(N, channels, H, W).contiguous(memory_format=T.channels_last).requires_grad_(part == "backward")
        return (lambda: function(T, x)) if part == "forward" else backward(T, function(T, x), x)

    return make


def vectors(T: Any) -> tuple[Any, Any]:
    return T.linspace(0.5, 2.0, IMAGES[1]), T.linspace(-1.0, 1.0, IMAGES[1])


LAYERS: dict[str, Callable[[Any, Any], Any]] = {
    "max_pool2d": lambda T, x: T.nn.functional.max_pool2d(x, 2),
    "max_pool2d, 3x3": lambda T, x: T.nn.functional.max_pool2d(x, 3, 2, 1),
    "avg_pool2d": lambda T, x: T.nn.functional.avg_pool2d(x, 2),
    "adaptive_avg_pool2d": lambda T, x: T.nn.functional.adaptive_avg_pool2d(x, 7),
    "nearest upsampling": lambda T, x: T.nn.functional.interpolate(x, scale_factor=2.0),
    "bilinear upsampling": lambda T, x: T.nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear"),
    "batch_norm": lambda T, x: T.nn.functional.batch_norm(x, None, None, *vectors(T), True),
    "group_norm": lambda T, x: T.nn.functional.group_norm(x, 8, *vectors(T)),
    "mean of pixels": lambda T, x: x.mean((2, 3)),
    "sum of channels": lambda T, x: x.sum(1),
    "softmax of channels": lambda T, x: x.softmax(1),
    "relu": lambda T, x: T.relu(x),
}
JOINING: dict[str, Callable[[Any, Any], Any]] = {
    "cat of channels": lambda T, x: T.cat([x, x], 1),
    "cat of images": lambda T, x: T.cat([x, x]),
    "flip": lambda T, x: x.flip(3),
    "pad": lambda T, x: T.nn.functional.pad(x, (1, 1, 1, 1)),
    "to contiguous": lambda T, x: x.contiguous(),
}
PARTS: dict[str, Callable[[Any, Any], Any]] = {
    "half of the columns, sum of all": lambda T, x: x[:, :500].sum(),
    "half of the columns, sum along 0": lambda T, x: x[:, :500].sum(0),
    "half of the columns, sum along 1": lambda T, x: x[:, :500].sum(1),
    "half of the columns, exp": lambda T, x: x[:, :500].exp(),
    "half of the columns, softmax along 1": lambda T, x: x[:, :500].softmax(1),
    "half of the columns, + 1": lambda T, x: x[:, :500] + 1,
    "every other column, sum of all": lambda T, x: x[:, ::2].sum(),
    "every other column, + 1": lambda T, x: x[:, ::2] + 1,
    "every other row, sum along 0": lambda T, x: x[::2].sum(0),
    "half of the columns, index_select": lambda T, x: x[:, :500].index_select(0, T.arange(999, -1, -2)),
    "transpose, exp": lambda T, x: x.t().exp(),
    "transpose, sum along 0": lambda T, x: x.t().sum(0),
    "transpose, softmax along 1": lambda T, x: x.t().softmax(1),
    "transpose, cumsum along 1": lambda T, x: x.t().cumsum(1),
    "transpose, cat along 0": lambda T, x: T.cat([x.t(), x.t()]),
    "transpose, x[500]": lambda T, x: x.t()[500].clone(),
}
BROADCAST: dict[str, Callable[[Any, Any], Any]] = {
    "matrix + row": lambda T, x: x + x[0],
    "matrix + column": lambda T, x: x + x[:, :1],
    "matrix * row": lambda T, x: x * x[0],
    "column + row": lambda T, x: x[:, :1] + x[0],
    "maximum of matrix and row": lambda T, x: T.maximum(x, x[0]),
    "sum of an expanded row": lambda T, x: x[0].expand(1_000, 1_000).sum(),
    "sum along 1 of an expanded column": lambda T, x: x[:, :1].expand(1_000, 1_000).sum(1),
}
POWERS: dict[str, Callable[[Any, Any], Any]] = {
    f"power {p}": lambda T, x, p=p: x.abs().pow(p) for p in (0.5, -0.5, -1, 2, 3, 1.5)
}

SECTIONS: dict[str, dict[str, Maker]] = {
    "layouts": {
        **{
            f"channels last, {name} {part}": of_images(f, part)
            for name, f in LAYERS.items()
            for part in ("forward", "backward")
        },
        **{f"channels last, {name}": of_images(f) for name, f in JOINING.items()},
        "channels last, flip of 3 channels": of_images(JOINING["flip"], channels=3),
        **{name: of_matrix(f) for name, f in {**PARTS, **BROADCAST, **POWERS}.items()},
    },
}
