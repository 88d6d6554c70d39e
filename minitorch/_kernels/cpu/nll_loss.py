"""The negative log-likelihood over classes, and what cross-entropy shares with it."""

from numba import njit

from .inner import inner


@inner()
def checked(target, weight, ignore, classes):
    """(the sum of the weights that targets count for, the first target outside the classes by its number, else -1)."""
    used = 0.0
    for i, t in enumerate(target.flat):
        if t != ignore:
            if t < 0 or t >= classes:
                return used, i
            used += weight[t] if weight.size else 1
    return used, -1


@njit(cache=True, error_model="numpy", nogil=True)
def rows_of_classes(target, weight, ignore, classes):
    """See `checked`."""
    return checked(target, weight, ignore, classes)


@njit(cache=True, error_model="numpy", nogil=True)
def nll_loss(x, target, weight, ignore, losses):
    """losses[n, k] = -weight[t] * x[n, t, k] with t = target[n, k]; 0 where t is ignored.

    A weight without elements stands for ones.
    """
    for n in range(target.shape[0]):
        for k in range(target.shape[1]):
            t = target[n, k]
            if t == ignore:
                losses[n, k] = 0
            else:
                losses[n, k] = -x[n, t, k] * (weight[t] if weight.size else 1)


@njit(cache=True, error_model="numpy", nogil=True)
def nll_loss_gradient(g, step, target, weight, ignore, dest):
    """dest[n, t, k] = -weight[t] * g[i * step], where i is the number of n, k and step 1 or 0; dest is zeros before."""
    for n in range(target.shape[0]):
        for k in range(target.shape[1]):
            t = target[n, k]
            if t != ignore:
                dest[n, t, k] = -g[(n * target.shape[1] + k) * step] * (weight[t] if weight.size else 1)


@inner()
def add_up(losses, divisor, dest):
    """dest[0] = the sum of losses, taken in double, over divisor."""
    total = 0.0
    for loss in losses.flat:
        total += loss
    dest[0] = total / divisor


@njit(cache=True, error_model="numpy", nogil=True)
def quotient_of_sum(losses, divisor, dest):
    """See `add_up`."""
    add_up(losses, divisor, dest)
