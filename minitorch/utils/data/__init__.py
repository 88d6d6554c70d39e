"""Same as torch.utils.data: datasets, samplers and the DataLoader. Data pipes are not there."""

from typing import Any

from minitorch._unsupported import UnsupportedName
from minitorch.utils.data._utils.collate import default_collate, default_convert
from minitorch.utils.data._utils.worker import get_worker_info
from minitorch.utils.data.dataloader import DataLoader, _DatasetKind
from minitorch.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from minitorch.utils.data.distributed import DistributedSampler
from minitorch.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "_DatasetKind",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]

_DATA_PIPES = (
    "DFIterDataPipe DataChunk IterDataPipe MapDataPipe argument_validation functional_datapipe datapipes graph "
    "graph_settings guaranteed_datapipes_determinism non_deterministic runtime_validation runtime_validation_disabled"
).split()


def __getattr__(name: str) -> Any:
    if name in _DATA_PIPES:
        raise UnsupportedName(
            f"torch.utils.data.{name} is not supported by minitorch: it has no data pipes; "
            "write a Dataset or an IterableDataset"
        )
    raise AttributeError(f"module 'minitorch.utils.data' has no attribute {name!r}")
