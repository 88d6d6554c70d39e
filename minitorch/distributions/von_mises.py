"""Directions in the plane."""

import math
from typing import Any

import minitorch as torch
from minitorch import Tensor

from . import constraints
from .distribution import Distribution, expands
from .utils import broadcast_all, lazy_property

__all__ = ["VonMises"]

# polynomials for the Bessel functions I0 and I1, in (x / 3.75)^2 below 3.75 and in 3.75 / x above
# (Abramowitz and Stegun, 9.8.1 to 9.8.4)
SMALL = (
    (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813),
    (0.5, 0.87890594, 0.51498869, 0.15084934, 0.02658733, 0.00301532, 0.00032411),
)
LARGE = (
    (0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281, -0.02057706, 0.02635537, -0.01647633, 0.00392377),
    (0.39894228, -0.03988024, -0.00362018, 0.00163801, -0.01031555, 0.02282967, -0.02895312, 0.01787654, -0.00420059),
)


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    total = torch.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = c + x * total
    return total


def _log_bessel(x: Tensor, order: int) -> Tensor:
    """log of I0(x) or I1(x), the modified Bessel functions, for x > 0."""
    small = _polynomial((x / 3.75) ** 2, SMALL[order])
    if order == 1:
        small = x.abs() * small
    large = x - 0.5 * x.log() + _polynomial(3.75 / x, LARGE[order]).log()
    return torch.where(x < 3.75, small.log(), large)


@expands
class VonMises(Distribution):
    """Angles in [-pi, pi) with the density proportional to exp(concentration * cos(x - loc))."""

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None):
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        """The mean direction."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:
        """One less the length of the mean of the directions."""
        return 1 - (_log_bessel(self.concentration, 1) - _log_bessel(self.concentration, 0)).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        log_prob = self.concentration * torch.cos(value - self.loc)
        return log_prob - math.log(2 * math.pi) - _log_bessel(self.concentration, 0)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """By rejection, in float64 (Best and Fisher, Applied Statistics 28, 1979)."""
        loc, kappa = self.loc.double(), self.concentration.double()
        tau = 1 + (1 + 4 * kappa**2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        r = torch.where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho**2) / (2 * rho))  # the quotient cancels near 0
        shape = self._extended_shape(sample_shape)
        angle = torch.empty(shape, dtype=loc.dtype, device=loc.device)
        done = torch.zeros(shape, dtype=torch.bool, device=loc.device)
        while not done.all():
            u1, u2, u3 = torch.rand((3,) + shape, dtype=loc.dtype, device=loc.device).unbind()
            z = torch.cos(math.pi * u1)
            f = (1 + r * z) / (r + z)
            c = kappa * (r - f)
            is_accepted = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
            angle = torch.where(is_accepted, (u3 - 0.5).sign() * f.acos(), angle)
            done = done | is_accepted
        return ((angle + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)
