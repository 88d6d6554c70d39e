"""Distributions whose parameter is a probability or its log odds: what they have in common."""

from operator import attrgetter
from typing import Any

import minitorch as torch
from minitorch import Size, Tensor

from . import constraints
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits


def which(probs: Any, logits: Any) -> str:
    """The name of the one that is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return "logits" if probs is None else "probs"


class ProbsOrLogits:
    """Either of the two is an attribute from the start, the other is computed when asked for."""

    arg_constraints: Any = {"probs": constraints.unit_interval, "logits": constraints.real}
    _is_binary = True

    def _take(self, probs: Any, logits: Any, *others: Any) -> Any:
        """Keep the one that is given, broadcast against the others, which are returned in its dtype."""
        name = which(probs, logits)
        *rest, value = broadcast_all(*others, logits if probs is None else probs)
        setattr(self, name, value)
        return [other.type_as(value) for other in rest]

    @lazy_property
    def logits(self) -> Tensor:
        return probs_to_logits(self.probs, is_binary=self._is_binary)

    @lazy_property
    def probs(self) -> Tensor:
        return logits_to_probs(self.logits, is_binary=self._is_binary)

    @property
    def _param(self) -> Tensor:
        return self.probs if "probs" in self.__dict__ else self.logits

    @property
    def param_shape(self) -> Size:
        """The shape of `probs` and `logits`."""
        return self._param.size()

    def _new(self, *args: Any, **kwargs: Any) -> Tensor:
        return self._param.new(*args, **kwargs)


class OverCategories:
    """Distributions made of a `_categorical` one, with its parameters as theirs."""

    arg_constraints: Any = {"probs": constraints.simplex, "logits": constraints.real_vector}

    probs = property(attrgetter("_categorical.probs"))
    logits = property(attrgetter("_categorical.logits"))
    param_shape = property(attrgetter("_categorical.param_shape"))
    _param = property(attrgetter("_categorical._param"))
    _new = property(attrgetter("_categorical._new"))


def counted(n: int, batch_shape: Size, like: Tensor, expand: bool, dtype: Any = None) -> Tensor:
    """0 to n - 1 along dimension 0, in front of a batch: the support of a distribution of counts."""
    values = torch.arange(n, dtype=dtype or like.dtype, device=like.device).view((-1,) + (1,) * len(batch_shape))
    return values.expand((-1,) + batch_shape) if expand else values
