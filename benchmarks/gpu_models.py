"""Models whose training is timed on a GPU: each gives its parameters and a function that computes the loss."""

from __future__ import annotations

from typing import Any, NamedTuple


class Sizes(NamedTuple):
    """How large a model is on a GPU, and on the emulated one."""

    batch: int
    width: int


def linear_fit(T: Any, device: str, s: Sizes) -> Any:
    x = T.linspace(0, 1, s.batch).to(device)
    y = 3 * x + 1
    w, c = (T.zeros((), device=device, requires_grad=True) for _ in range(2))
    return [w, c], lambda: ((w * x + c - y) ** 2).mean()


def mlp(T: Any, device: str, s: Sizes) -> Any:
    net = T.nn.Sequential(T.nn.Linear(s.width, s.width), T.nn.ReLU(), T.nn.Linear(s.width, 10)).to(device)
    x, y = T.randn(s.batch, s.width).to(device), T.randint(0, 10, (s.batch,)).to(device)
    return list(net.parameters()), lambda: T.nn.functional.cross_entropy(net(x), y)


def cnn(T: Any, device: str, s: Sizes) -> Any:
    n = s.width // 4
    net = T.nn.Sequential(
        T.nn.Conv2d(1, 16 if s.width > 8 else 2, 5, padding=2), T.nn.ReLU(), T.nn.MaxPool2d(2),
        T.nn.Conv2d(16 if s.width > 8 else 2, 32 if s.width > 8 else 2, 5, padding=2), T.nn.ReLU(), T.nn.MaxPool2d(2),
        T.nn.Flatten(), T.nn.Linear((32 if s.width > 8 else 2) * n * n, 10),
    ).to(device)  # fmt: skip
    x, y = T.randn(s.batch, 1, s.width, s.width).to(device), T.randint(0, 10, (s.batch,)).to(device)
    return list(net.parameters()), lambda: T.nn.functional.cross_entropy(net(x), y)


def transformer(T: Any, device: str, s: Sizes) -> Any:
    layer = T.nn.TransformerEncoderLayer(s.width, 2, 2 * s.width, dropout=0.0, batch_first=True).to(device)
    x, y = (T.randn(2, s.batch, s.width).to(device) for _ in range(2))
    return list(layer.parameters()), lambda: ((layer(x) - y) ** 2).mean()


def lstm(T: Any, device: str, s: Sizes) -> Any:
    net = T.nn.LSTM(s.width, s.width).to(device)
    x = T.randn(s.batch, 2, s.width).to(device)
    return list(net.parameters()), lambda: (net(x)[0] ** 2).mean()


MODELS: dict[str, tuple[Any, Sizes, Sizes]] = {
    "linear fit": (linear_fit, Sizes(11, 1), Sizes(11, 1)),
    "mlp": (mlp, Sizes(64, 256), Sizes(2, 4)),
    "mnist cnn": (cnn, Sizes(50, 28), Sizes(1, 8)),
    "transformer layer": (transformer, Sizes(128, 64), Sizes(3, 4)),
    "lstm": (lstm, Sizes(32, 64), Sizes(2, 2)),
}
