"""What `benchmarks/gpu.py` does on a GPU, in order of worth: each item is one short piece of work with its own result.

An item gets a `Bench` and returns a dictionary for the results file, or a list of such rows; what it raises is its
failure. `Bench` holds both frameworks and the sizes: on an emulated GPU (`--dry-run`) tiny ones, so that the same lines
run, and torch on the CPU in the place of torch CUDA.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from benchmarks.gpu_families import FAMILIES
from benchmarks.gpu_hopper import multiplying, smoke_items
from benchmarks.gpu_models import MODELS
from benchmarks.gpu_speed import SPEEDS, Speed

Result = dict[str, Any]


class Item(NamedTuple):
    """One piece of work; `seconds` is how long it may take before the worker is given up."""

    name: str
    run: Callable[[Bench], Any]
    seconds: float = 60


class Bench:
    """Both frameworks on their devices, and how large things are."""

    def __init__(self, ours: Any, theirs: Any, dry: bool):
        self.ours, self.theirs, self.dry = ours, theirs, dry
        self.devices = {ours: "cuda", theirs: "cpu" if dry else "cuda"}

    def size(self, real: int, tiny: int) -> int:
        return tiny if self.dry else real

    def both(self, make: Callable[[Any, str], Any]) -> tuple[Any, Any]:
        """make(T, device) in both frameworks, from the same seed of the CPU's generator."""
        made = []
        for T, device in self.devices.items():
            T.manual_seed(0)
            made.append(make(T, device))
        return made[0], made[1]

    def synchronize(self) -> None:
        self.ours.cuda.synchronize()
        if not self.dry:
            self.theirs.cuda.synchronize()

    def seconds(self, step: Callable[[], Any], budget: float = 0.25) -> float:
        """Seconds of one step: as many as fill the budget, between two waits for the GPU."""
        step()
        self.synchronize()
        start = time.perf_counter()
        step()
        self.synchronize()
        once = time.perf_counter() - start
        count = 1 if self.dry else max(1, min(1000, int(budget / max(once, 1e-6))))
        start = time.perf_counter()
        for _ in range(count):
            step()
        self.synchronize()
        return (time.perf_counter() - start) / count

    def beside(self, steps: dict[str, Callable[[], Any]]) -> dict[str, float]:
        """Median seconds of each step, all taken in turn."""
        found: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(1 if self.dry else 5):
            for name, step in steps.items():
                found[name].append(self.seconds(step))
        return {name: statistics.median(values) for name, values in found.items()}

    @contextmanager
    def convolving(self, tf32: bool) -> Iterator[None]:
        """Within, convolutions of both may, or may not, round their operands to tf32; torch's default: they do."""
        for T in self.devices:
            T.backends.cudnn.allow_tf32 = tf32
        try:
            yield
        finally:
            for T in self.devices:
                T.backends.cudnn.allow_tf32 = True

    def flags(self) -> str:
        """The precision that torch's matrix products and convolutions are allowed; ours are set alike."""
        backends = self.theirs.backends
        return f"matmul tf32 {backends.cuda.matmul.allow_tf32}, cudnn tf32 {backends.cudnn.allow_tf32}"


def array(t: Any) -> np.ndarray:
    return t.detach().cpu().float().numpy()


def difference(ours: Any, theirs: Any) -> float:
    """The largest difference beside the largest value; infinite where one has a nan that the other lacks."""
    a, b = array(ours), array(theirs)
    if a.shape != b.shape or (np.isnan(a) != np.isnan(b)).any():
        return float("inf")
    a, b = np.nan_to_num(a), np.nan_to_num(b)
    return float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-6)) if a.size else 0.0


def held(error: float, allowed: float) -> Result:
    """A result that says whether an error is within what was allowed."""
    return {"error": error, "allowed": allowed, "holds": bool(error <= allowed)}


# ---------------------------------------------------------------------- (a) smoke
def smoke_round_trip(b: Bench) -> Result:
    T = b.ours
    x = T.arange(10.0).cuda()
    assert x.cpu().tolist() == list(range(10)) and T.zeros(5, device="cuda").tolist() == [0.0] * 5
    major, minor = T.cuda.get_device_capability()
    return {"device": T.cuda.get_device_name(), "capability": f"{major}.{minor}", "memory": T.cuda.mem_get_info()[1]}


def smoke_launch(b: Bench) -> Result:
    x = b.ours.arange(1000.0, device="cuda")
    return held(difference(x * 2 + 1, b.theirs.arange(1000.0) * 2 + 1), 0.0)


