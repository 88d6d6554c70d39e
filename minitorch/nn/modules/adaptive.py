"""Adaptive softmax (Grave et al., arXiv:1609.04309): frequent classes first, the rare ones in clusters."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import minitorch
from minitorch._tensor import Tensor
from minitorch.nn import functional as F

from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Same as torch.nn.AdaptiveLogSoftmaxWithLoss: log-probabilities of `n_classes` classes sorted by frequency.

    Classes below `cutoffs[0]` have logits of their own in the head, beside one for each cluster of the others. Inputs
    (N, in_features) or (in_features), targets (N) or (); the result is (log-probability of each target, mean loss).

    >>> import minitorch as torch
    >>> loss = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, cutoffs=[5])
    >>> total = loss.log_prob(torch.randn(3, 8)).exp().sum(1)
    >>> torch.allclose(total, torch.ones(3))
    True
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        bounds = list(cutoffs)
        if not bounds:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        increase = all(a < b for a, b in pairwise(bounds)) and bounds[0] > 0 and bounds[-1] < n_classes
        if not increase or any(int(c) != c for c in bounds):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                "value is between 1 and n_classes-1"
            )
        options = {"device": device, "dtype": dtype}
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*bounds, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = bounds[0]
        self.n_clusters = len(bounds)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs), 1):
            hidden = int(in_features // div_value**i)
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False, **options),
                    Linear(hidden, high - low, bias=False, **options),
                )
            )

    def reset_parameters(self) -> None:
        """Draw new numbers, the head's first."""
        for layer in (self.head, *(layer for cluster in self.tail for layer in cluster)):  # type: ignore[attr-defined]
            layer.reset_parameters()

    def _clusters(self) -> Iterator[tuple[int, int, int, Module]]:
        """(class of the head, first class, class behind the last, layers) of each cluster."""
        for i, ((low, high), layers) in enumerate(zip(pairwise(self.cutoffs), self.tail)):
            yield self.shortlist_size + i, low, high, layers

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        dims = target_.dim()
        if dims > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if dims == 1 and input_.size(0) != target_.size(0):
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input_.dim() != dims + 1:
            raise RuntimeError(
                f"{dims}D target tensor expects {dims + 1}D input tensors, but found inputs with size {input_.size()}"
            )
        input, target = (input_, target_) if dims else (input_.unsqueeze(0), target_.unsqueeze(0))
        if target.numel() and not bool(((target >= 0) & (target < self.n_classes)).all()):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found. "
            )
        output, in_head = input.new_zeros(target.size(0)), target.clone()
        for head_class, low, high, layers in self._clusters():
            rows = ((target >= low) & (target < high)).nonzero().squeeze(1)
            if rows.numel():
                within = F.log_softmax(layers(input.index_select(0, rows)), dim=1)
                chosen = within.gather(1, (target.index_select(0, rows) - low).unsqueeze(1)).squeeze(1)
                in_head.index_fill_(0, rows, head_class)
                output = output.index_copy(0, rows, chosen)
        head = F.log_softmax(self.head(input), dim=1)
        output = output + head.gather(1, in_head.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output if dims else output.squeeze(0), loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """Log-probabilities (N, n_classes) of all classes for inputs (N, in_features)."""
        head = F.log_softmax(self.head(input), dim=1)
        parts = [head[:, : self.shortlist_size]]
        for head_class, _, _, layers in self._clusters():
            parts.append(F.log_softmax(layers(input), dim=1) + head[:, head_class].unsqueeze(1))
        return minitorch.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each input (N, in_features); clusters are asked only where the head names one."""
        output = self.head(input).argmax(1)
        rows = (output >= self.shortlist_size).nonzero().squeeze(1)
        if rows.numel():
            output[rows] = self.log_prob(input.index_select(0, rows)).argmax(1)
        return output
