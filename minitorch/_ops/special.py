"""torch.special: the families of the error function, the gamma function and the Bessel functions.

Formulas as in `pointwise.py`. The functions of one number are in `_kernels/cpu/special.py` and `bessel.py`, with their
sources; derivatives are those of the Digital Library of Mathematical Functions, chapters 5, 7, 8, 10 and 25.
"""

import math
from typing import Any

from minitorch._creation import FACTORIES
from minitorch._kernels.scalar import (  # type: ignore[attr-defined]
    absolute,
    bessel_j,
    bessel_y,
    chebyshev,
    exp,
    hermite,
    k0,
    k1,
    laguerre,
    legendre,
    log,
    log1p,
    scaled_k,
    sin,
    spherical_j0,
    where,
)
from minitorch._tensor import Tensor

from .arithmetic import write_result
from .check import check, integer
from .matrices import tensor_gradient
from .op import pointwise, structured
from .operands import to_float
from .public import FUNCTIONS, into, op, public

_EVERYWHERE = "torch Tensor special"


# ---------------------------------------------------------------------- the error function
@pointwise(on=_EVERYWHERE, inplace="torch Tensor", result="float")
def erf(x):
    return erf(x)


@erf.grad("x")
def erf_grad_x(g, x):
    return g * (1.1283791670955126 * exp(-(x * x)))


@pointwise(on=_EVERYWHERE, inplace="torch Tensor", result="float")
def erfc(x):
    return erfc(x)


@erfc.grad("x")
def erfc_grad_x(g, x):
    return g * (-1.1283791670955126 * exp(-(x * x)))


@pointwise(on=_EVERYWHERE, inplace=True, result="float")
def erfinv(x):
    return erfinv(x)


@erfinv.grad("x")
def erfinv_grad_x(g, out):
    return g * (0.886226925452758 * exp(out * out))


@pointwise(on="special", title="SpecialErfcx", result="float", halves="none")
def erfcx(x):
    return erfcx(x)


@erfcx.grad("x")
def erfcx_grad_x(g, x, out):
    return g * (2.0 * x * out - 1.1283791670955126)


@pointwise(on="special", title="SpecialNdtr", result="float")
def ndtr(x):
    return ndtr(x)


@ndtr.grad("x")
def ndtr_grad_x(g, x):
    return g * (0.3989422804014327 * exp(-0.5 * x * x))


@pointwise(on="special", title="SpecialLogNdtr", result="float", halves="none")
def log_ndtr(x):
    return log_ndtr(x)


@log_ndtr.grad("x")
def log_ndtr_grad_x(g, x):
    return g * (0.7978845608028654 / erfcx(x * -0.7071067811865476))


@pointwise(on="special", title="SpecialNdtri", result="float", halves="none")
def ndtri(x):
    return ndtri(x)


@ndtri.grad("x")
def ndtri_grad_x(g, out):
    return g * (2.5066282746310002 * exp(0.5 * out * out))


@pointwise(on="special", title="SpecialEntr", result="float")
def entr(x):
    return where(x > 0.0, -x * log(where(x > 0.0, x, 1.0)), where(x == 0.0, 0.0, where(x < 0.0, -1e999, x)))


@entr.grad("x")
def entr_grad_x(g, x):
    return g * (-log(x) - 1.0)


@pointwise(on="special", title="SpecialXlog1Py", result="float", numbers="xy")
def xlog1py(x, y):
    return where(y != y, y, where(x == 0.0, 0.0, x * log1p(y)))


@xlog1py.grad("x")
def xlog1py_grad_x(g, x, y):
    return where((x == 0.0) & (y <= -1.0), 0.0, g * log1p(y))


@xlog1py.grad("y")
def xlog1py_grad_y(g, x, y):
    return g * x / (y + 1.0)


# ---------------------------------------------------------------------- the gamma function
@pointwise(on="torch Tensor", inplace=True, result="float")
def lgamma(x):
    return lgamma(x)


@lgamma.grad("x")
def lgamma_grad_x(g, x):
    return g * digamma(x)


@pointwise(on=_EVERYWHERE, inplace=True, result="float")
def digamma(x):
    return digamma(x)


@digamma.grad("x")
def digamma_grad_x(g, x):
    s = where(x < 0.5, sin(where(x < 0.5, x, 0.5) * 3.141592653589793), 1.0)
    return g * where(
        x < 0.5,
        9.869604401089358 / (s * s) - zeta_above_zero(2.0, 1.0 - where(x < 0.5, x, 0.5)),
        zeta_above_zero(2.0, where(x < 0.5, 0.5, x)),
    )


