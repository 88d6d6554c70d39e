"""DataLoader: batches of a dataset, in this process or from worker processes."""

import functools
import itertools
import math
import multiprocessing
import os
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.context import BaseContext
from typing import Any, Generic, TypeVar, cast

from minitorch._generator import Generator
from minitorch.utils.data._utils import collate, fetch, worker
from minitorch.utils.data._utils.pin_memory import pin_memory
from minitorch.utils.data.dataset import Dataset, IterableDataset
from minitorch.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, drawn_seed

__all__ = ["DataLoader", "default_collate", "get_worker_info"]

default_collate = collate.default_collate
get_worker_info = worker.get_worker_info
T_co = TypeVar("T_co", covariant=True)


class _DatasetKind:
    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(kind: int, dataset: Any, auto_collation: bool, collate_fn: Any, drop_last: bool) -> Any:
        """What takes items from the dataset and joins them."""
        fetcher = fetch._MapDatasetFetcher if kind == _DatasetKind.Map else fetch._IterableDatasetFetcher
        return fetcher(dataset, auto_collation, collate_fn, drop_last)


class _InfiniteConstantSampler(Sampler[None]):
    """None forever: the indices for a dataset that is only iterated over."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class DataLoader(Generic[T_co]):
    """Same as torch.utils.data.DataLoader: an iterable over a dataset's batches.

    With `num_workers`, processes load the batches ahead and send their tensors through shared memory; the order is the
    same. From the same seed it is torch's order, and random numbers drawn in workers are torch's too.

    >>> import minitorch as torch
    >>> from minitorch.utils.data import DataLoader, TensorDataset
    >>> dataset = TensorDataset(torch.arange(5), torch.ones(5, 2))
    >>> [x.tolist() for x, y in DataLoader(dataset, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    >>> _ = torch.manual_seed(0)
    >>> [x.tolist() for x, y in DataLoader(dataset, batch_size=2, shuffle=True, drop_last=True)]
    [[1, 4], [2, 3]]
    """

    dataset: Any
    batch_size: int | None
    num_workers: int
    pin_memory: bool
    drop_last: bool
    timeout: float
    sampler: Any
    batch_sampler: Any
    prefetch_factor: int | None
    collate_fn: Callable[[Any], Any]
    _iterator: "_BaseDataLoaderIter | None" = None
    _initialized = False

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ):
        _check_worker_options(num_workers, timeout, prefetch_factor, persistent_workers)
        iterable = isinstance(dataset, IterableDataset)
        if iterable:
            _refuse_order(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            if iterable:
                sampler = _InfiniteConstantSampler()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)  # type: ignore[arg-type]
            else:
                sampler = SequentialSampler(dataset)  # type: ignore[arg-type]
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(cast(Any, sampler), batch_size, drop_last)
        self.dataset, self.sampler, self.batch_sampler = dataset, sampler, batch_sampler
        self.batch_size, self.drop_last, self.generator = batch_size, drop_last, generator
        if collate_fn is None:
            collate_fn = collate.default_collate if self._auto_collation else collate.default_convert
        self.collate_fn = collate_fn
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.persistent_workers, self.in_order = persistent_workers, in_order
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self._dataset_kind = _DatasetKind.Iterable if iterable else _DatasetKind.Map
        self._IterableDataset_len_called: int | None = None
        self._initialized = True
        self.check_worker_number_rationality()

    @property
    def multiprocessing_context(self) -> Any:
        """How workers are started: None, or a context of multiprocessing; may be set by the name of a start method."""
        return self._multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, multiprocessing_context: Any) -> None:
        context = multiprocessing_context
        if context is not None:
            if self.num_workers <= 0:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
                    f"but got num_workers={self.num_workers}"
                )
            methods = multiprocessing.get_all_start_methods()
            if isinstance(context, str):
                if context not in methods:
                    raise ValueError(
                        f"multiprocessing_context option should specify a valid start method in {methods!r}, "
                        f"but got multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object or a string specifying the "
                    f"start method, but got multiprocessing_context={context}"
                )
        self._multiprocessing_context = context

    def __setattr__(self, attr: str, val: Any) -> None:
        fixed = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
        if self._initialized and attr in fixed:
            raise ValueError(f"{attr} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(attr, val)

    def __iter__(self) -> "_BaseDataLoaderIter":
        if not self.persistent_workers:
            return self._get_iterator()
        if self._iterator is None:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    def _get_iterator(self) -> "_BaseDataLoaderIter":
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        self.check_worker_number_rationality()
        return _MultiProcessingDataLoaderIter(self)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self) -> int:
        if self._dataset_kind != _DatasetKind.Iterable:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Warn if there are to be more workers than processors."""
        if not self.num_workers:
            return
        counted = hasattr(os, "sched_getaffinity")
        most = len(os.sched_getaffinity(0)) if counted else os.cpu_count()
        if most is None:
            suggestion = "DataLoader is not able to compute a suggested max number of worker in current system."
        elif self.num_workers <= most:
            return
        else:
            note = "" if counted else " (`cpuset` is not taken into account)"
            suggestion = (
                f"Our suggested max number of worker in current system is {most}{note}, "
                "which is smaller than what this DataLoader is going to create."
            )
        warnings.warn(
            f"This DataLoader will create {self.num_workers} worker processes in total. {suggestion} Please be aware "
            "that excessive worker creation might get DataLoader running slow or even freeze, lower the worker "
            "number to avoid potential slowness/freeze if necessary.",
            stacklevel=2,
        )


def _check_worker_options(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool
) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
            "multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _refuse_order(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    """Raise if an iterable dataset is given an order: it has its own."""
    unspecified = "DataLoader with IterableDataset: expected unspecified"
    if shuffle not in (None, False):
        raise ValueError(f"{unspecified} shuffle option, but got shuffle={shuffle}")
    if sampler is not None:
        raise ValueError(f"{unspecified} sampler option, but got sampler={sampler}")
    if batch_sampler is not None:
        raise ValueError(f"{unspecified} batch_sampler option, but got batch_sampler={batch_sampler}")


class _BaseDataLoaderIter:
    def __init__(self, loader: DataLoader[Any]):
        self._dataset, self._dataset_kind = loader.dataset, loader._dataset_kind
        self._num_workers, self._timeout = loader.num_workers, loader.timeout
        self._index_sampler = loader._index_sampler
        if loader.pin_memory and loader.pin_memory_device:
            warnings.warn(
                "pin_memory_device is deprecated, the current accelerator will be used as the device,"
                f"ignore pin_memory_device='{loader.pin_memory_device}'.",
                stacklevel=4,
            )
        from minitorch.cuda import is_available

        self._pin_memory = loader.pin_memory and is_available()
        if loader.pin_memory and not self._pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, "
                "then device pinned memory won't be used.",
                stacklevel=4,
            )
        self._make_fetcher = functools.partial(
            _DatasetKind.create_fetcher,
            *(loader._dataset_kind, loader.dataset, loader._auto_collation, loader.collate_fn, loader.drop_last),
        )
        self._begin(loader)
        self._base_seed = drawn_seed(loader.generator)

    def _begin(self, loader: DataLoader[Any]) -> None:
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def _reset(self, loader: DataLoader[Any]) -> None:
        """Begin another epoch."""
        self._begin(loader)

    def __iter__(self) -> "_BaseDataLoaderIter":
        return self

    def __len__(self) -> int:
        return len(self._index_sampler)

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __next__(self) -> Any:
        data = self._next_data()
        if self._pin_memory:
            data = pin_memory(data)
        self._num_yielded += 1
        expected = self._IterableDataset_len_called
        if self._dataset_kind == _DatasetKind.Iterable and expected is not None and self._num_yielded > expected:
            text = (
                f"Length of IterableDataset {self._dataset} was reported to be {expected}"
                f"(when accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
            )
            if self._num_workers > 0:
                text += (
                    "For multiprocessing data-loading, this could be caused by not properly configuring the "
                    "IterableDataset replica at each worker. Please see "
                    "https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset for examples."
                )
            warnings.warn(text, stacklevel=2)
        return data

    def __getstate__(self) -> Any:
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    def __init__(self, loader: DataLoader[Any]):
        super().__init__(loader)
        if self._timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        self._dataset_fetcher = self._make_fetcher()

    def _next_data(self) -> Any:
        return self._dataset_fetcher.fetch(next(self._sampler_iter))


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Batches from worker processes.

    Batch number n of an epoch is asked of the workers in turn, `prefetch_factor` ahead for each; what comes before its
    turn is kept in `_arrived`. An iterable dataset ends separately in each worker, which then is asked no more.
    """

    def __init__(self, loader: DataLoader[Any]):
        super().__init__(loader)
        if not loader.prefetch_factor or loader.prefetch_factor <= 0:
            raise AssertionError("prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter")
        self._prefetch_factor = loader.prefetch_factor
        self._persistent_workers, self._in_order = loader.persistent_workers, loader.in_order
        self._iterable = self._dataset_kind == _DatasetKind.Iterable
        from minitorch.utils.data._utils.pool import WorkerPool  # multiprocessing and sockets: only where needed

        def arguments(i: int) -> tuple[Any, ...]:
            info = {"id": i, "num_workers": self._num_workers, "dataset": self._dataset}
            return self._make_fetcher, info, self._base_seed, loader.worker_init_fn, self._iterable

        context = loader.multiprocessing_context or multiprocessing.get_context()
        self._pool = WorkerPool(context, self._num_workers, arguments)
        self._close = weakref.finalize(self, self._pool.close)
        self._workers = self._pool.processes
        self._start_epoch()

    def _start_epoch(self) -> None:
        self._sent = self._received = 0  # numbers of the next batch to ask for, and of the next to return
        self._asked: dict[int, int] = {}  # which worker was asked for a batch not yet returned
        self._arrived: dict[int, Any] = {}
        self._active = [True] * self._num_workers
        self._turn = itertools.cycle(range(self._num_workers))
        for _ in range(self._prefetch_factor * self._num_workers):
            self._ask()

    def _reset(self, loader: DataLoader[Any]) -> None:
        super()._reset(loader)
        for i in range(self._num_workers):
            self._pool.ask(i, worker.Resume())
        resumed = 0
        while resumed < self._num_workers:  # batches that the last epoch left are dropped
            answer = self._answer(0)
            resumed += isinstance(answer, worker.Resume)
        self._start_epoch()

    def _ask(self) -> None:
        """Ask the worker whose turn it is for the next batch."""
        try:
            index = next(self._sampler_iter)
        except StopIteration:
            return
        for i in itertools.islice(self._turn, self._num_workers):
            if self._active[i] and (self._in_order or self._has_room(i)):
                self._asked[self._sent] = i
                self._pool.ask(i, (self._sent, index))
                self._sent += 1
                return

    def _has_room(self, i: int) -> bool:
        """Whether worker i has less to do than is its share: out of order, one may be faster than another."""
        tasks = list(self._asked.values()).count(i)
        return tasks < self._prefetch_factor * self._num_workers // sum(self._active)

    def _answer(self, first: int) -> Any:
        answer = self._pool.answer(self._timeout, first)
        if answer is None:
            raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
        return answer

    def _next_data(self) -> Any:
        while True:
            while self._received < self._sent and not self._expected(self._received):
                self._asked.pop(self._received, None)
                self._received += 1
            if self._received == self._sent:
                if not self._persistent_workers:
                    self._close()
                raise StopIteration
            number = self._received
            if number in self._arrived:
                data = self._arrived.pop(number)
            else:
                number, data = self._answer(self._asked[number])
            if self._iterable and isinstance(data, worker.End):
                self._retire(self._asked.pop(number))
                self._ask()
            elif number != self._received and self._in_order:
                self._arrived[number] = data
            else:
                return self._returned(number, data)

    def _expected(self, number: int) -> bool:
        """Whether the batch has come or is to come."""
        return number in self._arrived or (number in self._asked and self._active[self._asked[number]])

    def _retire(self, i: int) -> None:
        """Worker i has no more items in this epoch."""
        self._active[i] = False
        if not self._persistent_workers:
            self._pool.dismiss(i)

    def _returned(self, number: int, data: Any) -> Any:
        del self._asked[number]
        self._received += number == self._received
        self._ask()
        if isinstance(data, worker.ExceptionWrapper):
            data.reraise()
        return data
