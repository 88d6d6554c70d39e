"""Compile kernels before they are needed: `python -m minitorch.warm`.

    python -m minitorch.warm            the everyday layers, losses and optimizers in float32
    python -m minitorch.warm --all      besides, every pointwise operation with its gradient, in float64 too
    python -m minitorch.warm --info     what the cache holds
    python -m minitorch.warm --clear    delete it

Every kernel is compiled when it is first used, for the dtypes and numbers of dimensions it meets, and kept on disk
(where: see `--info`). So a script warms the cache for its own next run; this does so beforehand, on all processors.
"""

import argparse
import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import minitorch as torch
from minitorch import nn
from minitorch._kernels import cache, cache_size
from minitorch._ops.op import OPS

F = nn.functional
Row = Callable[[], Any]


def both_ways(module: Callable[..., Any], *inputs: Any) -> None:
    """Forward, backward, and forward as in evaluation."""
    out = module(*inputs)
    out = out[0] if isinstance(out, tuple) else out
    out.sum().backward()
    if isinstance(module, nn.Module):
        with torch.no_grad():
            module.eval()(*inputs)


def data(*shape: int) -> torch.Tensor:
    return torch.rand(shape, requires_grad=True)


def layer(make: Callable[[], nn.Module], *shapes: tuple[int, ...]) -> Row:
    """A new layer on random data of each of the shapes."""

    def row() -> None:
        for shape in shapes:
            both_ways(make(), data(*shape))

    return row


def function(call: Callable[[Any], Any], *shapes: tuple[int, ...]) -> Row:
    def row() -> None:
        for shape in shapes:
            both_ways(call, data(*shape))

    return row


def loss(call: Callable[..., Any], target: Callable[[], Any], *shape: int) -> Row:
    return lambda: call(data(*shape), target()).backward()


def optimizer(name: str, **options: Any) -> Row:
    """Three steps (the first makes the states) on parameters of the dimensions that layers have."""

    def row() -> None:
        params = [nn.Parameter(torch.rand(*shape)) for shape in ((4,), (4, 4), (4, 3, 2), (4, 3, 2, 2))]
        update = getattr(torch.optim, name)(params, lr=1e-3, **options)
        for _ in range(3):
            update.zero_grad()
            sum(((p * p).sum() for p in params), torch.zeros(())).backward()
            update.step()

    return row


def arithmetic() -> None:
    for shape in ((), (5,), (5, 4)):
        x, y = data(*shape), data(*shape)
        ((x * y + x - y / (y + 2)) ** 2).mean().backward()
    w, b, x = data(), data(), data(5)
    loss = ((w * x + b - 1) ** 2).mean()
    loss.backward()
    loss.sum()
    slope = w.grad
    assert slope is not None
    with torch.no_grad():
        w -= 0.1 * slope
        slope.zero_()
    x, y = data(5, 4), data(4)
    (x * y + y - x / (y + 1)).abs().sqrt().exp().log().sum().backward()
    (x.sum(0) + x.mean(0) + x.max(0)[0]).sum().backward()
    (x.sum(1) + x.mean(1) + x.max(1)[0] + x.var(1)).sum().backward()
    x.detach().argmax(1)
    (x > 0.5).sum().item()


def indexing() -> None:
    x = data(6, 4)
    places = torch.tensor([0, 2, 1])
    (x[places].sum() + x[1:3].sum() + x[x > 0.5].sum() + x.gather(0, places.view(1, 3)).sum()).backward()
    torch.cat([x, x]).sum().backward()
    x.t().contiguous().sum().backward()


def random_numbers() -> None:
    torch.manual_seed(0)
    torch.rand(1 << 20), torch.randn(1 << 20), torch.randperm(100), torch.randint(10, (10,))
    F.dropout(torch.ones(1 << 20))