# by reflection (DLMF 5.15.6) below 1/2: in the operand's own precision, so that the poles are as large as torch's
@pointwise(title="Polygamma", result="float")
def trigamma(x):
    s = where(x < 0.5, sin(where(x < 0.5, x, 0.5) * 3.141592653589793), 1.0)
    return where(
        x < 0.5,
        9.869604401089358 / (s * s) - zeta_above_zero(2.0, 1.0 - where(x < 0.5, x, 0.5)),
        zeta_above_zero(2.0, where(x < 0.5, 0.5, x)),
    )


@trigamma.grad("x")
def trigamma_grad_x(g, x):
    return g * polygamma(2.0, x)


@pointwise(title="Polygamma", result="float")
def polygamma_of_order(x, *, order):
    return polygamma(order, x)


@polygamma_of_order.grad("x")
def polygamma_of_order_grad_x(g, x, *, order):
    return g * polygamma(order + 1.0, x)


# what has no derivative by its first operand: its backward pass says so, as torch's does
_BY_SECOND_ONLY = "if getattr(input, 'edge', None) is not None: input = functions['underivable'](input, '{name}%s')"


@pointwise(on="special", title="SpecialZeta", result="float", numbers="xy", halves="none", guard=_BY_SECOND_ONLY % "")
def zeta(x, y):
    return zeta(x, y)


@zeta.grad("x")
def zeta_grad_x(g):
    return g  # to `underivable`, which refuses it


@zeta.grad("y")
def zeta_grad_y(g, x, y):
    return g * (-x * zeta(x + 1.0, y))


@pointwise(title="SpecialZeta", result="float", numbers="xy")
def zeta_above_zero(x, y):
    return zeta_above_zero(x, y)


@zeta_above_zero.grad("y")
def zeta_above_zero_grad_y(g, x, y):
    return g * (-x * zeta_above_zero(x + 1.0, y))


@structured(name="underivable", title="NotImplemented", tensors="input", halves="own")
def underivable(input, what):
    return input.shape, input.dtype


@underivable.cpu
def underivable_array(input, what):
    return input.copy()


@underivable.grad("input")
def underivable_grad(g, what):
    return no_derivative(g, what)


@tensor_gradient
def no_derivative(g: Tensor, what: str) -> Tensor:
    raise NotImplementedError(f"the derivative for '{what}' is not implemented.")


@pointwise(on="torch Tensor", inplace=True, result="float_only", numbers="", guard=_BY_SECOND_ONLY % ": input")
def igamma(x, y):
    return igamma(x, y)


@igamma.grad("x")
def igamma_grad_x(g):
    return g  # to `underivable`, which refuses it


@igamma.grad("y")
def igamma_grad_y(g, x, y):
    return g * exp((x - 1.0) * log(y) - y - lgamma(x))


@pointwise(on="torch Tensor", inplace=True, result="float_only", numbers="", guard=_BY_SECOND_ONLY % ": input")
def igammac(x, y):
    return igammac(x, y)


@igammac.grad("x")
def igammac_grad_x(g):
    return g  # to `underivable`, which refuses it


@igammac.grad("y")
def igammac_grad_y(g, x, y):
    return -g * exp((x - 1.0) * log(y) - y - lgamma(x))


def polygamma_of(n: float, input: Tensor) -> Tensor:
    """polygamma of a whole number n, as formulas call it."""
    named = {0: "digamma", 1: "trigamma"}.get(int(n))
    return op(named)(input) if named else op("polygamma_of_order")(input, float(n))


@public("torch special")
def polygamma(n: int, input: Tensor, *, out: Any = None) -> Tensor:
    """The n-th derivative of digamma.

    >>> import minitorch as torch
    >>> torch.polygamma(1, torch.tensor([1.0]))
    tensor([1.6449])
    """
    n = integer(n, "n", "polygamma")
    check(n >= 0, "polygamma(n, x) does not support negative n.")
    return into(out, "polygamma", polygamma_of(n, input))


@public("Tensor", name="polygamma")
def tensor_polygamma(self: Tensor, n: int) -> Tensor:
    """The n-th derivative of digamma."""
    return polygamma(n, self)


