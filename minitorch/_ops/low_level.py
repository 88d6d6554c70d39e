"""torch's functions below the usual ones: those that mostly serve as methods, losses with numbers for reductions.

For Tensor they add the functions that call Python for each element.
"""

from collections.abc import Callable
from typing import Any

from minitorch._tensor import Tensor

from . import ctc, losses, margin_losses
from .arithmetic import write_result
from .check import type_name, wrap_dim
from .public import FUNCTIONS, PROPERTIES, op, public


# ---------------------------------------------------------------------- methods as functions
@public("torch")
def detach(input: Tensor) -> Tensor:
    """Same as Tensor.detach."""
    return _tensor("detach", input).detach()


@public("torch")
def detach_(input: Tensor) -> Tensor:
    """Same as Tensor.detach_."""
    return _tensor("detach_", input).detach_()


@public("torch")
def get_device(input: Tensor) -> int:
    """Same as Tensor.get_device."""
    return _tensor("get_device", input).get_device()


@public("torch")
def is_inference(input: Tensor) -> bool:
    """Same as Tensor.is_inference."""
    return _tensor("is_inference", input).is_inference()


def _tensor(name: str, input: Any, argument: str = "input") -> Any:
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument '{argument}' (position 1) must be Tensor, not {type_name(input)}")
    return input


@public("torch Tensor")
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """transpose, with NumPy's words."""
    return op("transpose")(input, axis0, axis1)


# ---------------------------------------------------------------------- what a tensor can be asked
PROPERTIES["name"] = property(lambda self: None, doc="None; torch's old name of the variable.")


@public("Tensor")
def dim_order(self: Tensor, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dimensions from the one with the largest stride to the one with the smallest.

    >>> import minitorch as torch
    >>> torch.zeros(2, 3).t().dim_order()
    (1, 0)
    """
    if ambiguity_check is not False:
        raise NotImplementedError("dim_order: ambiguity_check is not supported by minitorch")
    strides = self.stride()
    return tuple(sorted(range(self.ndim), key=lambda d: -strides[d]))


@public("Tensor")
def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both have the same memory, shape and strides."""
    _tensor("is_set_to", tensor, "tensor")
    mine, theirs = ((t.untyped_storage().data_ptr(), t.storage_offset(), t.shape, t.stride()) for t in (self, tensor))
    return mine == theirs


@public("Tensor", name="__reversed__")
def reversed_(self: Tensor) -> Tensor:
    """The tensor with its first dimension reversed."""
    return FUNCTIONS["flip"](self, 0) if self.ndim else self


# ---------------------------------------------------------------------- Python called for each element
@public("Tensor")
def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replace each element by what a Python function makes of it; slow.

    >>> import minitorch as torch
    >>> torch.tensor([1.0, 2.0]).apply_(lambda v: v + 1)
    tensor([2., 3.])
    """
    return _mapped("apply_", callable, self)


@public("Tensor")
def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element by what a Python function makes of it and of the tensor's; slow."""
    return _mapped("map_", callable, self, tensor)


@public("Tensor")
def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """map_ over two further tensors."""
    return _mapped("map2_", callable, self, x, y)


def _mapped(name: str, function: Callable[..., Any], x: Tensor, *others: Tensor) -> Tensor:
    if any(t.requires_grad for t in (x, *others)):
        raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    columns = [FUNCTIONS["expand"](t, tuple(x.shape)).reshape(-1).tolist() for t in (x, *others)]
    made = x.new_tensor([function(*values) for values in zip(*columns, strict=True)])
    return write_result(x, made.reshape(tuple(x.shape)))


# ---------------------------------------------------------------------- losses with numbers for reductions
# Without a number torch reduces nothing, whatever its signatures say of a default of 1, the mean.
REDUCTIONS = {1: "mean", 2: "sum"}


def _loss(loss: Any, reduction: int, *args: Any, **named: Any) -> Tensor:
    return loss(*args, reduction=REDUCTIONS.get(reduction, "none"), **named)


@public("torch", name="kl_div")
def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """nn.functional.kl_div with a number for the reduction: 0 none, 1 mean, 2 sum."""
    return _loss(losses.kl_div, reduction, input, target, log_target=log_target)


@public("torch", name="ctc_loss")
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """nn.functional.ctc_loss with a number for the reduction."""
    return _loss(
        ctc.ctc_loss, reduction, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity=zero_infinity
    )


@public("torch")
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """nn.functional.cosine_embedding_loss with a number for the reduction."""
    return _loss(margin_losses.cosine_embedding_loss, reduction, input1, input2, target, margin)


@public("torch")
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0) -> Tensor:
    """nn.functional.hinge_embedding_loss with a number for the reduction."""
    return _loss(margin_losses.hinge_embedding_loss, reduction, input, target, margin)


@public("torch")
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """nn.functional.margin_ranking_loss with a number for the reduction."""
    return _loss(margin_losses.margin_ranking_loss, reduction, input1, input2, target, margin)


@public("torch")
def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """nn.functional.poisson_nll_loss with a number for the reduction."""
    return _loss(losses.poisson_nll_loss, reduction, input, target, log_input, full, eps=eps)


@public("torch")
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 0,
) -> Tensor:
    """nn.functional.triplet_margin_loss with a number for the reduction."""
    return _loss(margin_losses.triplet_margin_loss, reduction, anchor, positive, negative, margin, p, eps, swap)


@public("torch")
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = 0,
) -> Tensor:
    """nn.functional.binary_cross_entropy_with_logits with a number for the reduction."""
    return _loss(losses.binary_cross_entropy_with_logits, reduction, input, target, weight, pos_weight=pos_weight)


@public("torch")
def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norm over all dimensions but one, as weight_norm needs it; over all with dim=-1."""
    if dim == -1:
        return FUNCTIONS["norm"](v, pow)
    if not v.ndim:
        raise RuntimeError(f"Dimension specified as {dim} but tensor has no dimensions")
    others = [d for d in range(v.ndim) if d != wrap_dim(dim, v.ndim)]
    return FUNCTIONS["norm"](v, pow, others, True) if others else v.abs()