def shared_by_threads() -> None:
    """What has kernels of its own for arrays so large that threads share them."""
    planes = nn.Conv2d(3, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(inplace=True), nn.MaxPool2d(2)
    net = nn.Sequential(*planes, nn.Flatten(), nn.Linear(4096, 64))
    for name in ("SGD", "Adam"):
        update = getattr(torch.optim, name)(net.parameters(), lr=1e-3)
        F.cross_entropy(net(data(16, 3, 32, 32)), torch.arange(16)).backward()
        update.step()
    x = data(2048, 100)
    (F.layer_norm(x, (100,)) + F.softmax(x, -1) + F.log_softmax(x, -1)).relu().mean(1).sum().backward()
    F.cross_entropy(x, torch.arange(2048) % 100).backward()
    nn.Linear(4096, 1024)(data(1, 4096)).sum().backward()
    torch.ones(1 << 20).sum()


def in_place(name: str, x: Any) -> Any:
    return getattr(F, name)(x * 1, inplace=True)


def labels(count: int) -> Callable[[], Any]:
    return lambda: torch.arange(count) % 2


VECTORS, IMAGES = (8, 16), (2, 16, 8, 8)
ACTIVATIONS = "relu gelu silu sigmoid tanh leaky_relu elu softplus hardswish relu6 logsigmoid".split()
IN_PLACE = "relu leaky_relu silu hardswish relu6".split()
EVERYDAY: dict[str, Row] = {
    "Conv2d": layer(lambda: nn.Sequential(nn.Conv2d(3, 16, 5, padding=2), nn.Conv2d(16, 16, 3)), (2, 3, 12, 12)),
    "Conv2d of many channels": layer(lambda: nn.Conv2d(64, 64, 3, padding=1), (4, 64, 24, 24)),
    "Conv2d to few channels": layer(lambda: nn.Conv2d(3, 6, 5), (2, 3, 16, 16)),
    "Conv2d with stride": layer(lambda: nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.Conv2d(8, 8, 1, 2)), (2, 3, 12, 12)),
    "ConvTranspose2d": layer(lambda: nn.ConvTranspose2d(16, 8, 4, 2, 1), IMAGES),
    "Conv1d": layer(lambda: nn.Conv1d(16, 8, 3, padding=1), (2, 16, 12)),
    "LSTM": layer(lambda: nn.LSTM(16, 8, batch_first=True), (4, 6, 16)),
    "GRU": layer(lambda: nn.GRU(16, 8, batch_first=True), (4, 6, 16)),
    "TransformerEncoderLayer": layer(lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), (4, 6, 16)),
    "Linear": layer(lambda: nn.Linear(16, 8), VECTORS, (4, 6, 16)),
    "MaxPool2d": layer(lambda: nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1)), IMAGES),
    "AvgPool2d": layer(lambda: nn.Sequential(nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)), IMAGES),
    "BatchNorm": layer(lambda: nn.BatchNorm2d(16), IMAGES),
    "BatchNorm of vectors": layer(lambda: nn.BatchNorm1d(16), VECTORS),
    "LayerNorm": layer(lambda: nn.LayerNorm(16), VECTORS, (4, 6, 16)),
    "GroupNorm": layer(lambda: nn.GroupNorm(4, 16), IMAGES),
    "Dropout": layer(lambda: nn.Dropout(0.5), VECTORS, (4, 6, 16), IMAGES),
    "Embedding": lambda: both_ways(nn.Embedding(10, 16), torch.arange(8)),
    "softmax": function(lambda x: F.softmax(x, -1) + F.log_softmax(x, -1), VECTORS, (4, 6, 16)),
    "attention": function(lambda x: F.scaled_dot_product_attention(x, x, x), (2, 2, 6, 16)),
    **{name: function(getattr(F, name), VECTORS, IMAGES) for name in ACTIVATIONS},
    **{f"{name} in place": function(partial(in_place, name), VECTORS, IMAGES) for name in IN_PLACE},
    "cross_entropy": loss(F.cross_entropy, labels(8), *VECTORS),
    "nll_loss": loss(F.nll_loss, labels(8), *VECTORS),
    "mse_loss": loss(F.mse_loss, lambda: torch.rand(8, 16), *VECTORS),
    "l1_loss": loss(F.l1_loss, lambda: torch.rand(8, 16), *VECTORS),
    "smooth_l1_loss": loss(F.smooth_l1_loss, lambda: torch.rand(8, 16), *VECTORS),
    "binary_cross_entropy": loss(F.binary_cross_entropy, lambda: torch.rand(8, 16), *VECTORS),
    "binary_cross_entropy_with_logits": loss(F.binary_cross_entropy_with_logits, lambda: torch.rand(8, 16), *VECTORS),
    "SGD": optimizer("SGD"),
    "SGD with momentum": optimizer("SGD", momentum=0.9, weight_decay=1e-2),
    "Adam": optimizer("Adam"),
    "AdamW": optimizer("AdamW"),
    "RMSprop": optimizer("RMSprop"),
    "arithmetic": arithmetic,
    "indexing": indexing,
    "random numbers": random_numbers,
    "arrays shared by threads": shared_by_threads,
}