@public("torch Tensor")
def mvlgamma(input: Tensor, p: int, *, out: Any = None) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p: DLMF 35.3.4."""
    p = integer(p, "p", "mvlgamma")
    check(input.array.dtype != bool, "The input tensor may not be a boolean tensor.")
    check(p >= 1, "p has to be greater than or equal to 1")
    x = to_float(input)
    halves = FACTORIES["arange"](p, dtype=x.dtype, device=x.device) / 2.0
    total = op("sum")(op("lgamma")(op("unsqueeze")(x, -1) - halves), -1)
    return into(out, "mvlgamma", total + p * (p - 1) / 4.0 * math.log(math.pi))


# ---------------------------------------------------------------------- Bessel functions
@pointwise(on=_EVERYWHERE, inplace="torch Tensor", result="float")
def i0(x):
    return i0(x)


@i0.grad("x")
def i0_grad_x(g, x):
    return g * i1(x)


@pointwise(on="special", title="SpecialI0E", result="float")
def i0e(x):
    return i0e(x)


@i0e.grad("x")
def i0e_grad_x(g, x, out):
    return g * (i1e(x) - where(x > 0.0, out, where(x < 0.0, -out, 0.0)))


@pointwise(on="special", title="SpecialI1", result="float")
def i1(x):
    return i1(x)


@i1.grad("x")
def i1_grad_x(g, x, out):
    return g * where(absolute(x) > 0.0, i0(x) - out / where(x == 0.0, 1.0, x), 0.5)


@pointwise(on="special", title="SpecialI1E", result="float")
def i1e(x):
    return i1e(x)


@i1e.grad("x")
def i1e_grad_x(g, x, out):
    s = where(x > 0.0, 1.0, -1.0)
    return g * where(absolute(x) > 0.0, i0e(x) - out * (s + 1.0 / where(x == 0.0, 1.0, x)), 0.5)


@pointwise(on="special", result="float")
def airy_ai(x):
    return airy_ai(x)


@pointwise(on="special", result="float")
def bessel_j0(x):
    return bessel_j(0.0, x)


@pointwise(on="special", result="float")
def bessel_j1(x):
    return bessel_j(1.0, x)


@pointwise(on="special", result="float")
def bessel_y0(x):
    return bessel_y(0.0, x)


@pointwise(on="special", result="float")
def bessel_y1(x):
    return bessel_y(1.0, x)


@pointwise(on="special", result="float")
def modified_bessel_i0(x):
    return i0(x)


@pointwise(on="special", result="float")
def modified_bessel_i1(x):
    return i1(x)


@pointwise(on="special", result="float")
def modified_bessel_k0(x):
    return k0(x)


@pointwise(on="special", result="float")
def modified_bessel_k1(x):
    return k1(x)


@pointwise(on="special", result="float")
def scaled_modified_bessel_k0(x):
    return scaled_k(0.0, x)


@pointwise(on="special", result="float")
def scaled_modified_bessel_k1(x):
    return scaled_k(1.0, x)


@pointwise(on="special", result="float")
def spherical_bessel_j0(x):
    return spherical_j0(x)


# ---------------------------------------------------------------------- orthogonal polynomials of degree y
@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def chebyshev_polynomial_t(x, y):
    return chebyshev(y, x, x)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def chebyshev_polynomial_u(x, y):
    return chebyshev(y, x, x + x)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def chebyshev_polynomial_v(x, y):
    return chebyshev(y, x, x + x - 1.0)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def chebyshev_polynomial_w(x, y):
    return chebyshev(y, x, x + x + 1.0)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def shifted_chebyshev_polynomial_t(x, y):
    z = x + x - 1.0
    return chebyshev(y, z, z)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def shifted_chebyshev_polynomial_u(x, y):
    z = x + x - 1.0
    return chebyshev(y, z, z + z)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def shifted_chebyshev_polynomial_v(x, y):
    z = x + x - 1.0
    return chebyshev(y, z, z + z - 1.0)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def shifted_chebyshev_polynomial_w(x, y):
    z = x + x - 1.0
    return chebyshev(y, z, z + z + 1.0)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def hermite_polynomial_h(x, y):
    return hermite(y, x, 2.0)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def hermite_polynomial_he(x, y):
    return hermite(y, x, 1.0)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def laguerre_polynomial_l(x, y):
    return laguerre(y, x)


@pointwise(on="special", result="float", numbers="xy", letters={"y": "n"})
def legendre_polynomial_p(x, y):
    return legendre(y, x)


# ---------------------------------------------------------------------- in place
@public("Tensor")
def polygamma_(self: Tensor, n: int) -> Tensor:
    """polygamma, in place."""
    return write_result(self, FUNCTIONS["polygamma"](n, self))


@public("Tensor")
def mvlgamma_(self: Tensor, p: int) -> Tensor:
    """mvlgamma, in place."""
    return write_result(self, FUNCTIONS["mvlgamma"](self, p))
