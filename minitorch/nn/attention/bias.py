"""Same as torch.nn.attention.bias: causal masks of scores that are not square."""

import warnings
from enum import IntEnum, auto
from typing import Any

import minitorch
from minitorch._tensor import Tensor, disabled_torch_function

__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """In which corner the diagonal of a causal mask begins."""

    UPPER_LEFT = auto()
    LOWER_RIGHT = auto()


class CausalBias(Tensor):
    """A causal mask for `attn_mask` of attention: booleans, True for what is seen.

    >>> CausalBias(CausalVariant.LOWER_RIGHT, 2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """

    __torch_function__ = staticmethod(disabled_torch_function)
    variant: CausalVariant
    seq_len_q: int
    seq_len_kv: int

    def __new__(cls, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> Any:
        if not isinstance(variant, CausalVariant):
            raise AssertionError(f"variant must be a CausalVariant, got {type(variant)}")
        if seq_len_q > seq_len_kv and variant == CausalVariant.LOWER_RIGHT:
            warnings.warn(
                "Lower right causal bias will produce NaNs in the output when seq_len_q > seq_len_kv!", stacklevel=2
            )
        shift = seq_len_kv - seq_len_q if variant == CausalVariant.LOWER_RIGHT else 0
        seen = minitorch.ones(seq_len_q, seq_len_kv, dtype=minitorch.bool).tril(shift)
        made = Tensor._make_subclass(cls, seen)
        made.variant, made.seq_len_q, made.seq_len_kv = variant, seq_len_q, seq_len_kv
        return made

    def __repr__(self) -> str:
        return repr(self.as_subclass(Tensor))

    def _materialize(self, device: Any = None) -> Tensor:
        """The mask as a plain tensor."""
        return self.as_subclass(Tensor).to(device or self.device)


def _lengths(size: tuple[int, ...]) -> tuple[int, ...]:
    if len(size) != 2:
        raise AssertionError("causal bias only supports 2D tensors")
    return size


def causal_upper_left(*size: int) -> CausalBias:
    """Same as torch.nn.attention.bias.causal_upper_left: a query sees as many keys as its number, itself included."""
    return CausalBias(CausalVariant.UPPER_LEFT, *_lengths(size))


def causal_lower_right(*size: int) -> CausalBias:
    """Same as torch.nn.attention.bias.causal_lower_right: the last query sees all keys.

    >>> causal_lower_right(1, 3)
    tensor([[True, True, True]])
    """
    return CausalBias(CausalVariant.LOWER_RIGHT, *_lengths(size))
