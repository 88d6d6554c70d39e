"""Same as torch.cuda.graphs: work on a GPU recorded once and repeated as a whole, without Python in between.

What runs while a graph is captured is not done but kept: kernels with the addresses of their arguments. Arrays made
meanwhile come from a pool of the graph's own, so their memory stays what the kernels know, and a replay reads and
writes the same tensors. What must happen at every replay anew (reading a value, random numbers of the CPU) cannot be
captured.
"""

import gc
from itertools import count
from typing import Any

from ._devices import available, runtime
from .streams import Stream, StreamContext

__all__ = ["CUDAGraph", "graph", "graph_pool_handle", "is_current_stream_capturing", "make_graphed_callables"]

_numbers = count(1)
_MODES = {"global": 0, "thread_local": 1, "relaxed": 2}


def graph_pool_handle() -> tuple[int, int]:
    """A name for a pool of memory that several graphs may share, if they are never replayed at the same time."""
    return 0, next(_numbers)


def is_current_stream_capturing() -> bool:
    """Whether what is computed now is kept for a graph."""
    module = runtime()
    found = module.gpu()
    return found.driver.is_capturing(module.current_stream(found.index))


class CUDAGraph:
    """A captured piece of work. Usually made by the context `torch.cuda.graph`."""

    def __new__(cls, keep_graph: bool = False) -> Any:
        if not available():
            raise RuntimeError("Tried to instantiate dummy base class CUDAGraph")
        return object.__new__(cls)

    def __init__(self, keep_graph: bool = False):
        self._gpu: Any = None
        self._graph = self._executable = 0
        self._pool: Any = None
        self._keep_graph = keep_graph
        self._draws: list[Any] = []
        self._hosts: list[Any] = []  # what the graph's copies from the host read

    def capture_begin(self, pool: Any = None, capture_error_mode: str = "global") -> None:
        """From now on keep what the current stream is given, until `capture_end`."""
        from minitorch._generator import default_generator_of
        from minitorch._kernels.cuda.philox import Capture

        if self._executable or self._graph:
            raise RuntimeError("This CUDAGraph instance already owns a captured graph. Call reset() first.")
        module = runtime()
        self._gpu = gpu = module.gpu()
        self._stream = stream = module.current_stream(gpu.index)
        if stream == 0:
            raise RuntimeError(
                "CUDA graphs must be captured on a non-default stream. (However, after capture, it's ok to replay them "
                "on the default stream.)"
            )
        if capture_error_mode not in _MODES:
            raise RuntimeError(
                f"Unknown capture error mode. Expected `global`, `thread_local`, or `relaxed`, got {capture_error_mode}"
            )
        self._pool = graph_pool_handle() if pool is None else pool
        gpu.allocator.users[self._pool] = gpu.allocator.users.get(self._pool, 0) + 1
        state = default_generator_of(gpu.index).stream
        self._draws = [Capture(state)]
        state.capture = self._draws[0]
        gpu.allocator.routes[stream] = self._pool
        try:
            gpu.driver.begin_capture(stream, _MODES[capture_error_mode])
        except BaseException:
            self._finish()
            raise

    def _finish(self) -> None:
        self._gpu.allocator.routes.clear()
        self._hosts, self._gpu.captured = self._gpu.captured, []
        for draw in self._draws:
            draw.state.capture = None

    def capture_end(self) -> None:
        """Make what was kept ready to be replayed."""
        driver = self._gpu.driver
        try:
            self._graph = driver.end_capture(self._stream)
        finally:
            self._finish()
        if not self._keep_graph:
            self.instantiate()

    def instantiate(self) -> None:
        """Make the captured graph ready; only after `CUDAGraph(keep_graph=True)` is this left to the caller."""
        driver = self._gpu.driver
        self._executable = driver.instantiate(self._graph)
        self._empty = driver.node_count(self._graph) == 0
        if not self._keep_graph:
            driver.destroy_graph(self._graph)
            self._graph = 0

    def replay(self) -> None:
        """Do all that was captured, in the current stream."""
        if not self._executable:
            if not self._graph:
                raise RuntimeError("Called CUDAGraph::replay without a preceding successful capture.")
            self.instantiate()
        module = runtime()
        gpu = module.gpu(self._gpu.index)
        for draw in self._draws:
            if draw.drawn:
                draw.before_replay()
        if not self._empty:
            gpu.driver.launch_graph(self._executable, module.current_stream(gpu.index))

    def reset(self) -> None:
        """Forget what was captured, and give its memory back."""
        if self._gpu is None:
            return
        driver, allocator = self._gpu.driver, self._gpu.allocator
        if self._executable:
            driver.destroy_executable(self._executable)
        if self._graph:
            driver.destroy_graph(self._graph)
        self._executable = self._graph = 0
        self._draws, self._hosts = [], []
        if self._pool is not None:
            allocator.users[self._pool] -= 1
            if not allocator.users[self._pool]:
                del allocator.users[self._pool]
                allocator.empty_cache()
            self._pool = None

    def pool(self) -> Any:
        """The name of the pool that the graph's memory is from, for other graphs to share."""
        return self._pool

    def debug_dump(self, debug_path: str) -> None:
        """Write the graph, captured with `keep_graph=True`, as a .dot file."""
        if not self._graph:
            raise RuntimeError("CUDAGraph.debug_dump() needs CUDAGraph(keep_graph=True)")
        self._gpu.driver.print_graph(self._graph, debug_path)

    def __del__(self) -> None:
        if getattr(self, "_gpu", None) is not None:
            self.reset()


class graph:
    """A context in which all work on the GPU is captured into a CUDAGraph.

    pool: what `graph_pool_handle()` or another graph's `pool()` gave, to share memory; stream: where to capture.
    """

    default_capture_stream: "Stream | None" = None

    def __init__(
        self, cuda_graph: CUDAGraph, pool: Any = None, stream: Stream | None = None, capture_error_mode: str = "global"
    ):
        self.cuda_graph, self.pool, self.capture_error_mode = cuda_graph, pool, capture_error_mode
        self.capture_stream = Stream() if stream is None else stream
        self.stream_ctx = StreamContext(self.capture_stream)

    def __enter__(self) -> None:
        runtime().synchronize()
        gc.collect()
        for opened in runtime().opened():
            opened.allocator.empty_cache()
        self.stream_ctx.__enter__()
        try:
            self.cuda_graph.capture_begin(self.pool, self.capture_error_mode)
        except BaseException:
            self.stream_ctx.__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            self.cuda_graph.capture_end()
        except Exception:
            if error[0] is None:  # else what went wrong inside says more
                raise
        finally:
            self.stream_ctx.__exit__()


def make_graphed_callables(
    callables: Any,
    sample_args: Any,
    num_warmup_iters: int = 3,
    allow_unused_input: bool = False,
    pool: Any = None,
) -> Any:
    """Functions or modules whose forward and backward passes are each a replayed graph.

    `sample_args` are tensors like those that they will be called with: shapes, dtypes and `requires_grad` stay so. As
    in torch, with a tuple of callables there is a tuple of arguments for each, in the order in which they will run.
    """
    from ._graphed import graphed

    several = isinstance(callables, tuple)
    functions = callables if several else (callables,)
    arguments = sample_args if several else (sample_args,)
    pool = graph_pool_handle() if pool is None else pool
    made = graphed(functions, arguments, num_warmup_iters, allow_unused_input, pool)
    return tuple(made) if several else made[0]
