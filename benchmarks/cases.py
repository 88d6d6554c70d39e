"""The table of cases: each written once, against a namespace `T` (torch or minitorch).

`case.make(T)` builds the inputs and returns the step to be timed; every step returns a tensor. The
same seed gives both frameworks the same numbers, so what a step computes can be compared as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from benchmarks import array_cases, layout_cases, matrix_cases, model_cases
from benchmarks.families import FAMILIES, SIZES

Step = Callable[[], Any]
Maker = Callable[[Any], Step]


class Case(NamedTuple):
    """One row of the table; `target` is the most that ours / torch may be with one thread.

    `flops` and `bytes`, where given, are what a step computes and at least moves.
    """

    section: str
    name: str
    make: Maker
    target: float | None = None
    flops: float = 0
    bytes: float = 0


# ---------------------------------------------------------------- single operations
def matmul(n: int, k: int, m: int) -> Maker:
    def make(T: Any) -> Step:
        a, b = T.randn(n, k, requires_grad=True), T.randn(k, m)
        return lambda: a @ b

    return make


def linear(n: int, k: int, m: int) -> Maker:
    def make(T: Any) -> Step:
        x, layer = T.randn(n, k), T.nn.Linear(k, m)
        return lambda: layer(x)

    return make


def gradient(T: Any, out: Any, wanted: Any) -> Step:
    cotangent = T.ones_like(out)
    return lambda: T.autograd.grad(out, wanted, cotangent, retain_graph=True)[0]


def convolution(part: str, N: int, C: int, H: int, W: int, K: int, R: int, stride: int = 1, groups: int = 1) -> Maker:
    def make(T: Any) -> Step:
        x = T.randn(N, C, H, W, requires_grad=True)
        weight = T.randn(K, C // groups, R, R, requires_grad=True)

        def forward():
            return T.nn.functional.conv2d(x, weight, stride=stride, padding=R // 2, groups=groups)

        if part == "forward":
            return forward
        return gradient(T, forward(), x if part == "backward-input" else weight)

    return make


def pooling(part: str, shape: tuple[int, ...], kernel: int, stride: int, padding: int) -> Maker:
    def make(T: Any) -> Step:
        x = T.randn(*shape, requires_grad=True)

        def forward():
            return T.nn.functional.max_pool2d(x, kernel, stride, padding)

        return forward if part == "forward" else gradient(T, forward(), x)

    return make


def softmax(N: int, C: int) -> Maker:
    def make(T: Any) -> Step:
        x = T.randn(N, C, requires_grad=True)
        return lambda: T.softmax(x, 1)

    return make


def cross_entropy(N: int, C: int) -> Maker:
    def make(T: Any) -> Step:
        x, y = T.randn(N, C, requires_grad=True), T.randint(0, C, (N,))
        return lambda: T.autograd.grad(T.nn.functional.cross_entropy(x, y), x)[0]

    return make


def recurrent(kind: str) -> Maker:
    """Forward and gradients of a layer of 64 units over 28 rows of 28 pixels, batch 64."""

    def make(T: Any) -> Step:
        layer, x = getattr(T.nn, kind)(28, 64, batch_first=True), T.randn(64, 28, 28)
        parameters = list(layer.parameters())
        return lambda: T.autograd.grad(layer(x)[0].sum(), parameters)[0]

    return make


def loading(workers: int) -> Maker:
    """An epoch over 60,000 rows of 784 numbers and their labels, in random batches of 64."""

    def make(T: Any) -> Step:
        data = T.utils.data
        dataset = data.TensorDataset(T.randn(60_000, 784), T.randint(0, 10, (60_000,)))
        loader = data.DataLoader(dataset, 64, shuffle=True, num_workers=workers)

        def step():
            for x, _ in loader:
                last = x
            return last

        return step

    return make


def with_gradients(act: Callable[[Any, Any], Step]) -> Maker:
    """What `act` makes of 100 parameters of 64 x 64 with gradients, kept: only the update is measured."""

    def make(T: Any) -> Step:
        params = [T.nn.Parameter(T.randn(64, 64)) for _ in range(100)]
        for p in params:
            p.grad = T.randn(64, 64)
        step = act(T, params)

        def run():
            step()
            return params[0]

        return run

    return make


UPDATES = {
    "SGD": (lambda T, params: T.optim.SGD(params, lr=1e-3).step, 0.5),
    "SGD with momentum": (lambda T, params: T.optim.SGD(params, lr=1e-3, momentum=0.9, weight_decay=1e-2).step, 0.3),
    "Adam": (lambda T, params: T.optim.Adam(params).step, 0.2),
    "AdamW": (lambda T, params: T.optim.AdamW(params).step, 0.2),
    "RMSprop": (lambda T, params: T.optim.RMSprop(params).step, 0.3),
    "zero_grad(False)": (lambda T, params: partial(T.optim.SGD(params).zero_grad, set_to_none=False), 1.2),
    "clip_grad_norm_": (lambda T, params: lambda: T.nn.utils.clip_grad_norm_(params, 1.0), 1.0),
}
PRODUCTS = (
    (11, 1, 13),
    (64, 784, 128),
    (64, 128, 10),
    (64, 1024, 64),
    (50, 1568, 10),
    (64, 64, 64),
    (256, 256, 256),
    (512, 512, 512),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
)
LAYERS = (  # batch, inputs, outputs of nn.Linear
    (1, 1024, 1024),
    (8, 512, 512),
    (32, 784, 512),
    (32, 1024, 1024),
    (64, 4096, 4096),
    (100, 300, 200),
)
CONVOLUTIONS = (
    (64, 3, 32, 32, 32, 5),
    (64, 32, 16, 16, 32, 5),
    (64, 32, 8, 8, 64, 5),
    (50, 1, 28, 28, 16, 5),
    (50, 16, 14, 14, 32, 5),
    (8, 64, 56, 56, 64, 3),
    (1, 512, 14, 14, 512, 3),
)
# of MobileNetV2: N, C, H, W, R, stride
DEPTHWISE = ((8, 144, 32, 32, 3, 1), (8, 96, 64, 64, 3, 2), (8, 384, 8, 8, 3, 1))
POOLS = (
    ((50, 16, 28, 28), 2, 2, 0),
    ((64, 32, 32, 32), 2, 2, 0),
    ((8, 64, 32, 32), 3, 2, 1),
)
SCORES = ((64, 10), (64, 1_000), (1_024, 1_000))
PRODUCT = 1.15
FIRST_LAYER = 0.65  # of up to three channels
CONVOLUTION = {"forward": 1.05, "backward-input": 1.10, "backward-weight": 1.00}
POOLING = {"forward": 0.15, "backward": 1.0}
ARRAYS = 1.5
OF_ARRAYS = {
    "batch_norm forward": 0.4,
    "batch_norm backward": 0.8,
    "layer_norm forward": 1.0,
    "layer_norm backward": 1.0,
    "softmax along 1": 1.0,
    "attention": 1.0,  # the whole section
    "models": 1.0,
}


def times(numbers: Iterable[int]) -> str:
    return "x".join(map(str, numbers))


def parts(shape: tuple[int, ...]) -> tuple[str, ...]:
    """A first layer (up to three channels) never needs the gradient of its input."""
    return ("forward", "backward-weight") + (("backward-input",) if shape[1] > 3 else ())


def product(make: Callable[[int, int, int], Maker], shape: tuple[int, int, int], name: str = "") -> Case:
    n, k, m = shape
    moved = 4 * (n * k + k * m + n * m)
    return Case("matmul", name + times(shape), make(*shape), PRODUCT, 2 * n * k * m, moved)


def convolved(part: str, shape: tuple[int, ...]) -> Case:
    N, C, H, W, K, R = shape
    most = FIRST_LAYER if part == "forward" and C <= 3 else CONVOLUTION[part]
    moved = 4 * (N * C * H * W + N * K * H * W + K * C * R * R)
    make = convolution(part, *shape)
    return Case("convolution", f"{part} {times(shape)}", make, most, 2 * N * K * C * R * R * H * W, moved)


def depthwise(part: str, shape: tuple[int, ...]) -> Case:
    N, C, H, W, R, stride = shape
    outputs = N * C * (H // stride) * (W // stride)
    make = convolution(part, N, C, H, W, C, R, stride, C)
    name = f"{part} depthwise {times(shape[:-1])}, stride {stride}"
    return Case("convolution", name, make, CONVOLUTION[part], 2 * outputs * R * R, 4 * (N * C * H * W + outputs))


CASES: tuple[Case, ...] = (
    *(
        Case("families", f"{name}, {n:,}", partial(make, n=n), target, flops * n, 4 * moved * n)
        for name, make, target, moved, flops in FAMILIES
        for n in SIZES
    ),
    *(product(matmul, shape) for shape in PRODUCTS),
    *(product(linear, shape, "linear ") for shape in LAYERS),
    *(convolved(part, shape) for shape in CONVOLUTIONS for part in parts(shape)),
    *(depthwise(part, shape) for shape in DEPTHWISE for part in CONVOLUTION),
    *(
        Case("pooling", f"{part} {times(shape)}, {pool[0]}x{pool[0]}", pooling(part, shape, *pool), most)
        for shape, *pool in POOLS
        for part, most in POOLING.items()
    ),
    *(Case("losses", f"softmax {times(shape)}", softmax(*shape), 1.0) for shape in SCORES),
    *(Case("losses", f"cross_entropy with gradient {times(shape)}", cross_entropy(*shape), 0.15) for shape in SCORES),
    *(Case("updates", f"{name}, 100 x 64x64", with_gradients(act), most) for name, (act, most) in UPDATES.items()),
    *(
        Case("recurrent", f"{kind}(28, 64) over 28 steps, batch 64", recurrent(kind), 1.3)
        for kind in ("LSTM", "GRU", "RNN")
    ),
    Case("loading", "epoch of 60,000 x 784, batch 64", loading(0), 0.5),
    Case("loading", "epoch of 60,000 x 784, batch 64, 2 workers", loading(2), 1.0),
    *(
        Case(section, name, make, OF_ARRAYS.get(name, OF_ARRAYS.get(section, ARRAYS)))
        for sections in (array_cases.SECTIONS, layout_cases.SECTIONS, matrix_cases.SECTIONS, model_cases.SECTIONS)
        for section, rows in sections.items()
        for name, make in rows.items()
    ),
)
BY_NAME = {case.name: case for case in CASES}
SECTIONS = tuple(dict.fromkeys(case.section for case in CASES))