def _words(kind: str) -> Iterator[Item]:
    """Every function of one or two floats among the words of kernels, against what the emulator says it means."""
    from minitorch._kernels.cuda import device

    for name in device.UNARY if kind == "unary" else device.BINARY:

        def run(b: Bench, name: str = name) -> Result:
            from minitorch._kernels.cuda import array as arrays
            from minitorch._kernels.cuda.device import PLACES, WORDS
            from minitorch._kernels.cuda.kernel import kernel_from
            from tests import simt

            arguments = "x[i]" if kind == "unary" else "x[i], y[i]"
            text = f"def word_{name}(x, y, out):\n    i = threadIdx.x\n    out[i] = {name}({arguments})\n"
            made = kernel_from(text, f"word_{name}", {**WORDS, **PLACES}, "f4* f4* f4*", 32)
            x = np.linspace(0.05, 0.95, 32, dtype=np.float32) + np.float32(name == "arccosh")
            y, expected = x[::-1].copy(), np.zeros(32, np.float32)
            simt.run(made, 1, x, y, expected)
            on_gpu = [arrays.from_host(a) for a in (x, y, np.zeros(32, np.float32))]
            made.launch(1, *on_gpu)
            error = np.abs(on_gpu[2].to_host() - expected) / np.maximum(np.abs(expected), 1e-6)
            return held(float(error.max()), 1e-5)

        yield Item(f"smoke: word {name}", run)


def smoke_meeting(b: Bench) -> Result:
    """Shuffles, votes, barriers and shared memory, against the emulator."""
    from minitorch._kernels.cuda import array as arrays
    from minitorch._kernels.cuda.device import PLACES, WORDS
    from minitorch._kernels.cuda.kernel import kernel_from
    from tests import simt

    text = (
        "def meeting(x, out):\n"
        "    i = threadIdx.x\n"
        "    tile = shared_array(64, f4)\n"
        "    tile[i] = x[i]\n"
        "    syncthreads()\n"
        "    a = shfl_xor(x[i], 5) + 2.0 * shfl_down(x[i], 3) + 4.0 * shfl(x[i], 7) + 8.0 * shfl_up(x[i], 2)\n"
        "    c = f4(popc(ballot(x[i] > 0.3)))\n"
        "    out[i] = a + c + tile[63 - i] + where(any_lane(x[i] > 2.0), 100.0, 0.0)\n"
    )
    made = kernel_from(text, "meeting", {**WORDS, **PLACES}, "f4* f4*", 64)
    x, expected = np.random.default_rng(0).random(64, np.float32), np.zeros(64, np.float32)
    simt.run(made, 1, x, expected)
    on_gpu = [arrays.from_host(x), arrays.from_host(np.zeros(64, np.float32))]
    made.launch(1, *on_gpu)
    return held(float(np.abs(on_gpu[1].to_host() - expected).max()), 1e-5)


def _family(name: str, dtype: str, tf32: bool = False) -> Callable[[Bench], Result]:
    function, shapes = FAMILIES[name]
    allowed = 3e-3 if tf32 else 1e-5 if dtype == "float32" else 3e-2

    def run(b: Bench) -> Result:
        rng = np.random.default_rng(0)
        inputs = [rng.standard_normal(s).astype(np.float32) for s in shapes]

        def compute(T: Any, device: str) -> list[Any]:
            tensors = [T.tensor(a).to(getattr(T, dtype)).to(device).requires_grad_() for a in inputs]
            out = function(T, *tensors)
            slope = np.random.default_rng(1).standard_normal(tuple(out.shape)).astype(np.float32)
            out.backward(T.tensor(slope).to(out.dtype).to(device))
            return [out, *[t.grad for t in tensors]]

        with b.convolving(tf32):
            ours, theirs = b.both(compute)
        return held(max(map(difference, ours, theirs)), allowed)

    return run


# ---------------------------------------------------------------------- (b) parity
def op_table(b: Bench) -> Iterator[Item]:
    """The tests' table of ops, value and gradient, a row an item."""
    from tests.gpu_parity import compare_case, rows

    for name, case in rows(b.dry):
        yield Item(f"parity: op {name}", lambda b, case=case: compare_case(b, case), 120)


def _model(b: Bench, name: str) -> Callable[[Any, str], Any]:
    make, real, tiny = MODELS[name]
    return lambda T, device: make(T, device, tiny if b.dry else real)


def _training(name: str) -> Callable[[Bench], Result]:
    """Losses and gradients of 20 steps of each optimizer against torch's."""

    def run(b: Bench) -> Result:
        worst = 0.0
        for optimizer in ("SGD", "AdamW"):

            def train(T: Any, device: str, optimizer: str = optimizer) -> Any:
                parameters, loss_of = _model(b, name)(T, device)
                update = getattr(T.optim, optimizer)(parameters, lr=1e-2)
                losses = []
                for _ in range(b.size(20, 1)):
                    update.zero_grad()
                    loss = loss_of()
                    loss.backward()
                    update.step()
                    losses.append(loss.item())
                return losses, [p.grad for p in parameters]

            with b.convolving(False):
                (losses, grads), (their_losses, their_grads) = b.both(train)
            errors = [abs(x - y) / max(abs(y), 1e-3) for x, y in zip(losses, their_losses, strict=True)]
            worst = max([worst, *errors, *map(difference, grads[:1], their_grads[:1])])
        return held(worst, 5e-3 if not b.dry else 1e-3)

    return run


# ---------------------------------------------------------------------- (c) speed
def _set_tf32(T: Any, allowed: bool) -> None:
    T.backends.cuda.matmul.allow_tf32 = allowed


