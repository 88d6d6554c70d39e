"""The CTC loss: the probability of a sequence of labels, whatever the alignment (Graves et al., ICML 2006)."""

import functools
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._tensor import Tensor

from . import loss_reduction as _reduction
from .check import check, float_required, full_float_required, integers, refuse_batch
from .op import structured
from .public import FUNCTIONS, op, public


@structured(tensors="log_probs targets", title="CtcLoss")
def ctc_loss_of_each(log_probs, targets, input_lengths, target_lengths, blank):
    float_required("ctc_loss_cpu", log_probs)
    return (log_probs.shape[1],), log_probs.dtype


@functools.cache
def _kernels() -> Any:
    return cache.load_file("cpu.ctc")


def _samples(log_probs: np.ndarray, targets: np.ndarray, input_lengths: Any, target_lengths: Any, blank: int) -> Any:
    """(log-probabilities, labels between blanks, alpha) of each sample; targets are rows, or one after the other."""
    begin = 0
    for n, (steps, size) in enumerate(zip(input_lengths, target_lengths, strict=True)):
        row = targets[n, :size] if targets.ndim == 2 else targets[begin : begin + size]
        begin += size
        if size and not 0 <= row.min() <= row.max() < log_probs.shape[2]:
            raise IndexError(f"ctc_loss: targets must lie in [0, {log_probs.shape[2]}), but found {row.tolist()}")
        letters = np.full(2 * size + 1, blank, np.int64)
        letters[1::2] = row
        yield log_probs[:steps, n], letters, np.full((steps, letters.size), -np.inf)


@ctc_loss_of_each.cpu
def ctc_loss_cpu(log_probs, targets, input_lengths, target_lengths, blank):
    losses = np.empty(log_probs.shape[1], log_probs.dtype)
    kernel = _kernels().ctc_loss
    for n, (p, letters, alpha) in enumerate(_samples(log_probs, targets, input_lengths, target_lengths, blank)):
        losses[n] = kernel(p, letters, alpha) if len(p) else 0 if letters.size == 1 else np.inf
    return losses


@ctc_loss_of_each.grad("log_probs")
def ctc_loss_grad(g, log_probs, targets, input_lengths, target_lengths, blank):
    return ctc_loss_backward(g, log_probs, targets, input_lengths, target_lengths, blank)


@structured(tensors="slope log_probs targets")
def ctc_loss_backward(slope, log_probs, targets, input_lengths, target_lengths, blank):
    return log_probs.shape, log_probs.dtype


@ctc_loss_backward.cpu
def ctc_loss_backward_cpu(slope, log_probs, targets, input_lengths, target_lengths, blank):
    d = np.zeros(log_probs.shape, log_probs.dtype)
    kernels = _kernels()
    for n, (p, letters, alpha) in enumerate(_samples(log_probs, targets, input_lengths, target_lengths, blank)):
        if len(p) and slope[n]:  # an infinite loss that zero_infinity took out has no gradient
            beta = np.full((len(p) + 1, letters.size), -np.inf)
            beta[-1, -2:] = 0
            loss = kernels.ctc_loss(p, letters, alpha)
            kernels.ctc_loss_gradient(slope[n], p, letters, alpha, loss, beta, d[: len(p), n])
    return d


@public("nn.functional")
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """The CTC loss: -log of the probability of each target, over all alignments.

    log_probs is (T, N, C) or (T, C); targets are (N, S), or (sum of target_lengths), without blanks. The mean is over
    samples, each divided by its target's length. As in torch the gradient is the one before `log_softmax`: the
    result of that function is the only input for which it is right.

    >>> import minitorch as torch
    >>> log_probs = torch.zeros(3, 1, 2).log_softmax(2)
    >>> torch.nn.functional.ctc_loss(log_probs, torch.tensor([[1]]), (3,), (1,))
    tensor(0.2877)
    """
    code = _reduction.get_enum(reduction)
    inputs, sizes = _lengths(input_lengths, "input_lengths"), _lengths(target_lengths, "target_lengths")
    unbatched = log_probs.ndim == 2
    if unbatched:
        log_probs = op("unsqueeze")(log_probs, 1)
    _check(log_probs, targets, inputs, sizes, blank)
    each = op("ctc_loss_of_each")(log_probs, FUNCTIONS["to"](targets, dtypes.int64), inputs, sizes, blank)
    if zero_infinity:
        each = FUNCTIONS["where"](each == float("inf"), 0.0, each)
    if code == 1:
        from minitorch._data import tensor

        longest = tensor([max(n, 1) for n in sizes], dtype=each.dtype, device=each.device)
        return FUNCTIONS["mean"](each / longest)
    if code == 2:
        return FUNCTIONS["sum"](each)
    return op("squeeze")(each) if unbatched else each


def _lengths(lengths: Any, name: str) -> tuple[int, ...]:
    if isinstance(lengths, Tensor):
        refuse_batch("ctc_loss", **{name: lengths})
        if not (not lengths.is_floating_point() and lengths.dtype != dtypes.bool):
            raise RuntimeError(f"{name} must be integral")
        return tuple(lengths.reshape(-1).tolist())
    return integers(lengths, name, "ctc_loss", 3 if name == "input_lengths" else 4)


def _check(log_probs: Tensor, targets: Tensor, inputs: Any, sizes: Any, blank: int) -> None:
    where = "(while checking arguments for ctc_loss_allocate_outputs)"
    steps, batch, classes = log_probs.shape
    float_required("ctc_loss_cpu", log_probs.array)
    full_float_required("ctc_loss_cpu", log_probs.array)
    check(0 <= blank < classes, "blank must be in label range")
    check(len(inputs) == batch, "input_lengths must be of size batch_size")
    check(len(sizes) == batch, "target_lengths must be of size batch_size")
    if targets.ndim not in (1, 2):
        raise RuntimeError(
            f"Expected 1 to 2 dimensions, but got {targets.ndim}-dimensional tensor for argument #2 'targets' {where}"
        )
    for n in sizes:
        if not n >= 0:
            raise RuntimeError(f"Expected target_lengths to have value at least 0, but got value {n} {where}")
    at_dim = "Expected tensor to have size"
    if targets.ndim == 1:
        total = sum(sizes)
        found = f"but got size {len(targets)} for argument #2 'targets' {where}"
        if len(targets) != total:
            raise RuntimeError(f"{at_dim} {total} at dimension 0, {found}")
    else:
        found = f"but got size {targets.shape[0]} for argument #2 'targets' {where}"
        if targets.shape[0] != batch:
            raise RuntimeError(f"{at_dim} {batch} at dimension 0, {found}")
        longest, found = max(sizes, default=0), f"but got size {targets.shape[1]} for argument #2 'targets' {where}"
        if not targets.shape[1] >= longest:
            raise RuntimeError(f"{at_dim} at least {longest} at dimension 1, {found}")
    for n in inputs:
        if not n >= 0:
            raise RuntimeError(f"Expected input_lengths to have value at least 0, but got value {n} {where}")
        if not n <= steps:
            raise RuntimeError(f"Expected input_lengths to have value at most {steps}, but got value {n} {where}")
