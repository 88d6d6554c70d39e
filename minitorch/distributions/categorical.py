"""One of a number of categories."""

from typing import Any

import minitorch as torch
from minitorch import Size, Tensor

from . import constraints
from ._probabilities import ProbsOrLogits, counted, which
from .distribution import Distribution, expands

__all__ = ["Categorical"]


@expands
class Categorical(ProbsOrLogits, Distribution):
    """The index of a category; `probs` or `logits` (..., K) need not be normalised.

    >>> import minitorch as torch
    >>> actions = torch.distributions.Categorical(torch.tensor([1.0, 3.0]))
    >>> actions.probs
    tensor([0.2500, 0.7500])
    >>> actions.log_prob(torch.tensor(1)).exp()
    tensor(0.7500)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _is_binary = False

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        name = which(probs, logits)
        given = logits if probs is None else probs
        if given.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        super().__init__(self.param_shape[:-1], validate_args=validate_args)

    @property
    def _num_events(self) -> int:
        return self.param_shape[-1]

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Tensor:
        return torch.full_like(self.probs[..., 0], torch.nan)

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(dim=-1)

    @property
    def variance(self) -> Tensor:
        return self.mean

    def sample(self, sample_shape: Any = ()) -> Tensor:
        count, rows = Size(sample_shape).numel(), self.probs
        if rows.dim() > 2:
            rows = rows.reshape(-1, self._num_events)
        picked = torch.multinomial(rows, count, True)
        if count != 1 and picked.dim() == 2:
            picked = picked.T  # of rows that are cases, not samples
        return picked.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        index, logits = value.long(), self.logits
        if index.shape != logits.shape[:-1]:
            shape = torch.broadcast_shapes(index.shape, logits.shape[:-1])
            index, logits = index.expand(shape), logits.expand(*shape, -1)
        return logits.gather(-1, index.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        logits = self.logits.clamp(min=torch.finfo(self.logits.dtype).min)  # 0 * -inf is 0 here
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return counted(self._num_events, self._batch_shape, self._param, expand, torch.long)
