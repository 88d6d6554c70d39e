"""Connectionist temporal classification (Graves et al., ICML 2006): the loss and its gradient, one sample at a time.

The target l_1 ... l_S is read with blanks around and between: z_0 ... z_2S. alpha[t, s] is the log-probability of
having emitted z_0 ... z_s by time t, beta[t, s] that of emitting the rest from there (equations 6 to 11).
"""

import math

import numpy as np
from numba import njit

INF = math.inf


@njit
def label(target, s, blank):
    return blank if s % 2 == 0 else target[s // 2]


@njit
def log_add(a, b):
    if a < b:
        a, b = b, a
    return a if b == -INF else a + math.log1p(math.exp(b - a))


@njit
def skips(target, s, blank):
    """Whether z_s may follow z_{s-2}: two different letters need no blank between them."""
    return s % 2 == 1 and s > 1 and target[s // 2] != target[s // 2 - 1]


@njit
def forward(log_probs, target, blank, alpha):
    n = 2 * target.size + 1
    alpha[:] = -INF
    alpha[0, 0] = log_probs[0, blank]
    if n > 1:
        alpha[0, 1] = log_probs[0, target[0]]
    for t in range(1, log_probs.shape[0]):
        for s in range(n):
            a = alpha[t - 1, s]
            if s > 0:
                a = log_add(a, alpha[t - 1, s - 1])
            if skips(target, s, blank):
                a = log_add(a, alpha[t - 1, s - 2])
            alpha[t, s] = a + log_probs[t, label(target, s, blank)]
    last = log_probs.shape[0] - 1
    return log_add(alpha[last, n - 1], alpha[last, n - 2]) if n > 1 else alpha[last, 0]


@njit(cache=True, error_model="numpy", nogil=True)
def ctc_loss(log_probs, target, blank):
    """-log p(target | log_probs) of one sample (T, C); inf if no path emits the target. T >= 1."""
    alpha = np.empty((log_probs.shape[0], 2 * target.size + 1), np.float64)
    return -forward(log_probs, target, blank, alpha)


@njit(cache=True, error_model="numpy", nogil=True)
def ctc_loss_gradient(g, log_probs, target, blank, dest):
    """dest = g * (exp(log_probs) - the posterior of each letter at each time): the gradient before a log_softmax."""
    steps, n = log_probs.shape[0], 2 * target.size + 1
    alpha = np.empty((steps, n), np.float64)
    total = forward(log_probs, target, blank, alpha)
    beta = np.full(n, -INF)  # of the time after, without its own letter
    for t in range(steps - 1, -1, -1):
        before = beta.copy()
        for s in range(n):
            if t == steps - 1:
                b = 0.0 if s >= n - 2 else -INF
            else:
                b = before[s] + log_probs[t + 1, label(target, s, blank)]
                if s + 1 < n:
                    b = log_add(b, before[s + 1] + log_probs[t + 1, label(target, s + 1, blank)])
                if s + 2 < n and skips(target, s + 2, blank):
                    b = log_add(b, before[s + 2] + log_probs[t + 1, label(target, s + 2, blank)])
            beta[s] = b
        for c in range(log_probs.shape[1]):
            dest[t, c] = math.exp(log_probs[t, c])
        for s in range(n):
            dest[t, label(target, s, blank)] -= math.exp(alpha[t, s] + beta[s] - total)
        for c in range(log_probs.shape[1]):
            dest[t, c] *= g
