"""The update of every optimizer that treats each element by itself, as a formula.

`p` is the parameter, `g` its gradient, the other letters are states; keyword-only ones are numbers of the step. As they
stand here the formulas run on Tensors, one operation after the other in torch's order. `_kernels/update.py` makes one
loop of each, in which a call such as `lerp` has the meaning of `_kernels/cpu/optim.py`.
"""
# mypy: ignore-errors

from typing import Any

import minitorch
from minitorch._kernels.update import Update
from minitorch._ops.op import TENSOR_NAMES
from minitorch._tensor import Tensor

lerp, maximum, sign, sqrt, where = map(TENSOR_NAMES.get, ("lerp", "maximum", "sign", "sqrt", "where"))


def add(x: Tensor, y: Tensor, alpha: Any) -> Tensor:
    return x + y * alpha if isinstance(alpha, Tensor) else minitorch.add(x, y, alpha=alpha)


def addcmul(x: Tensor, y: Tensor, z: Tensor, value: Any) -> Tensor:
    return x + value * y * z if isinstance(value, Tensor) else minitorch.addcmul(x, y, z, value=value)


def addcdiv(x: Tensor, y: Tensor, z: Tensor, value: Any) -> Tensor:
    return x + value * (y / z) if isinstance(value, Tensor) else minitorch.addcdiv(x, y, z, value=value)


@Update
def sgd(p, g, buffer, *, negate, decay, rate, momentum, weight, nesterov, first):
    g = g * negate
    if decay != 0.0:
        g = add(g, p, decay)
    if buffer is not None:
        if first != 0.0:
            buffer = g
        else:
            buffer = add(buffer * momentum, g, weight)
        if nesterov != 0.0:
            g = add(g, buffer, momentum)
        else:
            g = buffer
    return add(p, g, rate), buffer


@Update
def adam(p, g, m, v, v_max, *, negate, decay, shrink, weight1, beta2, weight2, root2, eps, rate):
    g = g * negate
    p = p * shrink
    if decay != 0.0:
        g = add(g, p, decay)
    m = lerp(m, g, weight1)
    v = addcmul(v * beta2, g, g, weight2)
    largest = v
    if v_max is not None:
        v_max = maximum(v_max, v)
        largest = v_max
    return addcdiv(p, m, sqrt(largest) / root2 + eps, rate), m, v, v_max


@Update
def adamax(p, g, m, u, *, negate, decay, weight1, beta2, eps, rate):
    g = g * negate
    if decay != 0.0:
        g = add(g, p, decay)
    m = lerp(m, g, weight1)
    u = maximum(u * beta2, abs(g) + eps)
    return addcdiv(p, m, u, rate), m, u


@Update
def nadam(p, g, m, v, *, negate, decay, shrink, weight1, beta2, weight2, bias2, eps, g_rate, m_rate):
    g = g * negate
    p = p * shrink
    if decay != 0.0:
        g = add(g, p, decay)
    m = lerp(m, g, weight1)
    v = addcmul(v * beta2, g, g, weight2)
    scale = sqrt(v / bias2) + eps
    return addcdiv(addcdiv(p, g, scale, g_rate), m, scale, m_rate), m, v


@Update
def radam(p, g, m, v, *, negate, decay, shrink, weight1, beta2, weight2, bias1, root2, eps, lr, rectify):
    g = g * negate
    p = p * shrink
    if decay != 0.0:
        g = add(g, p, decay)
    m = lerp(m, g, weight1)
    v = addcmul(v * beta2, g, g, weight2)
    change = m / bias1 * lr
    if rectify != 0.0:
        change = change * (root2 / (sqrt(v) + eps)) * rectify
    return p - change, m, v


@Update
def adagrad(p, g, total, *, negate, decay, eps, rate):
    g = g * negate
    if decay != 0.0:
        g = add(g, p, decay)
    total = addcmul(total, g, g, 1.0)
    return addcdiv(p, g, sqrt(total) + eps, rate), total


@Update
def adadelta(p, g, v, u, *, negate, decay, rho, weight, eps, rate):
    g = g * negate
    if decay != 0.0:
        g = add(g, p, decay)
    v = addcmul(v * rho, g, g, weight)
    change = sqrt(u + eps) / sqrt(v + eps) * g
    u = addcmul(u * rho, change, change, weight)
    return add(p, change, rate), v, u


@Update
def rmsprop(p, g, v, buffer, mean, *, negate, decay, alpha, weight, momentum, eps, rate):
    g = g * negate
    if decay != 0.0:
        g = add(g, p, decay)
    v = addcmul(v * alpha, g, g, weight)
    spread = v
    if mean is not None:
        mean = lerp(mean, g, weight)
        spread = addcmul(v, mean, mean, -1.0)
    scale = sqrt(spread) + eps
    if buffer is not None:
        buffer = addcdiv(buffer * momentum, g, scale, 1.0)
        p = add(p, buffer, rate)
    else:
        p = addcdiv(p, g, scale, rate)
    return p, v, buffer, mean


@Update
def rprop(p, g, previous, size, *, negate, eta_minus, eta_plus, lowest, highest):
    g = g * negate
    agreement = sign(g * previous)
    turned = agreement < 0.0
    size = size * where(turned, eta_minus, where(agreement > 0.0, eta_plus, where(agreement == 0.0, 1.0, agreement)))
    size = where(size < lowest, lowest, where(size > highest, highest, size))
    g = where(turned, 0.0, g)
    return addcmul(p, sign(g), size, -1.0), g, size


@Update
def asgd(p, g, average, *, negate, decay, shrink, rate, mu):
    g = g * negate
    if decay != 0.0:
        g = add(g, p, decay)
    p = add(p * shrink, g, rate)
    if mu != 1.0:
        average = average + (p - average) * mu
    else:
        average = p
    return p, average
