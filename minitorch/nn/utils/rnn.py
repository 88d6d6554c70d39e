"""Sequences of different lengths in one batch: packed for recurrent layers, or padded."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import minitorch
from minitorch._creation import arange, empty_like, full
from minitorch._data import as_tensor, tensor
from minitorch._ops.joining import tensor_list
from minitorch._tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _PackedSequence(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


_PackedSequence.__name__ = _PackedSequence.__qualname__ = "PackedSequence_"


class PackedSequence(_PackedSequence):
    """Same as torch.nn.utils.rnn.PackedSequence: the steps of a batch without its padding.

    `data` holds all first elements, then all second ones, and so on; `batch_sizes[t]` says how many sequences have a
    step t. `sorted_indices` is the order in which the sequences, longest first, were taken, None if as given.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> "PackedSequence":
        if batch_sizes is None:  # the pair, as older code has it
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. "
                "They should be instantiated by functions like pack_sequence and pack_padded_sequences in "
                "nn.utils.rnn. https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """The data in another dtype or on another device; itself if nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        indices = [None if i is None else i.to(data.device) for i in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *indices)

    def cpu(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        return self.to(*args, device="cpu", **kwargs)

    def cuda(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        return self.to(*args, device="cuda", **kwargs)

    def double(self) -> "PackedSequence":
        return self.to(dtype=minitorch.double)

    def float(self) -> "PackedSequence":
        return self.to(dtype=minitorch.float)

    def half(self) -> "PackedSequence":
        return self.to(dtype=minitorch.half)

    def long(self) -> "PackedSequence":
        return self.to(dtype=minitorch.long)

    def int(self) -> "PackedSequence":
        return self.to(dtype=minitorch.int)

    def short(self) -> "PackedSequence":
        return self.to(dtype=minitorch.short)

    def char(self) -> "PackedSequence":
        return self.to(dtype=minitorch.int8)

    def byte(self) -> "PackedSequence":
        return self.to(dtype=minitorch.uint8)

    @property
    def is_cuda(self) -> bool:
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        return self.data.is_pinned()

    def pin_memory(self) -> "PackedSequence":
        return type(self)(self.data.pin_memory(), self.batch_sizes, self.sorted_indices, self.unsorted_indices)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Same as torch.nn.utils.rnn.invert_permutation.

    >>> import minitorch
    >>> invert_permutation(minitorch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    inverse = empty_like(permutation)
    inverse.scatter_(0, permutation, arange(0, permutation.numel(), device=permutation.device))
    return inverse


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Same as torch.nn.utils.rnn.pack_padded_sequence: (T, N, *), or (N, T, *), without its padding.

    >>> import minitorch
    >>> packed = pack_padded_sequence(minitorch.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
    >>> packed.data, packed.batch_sizes
    (tensor([1, 3, 2]), tensor([2, 1]))
    """
    lengths = as_tensor(lengths, dtype=minitorch.int64, device="cpu")
    if enforce_sorted:
        order = None
    else:
        lengths, order = minitorch.sort(lengths, descending=True)
        order = order.to(input.device)
        input = input.index_select(0 if batch_first else 1, order)
    if batch_first:
        input = input.transpose(0, 1)
    sizes = _batch_sizes(lengths.tolist(), input)
    data = minitorch.cat([input[t, :n] for t, n in enumerate(sizes)])
    return PackedSequence(data, tensor(sizes), order)


def _batch_sizes(lengths: list[int], input: Tensor) -> list[int]:
    """How many sequences have a step t, for each t."""
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    batch = input.size(1)
    if len(lengths) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} (batch_size={batch})"
        )
    if min(lengths) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if sorted(lengths, reverse=True) != lengths:
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you "
            "do not need ONNX exportability."
        )
    if lengths[0] > input.size(0):
        raise RuntimeError(f"Expected lengths of at most {input.size(0)}, the input's steps, but got {lengths[0]}")
    return [sum(n > t for n in lengths) for t in range(lengths[0])]


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Same as torch.nn.utils.rnn.pad_packed_sequence: the padded batch and the lengths in it."""
    data, batch_sizes, _, unsorted_indices = sequence
    sizes = batch_sizes.tolist()
    steps = len(sizes) if total_length is None else total_length
    if steps < len(sizes):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {len(sizes)}"
        )
    padded = full((steps, sizes[0], *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    for t, part in enumerate(data.split(sizes)):
        padded[t, : sizes[t]] = part
    lengths = tensor([sum(n > i for n in sizes) for i in range(sizes[0])])
    if batch_first:
        padded = padded.transpose(0, 1)
    if unsorted_indices is None:
        return padded, lengths
    padded = padded.index_select(0 if batch_first else 1, unsorted_indices)
    return padded, lengths[unsorted_indices.cpu()]


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Same as torch.nn.utils.rnn.pad_sequence: tensors (T_i, *) as (T, N, *), or (N, T, *).

    >>> import minitorch
    >>> pad_sequence([minitorch.ones(1), minitorch.ones(2)], batch_first=True)
    tensor([[1., 0.],
            [1., 1.]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = tensor_list("pad_sequence", list(sequences))
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    steps, first = max(s.size(0) for s in sequences), sequences[0]
    padded = full((len(sequences), steps, *first.shape[1:]), padding_value, dtype=first.dtype, device=first.device)
    for row, s in zip(padded.unbind(), sequences, strict=True):
        n = s.size(0)
        (row[:n] if padding_side == "right" else row[steps - n :]).copy_(s)
    return padded if batch_first else padded.transpose(0, 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Same as torch.nn.utils.rnn.unpad_sequence: the sequences of a padded batch, one by one."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:n] for row, n in zip(rows, lengths.tolist(), strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Same as torch.nn.utils.rnn.pack_sequence: tensors (T_i, *) packed."""
    lengths = [s.size(0) for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Same as torch.nn.utils.rnn.unpack_sequence: the sequences that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
