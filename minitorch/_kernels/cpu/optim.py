"""Updates of optimizers: one pass over a parameter, all in registers from load to store.

All arrays are contiguous and of one dtype; options come as Python numbers and are rounded to that
dtype first, as torch does with its scalars. A product that torch adds on with one rounding is a
`muladd` here.
"""

from llvmlite import ir
from numba import njit
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def muladd(typingctx, x, y, z):
    """x * y + z with one rounding where the processor can, two where it cannot: as in torch."""

    def codegen(context, builder, signature, args):
        kind = args[0].type
        name = f"llvm.fmuladd.f{signature.return_type.bitwidth}"
        signature = ir.FunctionType(kind, [kind] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), args)

    return z(x, y, z), codegen


@njit(cache=True, error_model="numpy", _nrt=False)
def sgd(param, grad, rate):
    """param[i] += rate * grad[i]"""
    p, g, r = param.reshape(-1), grad.reshape(-1), param.dtype.type(rate)
    for i in range(p.size):
        p[i] = muladd(g[i], r, p[i])


@njit(cache=True, error_model="numpy", _nrt=False)
def sgd_decay(param, grad, rate, decay):
    """param[i] += rate * (grad[i] + decay * param[i])"""
    T = param.dtype.type
    p, g, r, d = param.reshape(-1), grad.reshape(-1), T(rate), T(decay)
    for i in range(p.size):
        p[i] = muladd(muladd(p[i], d, g[i]), r, p[i])


@njit(cache=True, error_model="numpy", _nrt=False)
def sgd_momentum(param, grad, buffer, first, rate, decay, sign, momentum, weight, nesterov):
    """s[i] = sign * grad[i] + decay * param[i]

    buffer[i] = first ? s[i] : momentum * buffer[i] + weight * s[i]
    param[i] += rate * (nesterov ? s[i] + momentum * buffer[i] : buffer[i])
    """
    T = param.dtype.type
    p, g, b = param.reshape(-1), grad.reshape(-1), buffer.reshape(-1)
    r, d, one, m, w = T(rate), T(decay), T(sign), T(momentum), T(weight)
    decays = d != T(0.0)  # asked, because 0 * inf is nan
    for i in range(p.size):
        s = one * g[i]
        if decays:
            s = muladd(p[i], d, s)
        b[i] = s if first else muladd(s, w, m * b[i])
        if nesterov:
            s = muladd(b[i], m, s)
        else:
            s = b[i]
        p[i] = muladd(s, r, p[i])
