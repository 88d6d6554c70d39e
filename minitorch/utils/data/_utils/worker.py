"""What runs in a DataLoader's worker process."""

import contextlib
import os
import random
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch._generator import default_generator
from minitorch._kernels.cpu import threads
from minitorch._tensor import Tensor, wrap
from minitorch.utils.data._utils import MP_STATUS_CHECK_INTERVAL

__all__ = ["WorkerInfo", "get_worker_info"]


@dataclass(frozen=True)
class WorkerInfo:
    """What `get_worker_info` tells a worker: which one it is, how many there are, and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: None = None
    worker_method: str = "multiprocessing"


_worker_info: WorkerInfo | None = None
_arena: Any = None  # the memory that this worker sends from


def get_worker_info() -> WorkerInfo | None:
    """Same as torch.utils.data.get_worker_info: which worker this process is; None in the main process.

    >>> get_worker_info() is None
    True
    """
    return _worker_info


def new_batch(n: int, item: Tensor) -> Tensor:
    """An uninitialised tensor for `n` tensors like `item`, in shared memory."""
    from minitorch._sharing import array_in, create

    like = np.broadcast_to(np.empty((), item.array.dtype), (n, *item.shape))
    return wrap(array_in(create(like.nbytes) if _arena is None else _arena.take(like.nbytes), like))


class Resume:
    """Asks a worker to begin another epoch, and is its answer."""


class End:
    """A worker's answer when its copy of an iterable dataset has ended."""


class _KeyErrorMessage(str):
    """A KeyError prints the repr of its message, which would hide the lines of a traceback."""

    def __repr__(self) -> str:
        return str(self)


class ExceptionWrapper:
    """An exception with its traceback as text, to be raised again in another process."""

    def __init__(self, where: str):
        kind, error, trace = sys.exc_info()
        self.exc_type: Any = kind
        self.where = where
        self.exc_msg = "".join(traceback.format_exception(kind, error, trace))

    def reraise(self) -> None:
        """Raise an exception of the same class, or a RuntimeError if it cannot be made from a message."""
        text = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            text = _KeyErrorMessage(text)
        try:
            error = self.exc_type(message=text) if getattr(self.exc_type, "message", None) else self.exc_type(text)
        except Exception:
            raise RuntimeError(text) from None
        raise error


def seed_all(base_seed: int, worker_id: int) -> int:
    """Seed Python's, NumPy's and our own random numbers as torch seeds them in a worker; the seed."""
    seed = base_seed + worker_id
    random.seed(seed)
    default_generator.manual_seed(seed)
    words = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))
    return seed


@contextlib.contextmanager
def ended_by_interrupt(channel: Any) -> Iterator[None]:
    """Take Ctrl-C, which goes to all processes, as the main process does: it may go on and need its workers.

    If it ends the channel instead, it repeats the signal, and a worker that has had the first stops in mid-item.
    One that has seen the end of its channel is on its way out already, which the signal must not disturb.
    """
    interrupted = False

    def note(signal_number: int, frame: Any) -> None:
        nonlocal interrupted
        if interrupted and channel.ended():
            raise SystemExit
        interrupted = True

    signal.signal(signal.SIGINT, note)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked while the process was started
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def work(channel: Any, make_fetcher: Any, info: dict[str, Any], base_seed: int, init_fn: Any, iterable: bool) -> None:
    """Answer every `(number, index)` with `(number, batch)`, until the main process closes the channel."""
    with ended_by_interrupt(channel):
        _work(channel, make_fetcher, info, base_seed, init_fn, iterable)


def _work(channel: Any, make_fetcher: Any, info: dict[str, Any], base_seed: int, init_fn: Any, iterable: bool) -> None:
    global _worker_info, _arena
    _arena = channel.arena
    where = f"in DataLoader worker process {info['id']}"
    parent = os.getppid()
    fetcher = failure = None
    try:
        threads.set_count(1)  # as in torch: the workers themselves are what runs at once
        seed = seed_all(base_seed, info["id"])
        _worker_info = WorkerInfo(**info, seed=seed)
        if init_fn is not None:
            init_fn(info["id"])
        fetcher = make_fetcher()
    except Exception:
        failure = ExceptionWrapper(where)
    while True:
        try:
            if not channel.poll(MP_STATUS_CHECK_INTERVAL):
                if os.getppid() != parent:
                    return
                continue
            request = channel.receive()
        except (EOFError, OSError):
            return
        if isinstance(request, Resume):
            answer: Any = request
            try:
                if fetcher is not None:  # else it has not even started
                    fetcher, failure = make_fetcher(), None
            except Exception:
                failure = ExceptionWrapper(where)
        else:
            number, index = request
            try:
                answer = number, failure or fetcher.fetch(index)  # type: ignore[union-attr]
            except Exception as error:
                ended = iterable and isinstance(error, StopIteration)
                answer = number, End() if ended else ExceptionWrapper(where)
        if not _answered(channel, answer, where, parent):
            return
        del answer, request


def _answered(channel: Any, answer: Any, where: str, parent: int) -> bool:
    """Send an answer, or what went wrong with sending it; False if nobody is there to receive it."""
    try:
        message = channel.packed(answer)
    except Exception:
        message = channel.packed((answer[0], _portable(answer[1], where)))
    try:
        while not channel.send(message, MP_STATUS_CHECK_INTERVAL):
            if os.getppid() != parent:
                return False
    except OSError:
        return False
    return True


def _portable(data: Any, where: str) -> ExceptionWrapper:
    """What is sent in place of something that cannot be pickled; called while its error is handled."""
    if not isinstance(data, ExceptionWrapper):
        data = ExceptionWrapper(where)
    data.exc_type = RuntimeError
    return data
