"""The table of cases: each written once, against a namespace `T` (torch or minitorch).

`case.make(T)` builds the inputs and returns the step to be timed; every step returns a tensor. The
same seed gives both frameworks the same numbers, so what a step computes can be compared as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from benchmarks import array_cases, matrix_cases, vision_cases

Step = Callable[[], Any]
Maker = Callable[[Any], Step]


class Case(NamedTuple):
    """One row of the table; `target` is the most that ours / torch may be with one thread."""

    section: str
    name: str
    make: Maker
    target: float | None = None


# ---------------------------------------------------------------- whole training steps
CELSIUS = [0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0]
UNKNOWN = [35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4]


def linear_fit(T: Any) -> Step:
    x, y = 0.1 * T.tensor(UNKNOWN), T.tensor(CELSIUS)
    w, b = T.tensor(1.0, requires_grad=True), T.tensor(0.0, requires_grad=True)

    def step():
        loss = ((w * x + b - y) ** 2).mean()
        loss.backward()
        with T.no_grad():
            for parameter in (w, b):
                parameter -= 1e-2 * parameter.grad
                parameter.grad.zero_()
        return loss

    return step


def training(T: Any, model: Any, loss_of: Any, x: Any, y: Any, lr: float = 1e-2) -> Step:
    optimizer = T.optim.SGD(model.parameters(), lr=lr)

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def thermometer(T: Any, model: Any, lr: float) -> Step:
    x, y = 0.1 * T.tensor(UNKNOWN), T.tensor(CELSIUS)
    return training(T, model, T.nn.MSELoss(), x.unsqueeze(1), y.unsqueeze(1), lr)


def classifier(T: Any, model: Any, *shape: int) -> Step:
    x, y = T.randn(*shape), T.randint(0, 10, shape[:1])
    return training(T, model, T.nn.CrossEntropyLoss(), x, y)


def linear_layer(T: Any) -> Step:
    return thermometer(T, T.nn.Linear(1, 1), 1e-2)


def small_mlp(T: Any) -> Step:
    nn = T.nn
    return thermometer(T, nn.Sequential(nn.Linear(1, 13), nn.Tanh(), nn.Linear(13, 1)), 1e-3)


def mnist_mlp(T: Any) -> Step:
    nn = T.nn
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return classifier(T, model, 64, 784)


def mnist_cnn(T: Any) -> Step:
    nn = T.nn
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, 10)),
    )
    return classifier(T, model, 50, 1, 28, 28)


def cifar_quick(T: Any) -> Step:
    nn = T.nn
    model = nn.Sequential(
        *(nn.Conv2d(3, 32, 5, padding=2), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 32, 5, padding=2), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 5, padding=2), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 4 * 4, 64), nn.Linear(64, 10)),
    )
    return classifier(T, model, 64, 3, 32, 32)


# ---------------------------------------------------------------- single operations
# Each entry returns the step itself: one more call around a step of 1 us would blur the ratio.
POINTWISE = {
    "add": lambda T, x, y: lambda: x + y,
    "mul": lambda T, x, y: lambda: x * y,
    "exp": lambda T, x, y: lambda: T.exp(x),
    "relu": lambda T, x, y: lambda: T.relu(x),
    "sum": lambda T, x, y: lambda: x.sum(),
}


def recorded(operation: str, size: int) -> Maker:
    def make(T: Any) -> Step:
        return POINTWISE[operation](T, T.randn(size, requires_grad=True), T.randn(size))

    return make


def matmul(n: int, k: int, m: int) -> Maker:
    def make(T: Any) -> Step:
        a, b = T.randn(n, k, requires_grad=True), T.randn(k, m)
        return lambda: a @ b

    return make


def gradient(T: Any, out: Any, wanted: Any) -> Step:
    cotangent = T.ones_like(out)
    return lambda: T.autograd.grad(out, wanted, cotangent, retain_graph=True)[0]


def convolution(part: str, N: int, C: int, H: int, W: int, K: int, R: int) -> Maker:
    def make(T: Any) -> Step:
        x = T.randn(N, C, H, W, requires_grad=True)
        weight = T.randn(K, C, R, R, requires_grad=True)

        def forward():
            return T.nn.functional.conv2d(x, weight, padding=R // 2)

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
    "Adam": (lambda T, params: T.optim.Adam(params).step, 0.3),
    "AdamW": (lambda T, params: T.optim.AdamW(params).step, 0.3),
    "RMSprop": (lambda T, params: T.optim.RMSprop(params).step, 0.3),
    "zero_grad(False)": (lambda T, params: partial(T.optim.SGD(params).zero_grad, set_to_none=False), 1.2),
    "clip_grad_norm_": (lambda T, params: lambda: T.nn.utils.clip_grad_norm_(params, 1.0), 1.0),
}
SIZES = (32, 1_000, 100_000, 1_000_000)
PRODUCTS = (
    (11, 1, 13),
    (64, 784, 128),
    (64, 128, 10),
    (64, 64, 64),
    (256, 256, 256),
    (1024, 1024, 1024),
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
POOLS = (
    ((50, 16, 28, 28), 2, 2, 0),
    ((64, 32, 32, 32), 2, 2, 0),
    ((8, 64, 32, 32), 3, 2, 1),
)
SCORES = ((64, 10), (64, 1_000), (1_024, 1_000))


def times(numbers: Iterable[int]) -> str:
    return "x".join(map(str, numbers))


def parts(shape: tuple[int, ...]) -> tuple[str, ...]:
    """A first layer (up to three channels) never needs the gradient of its input."""
    return ("forward", "backward-weight") + (("backward-input",) if shape[1] > 3 else ())


CASES: tuple[Case, ...] = (
    Case("steps", "one recorded op, 32 elements", recorded("mul", 32), 0.9),
    Case("steps", "linear fit", linear_fit, 0.35),
    Case("steps", "nn.Linear + MSE + SGD", linear_layer, 0.2),
    Case("steps", "MLP 1-13-1", small_mlp, 0.25),
    Case("steps", "MLP 784-128-10, batch 64", mnist_mlp, 0.75),
    Case("steps", "MNIST CNN, batch 50", mnist_cnn, 1.5),
    Case("steps", "CIFAR-quick, batch 64", cifar_quick),
    Case("vision", "VGG16, a picture of 224x224", vision_cases.vgg16),
    Case("vision", "ResNet18, training step, batch 8, 64x64", vision_cases.resnet18),
    *(Case("pointwise", f"{op} {n:,}", recorded(op, n)) for op in POINTWISE for n in SIZES),
    *(Case("matmul", times(shape), matmul(*shape)) for shape in PRODUCTS),
    *(
        Case("convolution", f"{part} {times(shape)}", convolution(part, *shape))
        for shape in CONVOLUTIONS
        for part in parts(shape)
    ),
    *(
        Case("pooling", f"{part} {times(shape)}, {pool[0]}x{pool[0]}", pooling(part, shape, *pool))
        for shape, *pool in POOLS
        for part in ("forward", "backward")
    ),
    *(Case("losses", f"softmax {times(shape)}", softmax(*shape)) for shape in SCORES),
    *(Case("losses", f"cross_entropy with gradient {times(shape)}", cross_entropy(*shape)) for shape in SCORES),
    *(Case("updates", f"{name}, 100 x 64x64", with_gradients(act), most) for name, (act, most) in UPDATES.items()),
    *(
        Case("recurrent", f"{kind}(28, 64) over 28 steps, batch 64", recurrent(kind), 1.3)
        for kind in ("LSTM", "GRU", "RNN")
    ),
    Case("loading", "epoch of 60,000 x 784, batch 64", loading(0), 0.5),
    Case("loading", "epoch of 60,000 x 784, batch 64, 2 workers", loading(2), 1.0),
    *(
        Case(section, name, make, 1.5)
        for sections in (array_cases.SECTIONS, matrix_cases.SECTIONS)
        for section, rows in sections.items()
        for name, make in rows.items()
    ),
)
BY_NAME = {case.name: case for case in CASES}
SECTIONS = tuple(dict.fromkeys(case.section for case in CASES))