def pointwise(name: str) -> None:
    """The operation and its gradients, of one to four dimensions and broadcast; not of floats, if it refuses them."""
    op = OPS[name]
    numbers = {name: op.defaults.get(name, 0.5) for name in op.others}
    named = {name: numbers.pop(name) for name in op.keyword_only}
    for dtype in (torch.float32, torch.float64):
        for shape, broadcast in (((8,), 8), ((4, 2), 2), ((2, 2, 2), 2), ((2, 2, 2, 2), 2), ((4, 1), 8)):
            shapes = [shape, *[(*shape[:-1], broadcast)] * (len(op.tensors) - 1)]
            operands: list[Any] = [torch.rand(s, dtype=dtype) for s in shapes]
            with contextlib.suppress(NotImplementedError):  # of operations on integers
                out = op.function(*(x.requires_grad_() for x in operands), *numbers.values(), **named)
                if out.requires_grad:
                    out.sum().backward()


ALL = {name: partial(pointwise, name) for name, op in OPS.items() if op.kind == "pointwise"}


def run(name: str) -> str:
    """One row, in a process of its own pool; what it says is for nobody."""
    with warnings.catch_warnings(), open(os.devnull, "w") as nobody, contextlib.redirect_stderr(nobody):
        warnings.simplefilter("ignore")
        (EVERYDAY | ALL)[name]()
    return name


def shown(names: Iterable[str], count: int) -> Iterator[str]:
    """The names as they come, with a bar of tqdm's or a plain line; only on a terminal."""
    if not sys.stderr.isatty():
        yield from names
        return
    try:
        from tqdm import tqdm
    except ImportError:
        for done, name in enumerate(names, 1):
            sys.stderr.write(f"\r{done} of {count}: {name:40}")
            yield name
        sys.stderr.write("\n")
    else:
        yield from tqdm(names, "compiling", count)


def compile_all(rows: Iterable[str], processes: int | None = None) -> None:
    """Run the rows in as many processes as there are processors. A row that fails is an error, named."""
    names = list(rows)
    context = get_context("spawn")
    with ProcessPoolExecutor(processes or os.cpu_count(), mp_context=context) as pool:
        waiting = {pool.submit(run, name): name for name in names}
        for _ in shown((future.result() for future in as_completed(waiting)), len(names)):
            pass


def kernels(folder: Path) -> dict[Path, cache_size.File]:
    return {file.path: file for file in cache_size.files(folder) if file.path.suffix == ".kernel"}


def info(folder: Path) -> str:
    found = list(kernels(folder).values())
    total = sum(file.size for file in cache_size.files(folder))
    lines = [f"{folder}: {len(found)} kernels, {size(total)} of at most {size(cache_size.MOST)}"]
    for versions in cache_size.folders(folder):
        here = [file for file in found if file.path.parent == versions]
        last = time.strftime("%Y-%m-%d", time.localtime(max((file.used for file in here), default=0)))
        lines.append(f"  {versions.name}: {len(here)} kernels, last used {last if here else 'never'}")
    return "\n".join(lines)


def size(count: float) -> str:
    return f"{count / (1 << 20):.1f} MiB"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m minitorch.warm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="every pointwise operation too")
    what.add_argument("--info", action="store_true", help="what the cache holds")
    what.add_argument("--clear", action="store_true", help="delete every kernel")
    given = parser.parse_args(arguments)
    folder = cache.cache_dir()
    if folder is None:  # the warning has said why
        return 1
    before = kernels(folder)
    if given.clear:
        cache_size.clear(folder)
        print(f"{len(before)} kernels deleted from {folder}")
    elif given.info:
        print(info(folder))
    else:
        began = time.perf_counter()
        compile_all(EVERYDAY | ALL if given.all else EVERYDAY)
        made = [file for path, file in kernels(folder).items() if path not in before]
        seconds = time.perf_counter() - began
        total = size(sum(file.size for file in made))
        print(f"{len(made)} kernels compiled in {seconds:.0f} s, {total}, kept in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
