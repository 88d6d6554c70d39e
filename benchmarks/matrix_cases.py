"""Cases of realistic size: decompositions and systems of equations, attention, resampled images.

`SECTIONS` as in `array_cases`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.array_cases import Maker, Step, backward

HEADS = ((1, 1, 64, 16), (8, 8, 32, 32), (4, 8, 128, 64), (1, 12, 512, 64), (1, 8, 2048, 64))
MATRICES = ((512, 512), (64, 64, 64))


# ---------------------------------------------------------------- linear algebra
def positive(T: Any, shape: tuple[int, ...]) -> Any:
    """Symmetric matrices with eigenvalues above the matrices' size."""
    x = T.randn(*shape)
    return x @ x.mT + shape[-1] * T.eye(shape[-1])


def tall(T: Any, shape: tuple[int, ...]) -> Any:
    return T.randn(*shape[:-2], 2 * shape[-2], shape[-1])


def of(made: Callable[..., Any], function: Callable[[Any, Any], Any]) -> Callable[[tuple[int, ...]], Maker]:
    """The step `function(T, A)`, with A = made(T, shape)."""

    def with_shape(shape: tuple[int, ...]) -> Maker:
        def make(T: Any) -> Step:
            A = made(T, shape)
            return lambda: function(T, A)

        return make

    return with_shape


def system(made: Callable[..., Any], function: Callable[..., Any]) -> Callable[[tuple[int, ...]], Maker]:
    """The step `function(T, A, B)` for eight right-hand sides."""

    def with_shape(shape: tuple[int, ...]) -> Maker:
        def make(T: Any) -> Step:
            A = made(T, shape)
            B = T.randn(*A.shape[:-1], 8)
            return lambda: function(T, A, B)

        return make

    return with_shape


def square(T: Any, shape: tuple[int, ...]) -> Any:
    return T.randn(*shape)


LINEAR_ALGEBRA = {
    "cholesky": of(positive, lambda T, A: T.linalg.cholesky(A)),
    "cholesky_solve": system(positive, lambda T, A, B: T.cholesky_solve(B, A)),
    "lu_factor": of(square, lambda T, A: T.linalg.lu_factor(A)[0]),
    "det": of(positive, lambda T, A: T.linalg.slogdet(A)[1]),
    "inv": of(positive, lambda T, A: T.linalg.inv(A)),
    "solve": system(positive, lambda T, A, B: T.linalg.solve(A, B)),
    "solve_triangular": system(positive, lambda T, A, B: T.linalg.solve_triangular(A, B, upper=False)),
    "lstsq": system(tall, lambda T, A, B: T.linalg.lstsq(A, B)[0]),
    "qr": of(square, lambda T, A: T.linalg.qr(A)[1]),
    "eigh": of(positive, lambda T, A: T.linalg.eigh(A)[0]),
    "svd": of(square, lambda T, A: T.linalg.svd(A)[1]),
    "matrix_exp": of(square, lambda T, A: T.linalg.matrix_exp(A * 0.01)),
}


def kron(T: Any) -> Step:
    a, b = T.randn(100, 100), T.randn(10, 10)
    return lambda: T.kron(a, b)


def einsum(T: Any) -> Step:
    q, k = T.randn(4, 128, 8, 64), T.randn(4, 128, 8, 64)
    return lambda: T.einsum("bqhd,bkhd->bhqk", q, k)


# ---------------------------------------------------------------- attention, images
def attention(part: str, causal: bool, shape: tuple[int, ...]) -> Maker:
    def make(T: Any) -> Step:
        q, k, v = (T.randn(*shape, requires_grad=True) for _ in range(3))

        def forward():
            return T.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

        return forward if part == "forward" else backward(T, forward(), q, k, v)

    return make


def grid_sample(mode: str, part: str) -> Maker:
    def make(T: Any) -> Step:
        x = T.randn(4, 16, 64, 64, requires_grad=True)
        grid = (T.rand(4, 64, 64, 2) * 2.2 - 1.1).requires_grad_()

        def forward():
            return T.nn.functional.grid_sample(x, grid, mode, align_corners=False)

        return forward if part == "forward" else backward(T, forward(), x, grid)

    return make


def interpolate(mode: str, part: str) -> Maker:
    def make(T: Any) -> Step:
        x = T.randn(8, 32, 32, 32, requires_grad=True)

        def forward():
            return T.nn.functional.interpolate(x, scale_factor=2, mode=mode)

        return forward if part == "forward" else backward(T, forward(), x)

    return make


def adaptive_avg_pool(T: Any) -> Step:
    x = T.randn(16, 64, 32, 32)
    return lambda: T.nn.functional.adaptive_avg_pool2d(x, 7)


def conv_transpose(part: str) -> Maker:
    def make(T: Any) -> Step:
        x, w = T.randn(16, 64, 16, 16, requires_grad=True), T.randn(64, 32, 4, 4, requires_grad=True)

        def forward():
            return T.nn.functional.conv_transpose2d(x, w, stride=2, padding=1)

        return forward if part == "forward" else backward(T, forward(), x, w)

    return make


PARTS = ("forward", "backward")
SECTIONS: dict[str, dict[str, Maker]] = {
    "linear algebra": {
        f"{name} {'x'.join(map(str, shape))}": LINEAR_ALGEBRA[name](shape)
        for name in LINEAR_ALGEBRA
        for shape in MATRICES
    }
    | {"kron": kron, "einsum of attention": einsum},
    "attention": {
        f"{'causal ' if causal else ''}attention {part} {'x'.join(map(str, shape))}": attention(part, causal, shape)
        for shape in HEADS
        for causal in (False, True)
        for part in PARTS
    },
    "images": {
        **{
            f"grid_sample {mode} {part}": grid_sample(mode, part)
            for mode in ("bilinear", "nearest", "bicubic")
            for part in PARTS
        },
        **{
            f"interpolate {mode} {part}": interpolate(mode, part)
            for mode in ("nearest", "bilinear", "bicubic")
            for part in PARTS
        },
        "adaptive_avg_pool2d": adaptive_avg_pool,
        **{f"conv_transpose2d {part}": conv_transpose(part) for part in PARTS},
    },
}
