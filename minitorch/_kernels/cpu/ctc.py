"""Connectionist temporal classification (Graves et al., ICML 2006): the loss and its gradient, one sample at a time.

`letters` is the target l_1 ... l_S with blanks around and between: z_0 ... z_2S. alpha[t, s] is the log-probability of
having emitted z_0 ... z_s by time t, beta[t, s] that of emitting the rest from there (equations 6 to 11). z_s may
follow z_{s-2} if they differ: two different letters need no blank between them.

The kernels are given their memory, since what allocates takes twice as long to compile.
"""

import math

from numba import njit

from .inlined import smaller
from .inner import inner

INF = math.inf


@inner()
def log_add(a, b):
    if a < b:
        a, b = b, a
    return a if b == -INF else a + math.log1p(math.exp(b - a))


@njit(cache=True, error_model="numpy", nogil=True)
def ctc_loss(log_probs, letters, alpha):
    """-log p(target | log_probs) of one sample (T, C); inf if no path emits the target. T >= 1; alpha is -inf."""
    n, last = letters.size, log_probs.shape[0] - 1
    for s in range(smaller(n, 2)):
        alpha[0, s] = log_probs[0, letters[s]]
    for t in range(1, last + 1):
        for s in range(n):
            a = alpha[t - 1, s]
            if s > 0:
                a = log_add(a, alpha[t - 1, s - 1])
            if s > 1 and letters[s] != letters[s - 2]:
                a = log_add(a, alpha[t - 1, s - 2])
            alpha[t, s] = a + log_probs[t, letters[s]]
    return -log_add(alpha[last, n - 1], alpha[last, n - 2]) if n > 1 else -alpha[last, 0]


@njit(cache=True, error_model="numpy", nogil=True)
def ctc_loss_gradient(g, log_probs, letters, alpha, loss, beta, dest):
    """dest = g * (exp(log_probs) - the posterior of each letter at each time): the gradient before a log_softmax.

    alpha and loss are those of `ctc_loss`; beta (T + 1, 2 S + 1) without its own letter is 0 at the two ends of the
    target in the row behind the last time, else -inf.
    """
    steps, n = log_probs.shape[0], letters.size
    for t in range(steps - 1, -1, -1):
        for s in range(n):
            b = beta[t + 1, s]
            if t < steps - 1:
                b += log_probs[t + 1, letters[s]]
                if s + 1 < n:
                    b = log_add(b, beta[t + 1, s + 1] + log_probs[t + 1, letters[s + 1]])
                if s + 2 < n and letters[s + 2] != letters[s]:
                    b = log_add(b, beta[t + 1, s + 2] + log_probs[t + 1, letters[s + 2]])
            beta[t, s] = b
        for c in range(log_probs.shape[1]):
            dest[t, c] = math.exp(log_probs[t, c])
        for s in range(n):
            dest[t, letters[s]] -= math.exp(alpha[t, s] + beta[t, s] + loss)
        for c in range(log_probs.shape[1]):
            dest[t, c] *= g
