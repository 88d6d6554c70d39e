"""Fetchers: the items that a list of indices names, joined into a batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch._kernels.half import tagged
from minitorch._tensor import Tensor, wrap
from minitorch.autograd.grad_mode import state
from minitorch.utils.data._utils import worker
from minitorch.utils.data._utils.collate import collate_tensor_fn, default_collate, default_collate_fn_map
from minitorch.utils.data.dataset import Subset, TensorDataset


class _BaseDatasetFetcher:
    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Any, drop_last: bool):
        self.dataset, self.auto_collation = dataset, auto_collation
        self.collate_fn, self.drop_last = collate_fn, drop_last

    def fetch(self, possibly_batched_index: Any) -> Any:
        raise NotImplementedError


class _IterableDatasetFetcher(_BaseDatasetFetcher):
    """The next items of an iteration: an index only stands for one of them."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.dataset_iter = iter(self.dataset)
        self.ended = False

    def fetch(self, possibly_batched_index: Any) -> Any:
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.dataset_iter))
        data = []
        for _ in possibly_batched_index:
            try:
                data.append(next(self.dataset_iter))
            except StopIteration:
                self.ended = True
                break
        if not data or (self.drop_last and len(data) < len(possibly_batched_index)):
            raise StopIteration
        return self.collate_fn(data)


class _MapDatasetFetcher(_BaseDatasetFetcher):
    def fetch(self, possibly_batched_index: Any) -> Any:
        if not self.auto_collation:
            return self.collate_fn(self.dataset[possibly_batched_index])
        if self.collate_fn is default_collate:
            batch = gathered(self.dataset, possibly_batched_index)
            if batch is not None:
                return batch
        if getattr(self.dataset, "__getitems__", None):
            data = self.dataset.__getitems__(possibly_batched_index)
        else:
            data = [self.dataset[i] for i in possibly_batched_index]
        return self.collate_fn(data)


def gathered(dataset: Any, indices: Any) -> list[Tensor] | None:
    """The default batch of a TensorDataset or a Subset of one, by one gather for each tensor instead of an item read
    for each index; None where only item by item gives the same: a history to record, an index out of range, classes
    derived from these, another function for tensors in `default_collate_fn_map`."""
    while type(dataset) is Subset:
        try:
            indices = [dataset.indices[i] for i in indices]
        except (IndexError, TypeError):
            return None
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or state.mode is not None:
        return None
    index = _as_index(indices, len(dataset))
    if index is None or default_collate_fn_map.get(Tensor) is not collate_tensor_fn:
        return None
    if not all(type(t) is Tensor and not t.requires_grad and t.is_cpu for t in dataset.tensors):
        return None
    return [_rows(t, index) for t in dataset.tensors]


def _rows(t: Tensor, index: Tensor) -> Tensor:
    """The rows of a tensor, in shared memory if this is a worker."""
    from minitorch import index_select

    out = None if worker.get_worker_info() is None else worker.new_batch(len(index), t[0])
    if not t.is_contiguous():
        return index_select(t, 0, index, out=out)
    # NumPy's function needs no compiled loop, whose loading would cost every new worker half a second
    rows = np.take(
        t.array.view(np.ndarray), index.array, 0, None if out is None else out.array.view(np.ndarray), "clip"
    )
    return wrap(tagged(rows)) if out is None else out


def _as_index(indices: Sequence[Any], n: int) -> Tensor | None:
    """The indices as a tensor, if they are integers within 0 and n - 1."""
    if type(indices) is not list or not indices:
        return None
    try:
        index = np.array(indices)
    except (ValueError, TypeError, RuntimeError):
        return None
    if index.ndim != 1 or index.dtype != np.int64 or index.min() < 0 or index.max() >= n:
        return None
    from minitorch import from_numpy

    return from_numpy(index)
