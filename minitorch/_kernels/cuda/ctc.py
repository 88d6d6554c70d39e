"""Connectionist temporal classification on a GPU (Graves et al., ICML 2006): a block to a sample, a thread to a letter.

Letters and recursions are those of `cpu/ctc.py`. Labels outside of the classes make a loss of nan.
"""

from functools import cache
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty, from_host
from .block import BLOCK, WARP, row_sum
from .device import (  # type: ignore[attr-defined]
    WORDS,
    advance,
    blockIdx,
    exp,
    i4,
    i8,
    log1p,
    maximum,
    minimum,
    shared_array,
    syncthreads,
    threadIdx,
    where,
)
from .kernel import Kernel, kernel
from .matrices import CODES

INFINITE, NAN = float("inf"), float("nan")
INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)


def log_add(a, b):
    """log(exp(a) + exp(b))"""
    top = maximum(a, b)
    return where(top == -INFINITE, top, top + log1p(exp(minimum(a, b) - top)))


def letter(targets, s, blank):
    """The s-th letter of the labels with blanks around and between."""
    label = blank
    if s % 2 == 1:
        label = i4(targets[s // 2])
    return label


def value_of(row, label, classes):
    """The label's log-probability; nan where there is no such class."""
    value = row[0] * 0.0 + NAN
    if label >= 0 and label < classes:
        value = row[label]
    return value


@cache
def losses_kernel(code: str, threads: int) -> Kernel:
    """kernel(log_probs, targets, lengths, alpha, losses, batch, classes, steps, width, blank)

    lengths are three for each sample: of the input, of the target, and where the target begins. alpha is (batch, steps,
    width): the log-probability of having emitted the letters up to each by each time.
    """
    number = WORDS[code]

    @kernel(f"{code}* i8* i4* {code}* {code}* i4 i4 i4 i4 i4", block=threads)
    def ctc_losses(log_probs, targets, lengths, alpha, losses, batch, classes, steps, width, blank):
        sample = blockIdx.x
        last = lengths[3 * sample] - 1
        letters = 2 * lengths[3 * sample + 1] + 1
        own = advance(targets, lengths[3 * sample + 2])
        own_alpha = advance(alpha, i8(sample) * steps * width)
        for t in range(last + 1):
            row = advance(log_probs, (i8(t) * batch + sample) * classes)
            now = advance(own_alpha, i8(t) * width)
            before = advance(own_alpha, i8(max(t - 1, 0)) * width)
            for s in range(threadIdx.x, letters, threads):
                label = letter(own, s, blank)
                total = number(0.0)
                if t == 0:
                    if s > 1:
                        total = number(-INFINITE)
                else:
                    total = before[s]
                    if s > 0:
                        total = log_add(total, before[s - 1])
                    if s > 1:
                        other = letter(own, s - 2, blank)
                        if other != label:
                            total = log_add(total, before[s - 2])
                now[s] = total + value_of(row, label, classes)
            syncthreads()
        if threadIdx.x == 0:
            loss = number(0.0)
            if last >= 0:
                end = advance(own_alpha, i8(last) * width)
                loss = end[letters - 1]
                if letters > 1:
                    loss = log_add(loss, end[letters - 2])
            elif letters > 1:
                loss = number(-INFINITE)
            losses[sample] = -loss

    return ctc_losses


@cache
def gradient_kernel(code: str, threads: int) -> Kernel:
    """kernel(slopes, log_probs, targets, lengths, alpha, losses, beta, following, dest, batch, classes, steps, width,
    blank): slope * (exp(log_probs) - the posterior of each class at each time), the gradient before a log_softmax.

    alpha, losses and lengths are those of `losses_kernel`. Scratch are beta, (batch, 3, width), and following, (batch,
    width), the next place of the same label, the first of which adds up all: so sums repeat.
    """
    number, warps = WORDS[code], threads // 32

    @kernel(f"{code}* {code}* i8* i4* {code}* {code}* {code}* i4* {code}* i4 i4 i4 i4 i4", block=threads)
    def ctc_gradient(
        slopes, log_probs, targets, lengths, alpha, losses, beta, following, dest, batch, classes, steps, width, blank
    ):  # fmt: skip
        scratch = shared_array(warps, number)
        sample = blockIdx.x
        last = lengths[3 * sample] - 1
        size = lengths[3 * sample + 1]
        letters = 2 * size + 1
        own = advance(targets, lengths[3 * sample + 2])
        own_alpha = advance(alpha, i8(sample) * steps * width)
        rows = advance(beta, i8(sample) * 3 * width)
        posterior = advance(rows, 2 * width)
        chain = advance(following, i8(sample) * width)
        slope = slopes[sample]
        loss = losses[sample]
        for k in range(threadIdx.x, size, threads):
            next_one = size
            for i in range(k + 1, size):
                j = size + k - i
                if own[j] == own[k]:
                    next_one = j
            chain[k] = next_one
            is_first = 1
            for j in range(k):
                if own[j] == own[k]:
                    is_first = 0
            chain[size + k] = is_first
        syncthreads()
        for step in range(last + 1):
            t = last - step
            row = advance(log_probs, (i8(t) * batch + sample) * classes)
            later = advance(log_probs, (i8(min(t + 1, last)) * batch + sample) * classes)
            out = advance(dest, (i8(t) * batch + sample) * classes)
            now = advance(rows, t % 2 * width)
            after = advance(rows, (t + 1) % 2 * width)
            of_blanks = number(0.0)
            for s in range(threadIdx.x, letters, threads):
                label = letter(own, s, blank)
                total = number(0.0)
                if step == 0:
                    if s < letters - 2:
                        total = number(-INFINITE)
                else:
                    total = after[s] + value_of(later, label, classes)
                    if s + 1 < letters:
                        other = letter(own, s + 1, blank)
                        total = log_add(total, after[s + 1] + value_of(later, other, classes))
                    if s + 2 < letters:
                        other = letter(own, s + 2, blank)
                        if other != label:
                            total = log_add(total, after[s + 2] + value_of(later, other, classes))
                now[s] = total
                share = exp(own_alpha[i8(t) * width + s] + total + loss)
                posterior[s] = share
                if s % 2 == 0:
                    of_blanks = of_blanks + share
            for c in range(threadIdx.x, classes, threads):
                out[c] = slope * exp(row[c])
            of_blanks = row_sum(of_blanks, scratch, warps)
            syncthreads()
            for k in range(threadIdx.x, size, threads):
                label = i4(own[k])
                if chain[size + k] == 1 and label >= 0 and label < classes:
                    total = number(0.0)
                    j = k
                    while j < size:
                        total = total + posterior[2 * j + 1]
                        j = chain[j]
                    out[label] = out[label] - slope * total
            syncthreads()
            if threadIdx.x == 0:
                out[blank] = out[blank] - slope * of_blanks
        if slope == 0.0:  # an infinite loss that zero_infinity took out has no gradient
            syncthreads()
            for t in range(last + 1):
                for c in range(threadIdx.x, classes, threads):
                    dest[(i8(t) * batch + sample) * classes + c] = 0.0

    return ctc_gradient


# ---------------------------------------------------------------------- ops
def _losses(
    x: CudaArray, targets: CudaArray, input_lengths: Any, target_lengths: Any, blank: int
) -> tuple[CudaArray, list[Any], int]:
    """(losses, what both kernels are given, threads of a block)"""
    steps, batch, classes = x.shape
    sizes = np.asarray(target_lengths, np.int64)
    first = np.arange(batch) * targets.shape[1] if targets.ndim == 2 else np.cumsum(sizes) - sizes
    lengths = np.stack([np.asarray(input_lengths, np.int64), sizes, first], -1).astype(np.int32)
    width = 2 * int(sizes.max(initial=0)) + 1
    losses, alpha = empty((batch,), x.dtype), empty((batch, steps, width), x.dtype)
    given = [x, copy.contiguous(targets, INT64), from_host(lengths, x.device.index), alpha, losses]
    dims = [batch, classes, steps, width, blank]
    threads = WARP if max(width, classes) <= 2 * WARP else BLOCK
    losses_kernel(CODES[x.dtype], threads).launch(batch, *given, *dims)
    return losses, [given, dims], threads


def ctc_loss_of_each(
    inferred: Any, log_probs: CudaArray, targets: CudaArray, input_lengths: Any, target_lengths: Any, blank: int
) -> CudaArray:
    """-log p(target | log_probs) of each sample."""
    return _losses(copy.contiguous(log_probs), targets, input_lengths, target_lengths, blank)[0]


def ctc_loss_backward(
    inferred: Any,
    slope: CudaArray,
    log_probs: CudaArray,
    targets: CudaArray,
    input_lengths: Any,
    target_lengths: Any,
    blank: int,
) -> CudaArray:
    """The gradient, where the log-probabilities come from log_softmax."""
    dest = copy.full(inferred[0], 0, inferred[1])
    if dest.size:
        x = copy.contiguous(log_probs)
        _, (given, dims), threads = _losses(x, targets, input_lengths, target_lengths, blank)
        batch, width = dims[0], dims[3]
        beta, following = empty((batch, 3, width), x.dtype), empty((batch, width), INT32)
        made = gradient_kernel(CODES[x.dtype], threads)
        made.launch(batch, copy.contiguous(slope, x.dtype), *given, beta, following, dest, *dims)
    return dest


REPRESENTATIVE = {
    "ctc_losses": lambda: losses_kernel("f4", BLOCK),
    "ctc_gradient": lambda: gradient_kernel("f4", BLOCK),
}
