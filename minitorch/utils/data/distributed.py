"""A sampler for training in several processes: each takes its own part of the dataset."""

import math
from collections.abc import Iterator
from typing import Any

from minitorch._generator import Generator
from minitorch.utils.data.sampler import Sampler, _permutation

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Same as torch.utils.data.DistributedSampler: the indices that process `rank` of `num_replicas` takes.

    Call `set_epoch` before every epoch, or all epochs have the same order.

    >>> [list(DistributedSampler(range(5), 2, rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ):
        if num_replicas is None or rank is None:
            raise RuntimeError("Requires distributed package to be available")
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        n = len(dataset)
        if drop_last and n % num_replicas != 0:
            self.num_samples = math.ceil((n - num_replicas) / num_replicas)
        else:
            self.num_samples = math.ceil(n / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        n = len(self.dataset)
        indices = list(range(n))
        if self.shuffle:
            indices = _permutation(n, Generator().manual_seed(self.seed + self.epoch))
        if self.drop_last:
            indices = indices[: self.total_size]
        else:  # from the start again, until every process has the same number
            indices = (indices * math.ceil(self.total_size / max(n, 1)))[: self.total_size]
        if len(indices) != self.total_size:
            raise AssertionError(f"Number of indices ({len(indices)}) does not match total_size ({self.total_size})")
        return iter(indices[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, which the order depends on."""
        self.epoch = epoch
