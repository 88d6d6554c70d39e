"""What `benchmarks/gpu_items.py` times on a GPU beside torch: the table of speeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Speed(NamedTuple):
    """A row of the table of speeds: make(T, device, n) gives the step; `aim` is our speed / torch's at first."""

    name: str
    make: Callable[[Any, str, int], Callable[[], Any]]
    real: int
    tiny: int
    aim: float
    work: Callable[[int], float]  # bytes or operations of a step
    unit: str = "GB/s"
    tf32: bool = False
    wgmma: bool = False


def _step(function: Callable[..., Any], *shapes: Any, dtype: str = "float32", grad: bool = False) -> Any:
    """A maker of `function(T, *inputs)`; sizes in shapes may be functions of n."""

    def make(T: Any, device: str, n: int) -> Callable[[], Any]:
        sizes = [tuple([d(n) if callable(d) else d for d in s]) for s in shapes]
        given = [T.ones(s, device=device).to(getattr(T, dtype)).requires_grad_(grad) for s in sizes]
        if not grad:
            return lambda: function(T, *given)
        out = function(T, *given)
        g = T.ones_like(out)
        return lambda: T.autograd.grad(out, given, g, retain_graph=True)

    return make


def same(n: int) -> int:
    return n


def _conv(T: Any, x: Any, w: Any) -> Any:
    return T.nn.functional.conv2d(x, w, padding=1)


def _conv3d(T: Any, x: Any, w: Any) -> Any:
    return T.nn.functional.conv3d(x, w, padding=1)


def _adam(T: Any, device: str, n: int) -> Callable[[], Any]:
    parameters = [T.ones(n, device=device, requires_grad=True) for _ in range(50)]
    for p in parameters:
        p.grad = T.ones_like(p)
    update = T.optim.Adam(parameters, lr=1e-3)
    return update.step


def _product(T: Any, x: Any, y: Any) -> Any:
    return x @ y


def _thousandth(n: int) -> int:
    return n // 1000


def _cube(n: int) -> float:
    return 2.0 * n**3


def _convolved(n: int) -> float:
    return 2.0 * 32 * 64 * 64 * 9 * n * n


def _pictures(n: int) -> int:
    return 32 if n > 8 else 1


def _channels(n: int) -> int:
    return 64 if n > 8 else 2


def _heads(n: int) -> int:
    return 4 if n > 8 else 1


def _width(n: int) -> int:
    return 64 if n > 8 else 16


def _channel_by_channel(T: Any, x: Any, w: Any) -> Any:
    return T.nn.functional.conv2d(x, w, padding=1, groups=w.shape[0])


def _attention(T: Any, q: Any, k: Any, v: Any) -> Any:
    return T.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def _attended(n: int) -> float:
    return 2.0 * 128 * n * n * 64  # half of both products


HEADS = (_pictures, _heads, same, _width)
VOLUME = (1, _channels, same, same, same)
IMAGE, FILTER, DEPTHWISE = (_pictures, _channels, same, same), (_channels, _channels, 3, 3), (_channels, 1, 3, 3)
ROWS, SQUARE = (1000, _thousandth), (same, same)
FLOPS = "TFLOP/s"
SPEEDS = [
    Speed("add", _step(lambda T, x, y: x + y, (same,), (same,)), 10**8, 64, 0.9, lambda n: 12.0 * n),
    Speed("gelu", _step(lambda T, x: T.nn.functional.gelu(x), (same,)), 10**8, 64, 0.9, lambda n: 8.0 * n),
    Speed("sum of all", _step(lambda T, x: x.sum(), (same,)), 10**8, 64, 0.9, lambda n: 4.0 * n),
    Speed("sum of rows", _step(lambda T, x: x.sum(1), ROWS), 10**8, 2000, 0.9, lambda n: 4.0 * n),
    Speed("sum of columns", _step(lambda T, x: x.sum(0), ROWS), 10**8, 2000, 0.9, lambda n: 4.0 * n),
    Speed("transpose", _step(lambda T, x: x.t().contiguous(), SQUARE), 8192, 20, 0.9, lambda n: 8.0 * n * n),
    Speed("mask", _step(lambda T, x: x[x > 0], (same,)), 10**8, 3000, 0.5, lambda n: 12.0 * n),
    Speed("sort", _step(lambda T, x: x.sort()[0], (same,)), 10**7, 30, 0.3, lambda n: 8.0 * n),
    Speed("topk", _step(lambda T, x: x.topk(50)[0], (64, same)), 50000, 60, 0.3, lambda n: 256.0 * n),
    Speed("conv3d", _step(_conv3d, VOLUME, (*FILTER, 3)), 32, 2, 0.2, lambda n: 2.0 * 64 * 64 * 27 * n**3, FLOPS),
    Speed("softmax", _step(lambda T, x: x.softmax(-1), (same, 1024)), 65536, 1, 0.9, lambda n: 8192.0 * n),
    Speed("fp32 GEMM", _step(_product, SQUARE, SQUARE), 4096, 8, 0.6, _cube, FLOPS),
    Speed("tf32 GEMM", _step(_product, SQUARE, SQUARE), 4096, 8, 0.4, _cube, FLOPS, True),
    Speed("bf16 GEMM", _step(_product, SQUARE, SQUARE, dtype="bfloat16"), 4096, 8, 0.4, _cube, FLOPS),
    Speed("tf32 GEMM by wgmma", _step(_product, SQUARE, SQUARE), 4096, 8, 0.7, _cube, FLOPS, True, True),
    Speed(
        "bf16 GEMM by wgmma",
        _step(_product, SQUARE, SQUARE, dtype="bfloat16"),
        4096,
        8,
        0.7,
        _cube,
        FLOPS,
        wgmma=True,
    ),
    Speed("conv forward", _step(_conv, IMAGE, FILTER), 56, 2, 0.3, _convolved, FLOPS),
    Speed("conv backward", _step(_conv, IMAGE, FILTER, grad=True), 56, 2, 0.2, lambda n: 2 * _convolved(n), FLOPS),
    Speed("depthwise", _step(_channel_by_channel, IMAGE, DEPTHWISE), 112, 2, 0.9, lambda n: 8.0 * 2048 * n * n),
    Speed(
        "depthwise backward",
        _step(_channel_by_channel, IMAGE, DEPTHWISE, grad=True),
        112,
        2,
        0.9,
        lambda n: 16.0 * 2048 * n * n,
    ),
    Speed("attention", _step(_attention, *[HEADS] * 3), 1024, 8, 0.2, _attended, FLOPS),
    Speed(
        "attention backward",
        _step(_attention, *[HEADS] * 3, grad=True),
        1024,
        8,
        0.2,
        lambda n: 2.5 * _attended(n),
        FLOPS,
    ),
    Speed("bf16 attention", _step(_attention, *[HEADS] * 3, dtype="bfloat16"), 1024, 8, 0.1, _attended, FLOPS),
    Speed(
        "bf16 attention backward",
        _step(_attention, *[HEADS] * 3, dtype="bfloat16", grad=True),
        1024,
        16,
        0.1,
        lambda n: 2.5 * _attended(n),
        FLOPS,
    ),
    Speed("Adam of 50 tensors", _adam, 10**6, 8, 1.0, lambda n: 50 * 28.0 * n),
]