def _speed(s: Speed) -> Callable[[Bench], Result]:
    def run(b: Bench) -> Result:
        n = b.size(s.real, s.tiny)
        for T in b.devices:
            _set_tf32(T, s.tf32)
        try:
            ours, theirs = b.both(lambda T, device: s.make(T, device, n))
            with multiplying(s.wgmma):
                seconds = b.beside({"ours": ours, "torch": theirs})
            flags = b.flags()
        finally:
            for T in b.devices:
                _set_tf32(T, False)
        if b.dry:  # an emulator's seconds say nothing
            return {"ran": True, "flags": flags}
        scale = 1e9 if s.unit == "GB/s" else 1e12
        rates = {f"{side} {s.unit}": s.work(n) / t / scale for side, t in seconds.items()}
        speed = seconds["torch"] / seconds["ours"]
        return {**seconds, **rates, "speed": speed, "aim": s.aim, "holds": speed >= s.aim, "flags": flags}

    return run


def _eager(T: Any, parameters: Any, loss_of: Any) -> Callable[[], Any]:
    update = T.optim.SGD(parameters, lr=1e-3)

    def step() -> Any:
        update.zero_grad()
        loss = loss_of()
        loss.backward()
        update.step()
        return loss

    return step


def _captured(T: Any, step: Callable[[], Any]) -> Callable[[], Any]:
    """The step as a replayed graph."""
    side = T.cuda.Stream()
    side.wait_stream(T.cuda.current_stream())
    with T.cuda.stream(side):
        for _ in range(3):
            step()
    T.cuda.current_stream().wait_stream(side)
    graph = T.cuda.CUDAGraph()
    with T.cuda.graph(graph):
        step()
    return graph.replay


def _step_speed(name: str) -> Callable[[Bench], Result]:
    """A launch-bound step: eager, as a graph, and beside both torch's, compiled too."""

    def run(b: Bench) -> Result:
        (ours, theirs) = b.both(lambda T, device: _eager(T, *_model(b, name)(T, device)))
        steps = {"ours": ours, "torch": theirs, "ours graph": _captured(b.ours, ours)}
        notes = {}
        if not b.dry:
            steps["torch graph"] = _captured(b.theirs, theirs)
            try:
                parameters, loss_of = _model(b, name)(b.theirs, "cuda")
                compiled = _eager(b.theirs, parameters, b.theirs.compile(loss_of, mode="reduce-overhead"))
                compiled()
                steps["torch.compile"] = compiled
            except Exception as error:
                notes["torch.compile failed"] = str(error).splitlines()[0]
        seconds = b.beside(steps)
        if b.dry:
            return {"ran": True, "flags": b.flags()}
        against_eager = seconds["torch"] / seconds["ours graph"]
        result = {**seconds, **notes, "eager speed": seconds["torch"] / seconds["ours"], "speed": against_eager}
        if "torch graph" in seconds:
            result["against torch's graph"] = seconds["torch graph"] / seconds["ours graph"]
        return {**result, "aim": 2.0, "holds": against_eager >= 2.0, "flags": b.flags()}

    return run


def launch_cost(b: Bench) -> Result:
    """Microseconds of the processor for one launch, beside the driver's own call."""
    x = b.ours.ones(16, device="cuda")
    count = b.size(2000, 3)
    start = time.perf_counter()
    for _ in range(count):
        x + x
    ours = (time.perf_counter() - start) / count
    b.synchronize()
    return {"microseconds of x + x": ours * 1e6}


# ---------------------------------------------------------------------- (d) bounds
def _bounded(name: str) -> Callable[[Bench], Result]:
    """A family of kernels with every array between guard zones, and new memory full of nan."""

    def run(b: Bench) -> Result:
        from benchmarks.gpu_guard import guarded

        with guarded(b.ours) as guard:
            result = _family(name, "float32")(b)
            return {**result, "allocations looked at": guard.check()}

    return run


# ---------------------------------------------------------------------- all of it
def items(b: Bench) -> list[Item]:
    """Everything, in order."""
    found = [
        Item("smoke: to the GPU and back", smoke_round_trip),
        Item("smoke: a launch", smoke_launch),
        Item("smoke: threads that meet", smoke_meeting),
        *[Item(f"smoke: {name}", _family(name, "float32"), 120) for name in FAMILIES],
        *[Item(f"smoke: {name}", work) for name, work in smoke_items()],
        *_words("unary"),
        *_words("binary"),
        Item("parity: conv2d in tf32", _family("conv2d", "float32", tf32=True)),
        *[Item(f"parity: 20 steps of {name}", _training(name), 300) for name in MODELS],
        *[Item(f"speed: {s.name}", _speed(s), 240) for s in SPEEDS],
        *[Item(f"speed: step of {name}", _step_speed(name), 300) for name in ("linear fit", "mlp", "mnist cnn")],
        Item("speed: cost of a launch", launch_cost),
        *[Item(f"parity: {name} in bfloat16", _family(name, "bfloat16"), 120) for name in FAMILIES],
        *[Item(f"bounds: {name}", _bounded(name), 120) for name in FAMILIES],
        *op_table(b),
    ]
    assert len({i.name for i in found}) == len(found)
    return found
