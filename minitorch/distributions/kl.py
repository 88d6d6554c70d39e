"""kl_divergence, and its formulas for pairs of families.

Formulas for a pair of one family stand by themselves. Those of different families are the entropy of the one and the
mean of the other's log density: see `_cross_entropy`.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

import minitorch as torch
from minitorch import Tensor
from minitorch.nn.functional import softplus

from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal, half_log_det, mahalanobis
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import _sum_rightmost, euler_constant

__all__ = ["kl_divergence", "register_kl"]

Formula = Callable[[Any, Any], Tensor]
_FORMULAS: dict[tuple[type, type], Formula] = {}
_FOUND: dict[tuple[type, type], Formula | None] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Formula], Formula]:
    """Decorator: the function is kl_divergence(p, q) for these classes and their subclasses."""
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def register(formula: Formula) -> Formula:
        _FORMULAS[type_p, type_q] = formula
        _FOUND.clear()  # a closer pair may have come
        return formula

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence of two distributions, the mean under p of log p(x) - log q(x), over the batch.

    >>> import minitorch as torch
    >>> from minitorch.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
    tensor(0.5000)
    """
    kinds = type(p), type(q)
    if kinds not in _FOUND:
        _FOUND[kinds] = _closest(*kinds)
    formula = _FOUND[kinds]
    if formula is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {kinds[0].__name__} and q type {kinds[1].__name__}"
        )
    return formula(p, q)


def _closest(type_p: type, type_q: type) -> Formula | None:
    """The formula of the classes' nearest bases; a warning if p's nearest and q's nearest are of different pairs."""
    pairs = [pair for pair in _FORMULAS if issubclass(type_p, pair[0]) and issubclass(type_q, pair[1])]
    if not pairs:
        return None

    def distance(pair: tuple[type, type]) -> tuple[int, int]:
        return type_p.__mro__.index(pair[0]), type_q.__mro__.index(pair[1])

    by_p = min(pairs, key=distance)
    by_q = min(pairs, key=lambda pair: distance(pair)[::-1])
    if _FORMULAS[by_p] is not _FORMULAS[by_q]:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). "
            f"Please register_kl({by_p[0].__name__}, {by_q[1].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _FORMULAS[by_p]


def _same_event(p: Distribution, q: Distribution) -> int:
    """The size of the event, which must be that of both."""
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be computed"
        )
    return p.event_shape[0]


# ---------------------------------------------------------------------- of one family
@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Tensor:
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    one = torch.where(p.probs == 0, 0, torch.where(q.probs == 0, torch.inf, one))
    return one + torch.where(p.probs == 1, 0, torch.where(q.probs == 1, torch.inf, zero))


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return torch.where(p.total_count > q.total_count, torch.inf, kl)


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    return torch.where(p.probs == 0, 0, torch.where(q.probs == 0, torch.inf, terms)).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_categorical(p: Any, q: Any) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Tensor:
    p_norm = p._cont_bern_log_norm() + torch.log1p(-p.probs)
    q_norm = q._cont_bern_log_norm() + torch.log1p(-q.probs)
    return p.mean * (p.logits - q.logits) + p_norm - q_norm


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    log_means = a.digamma() - a.sum(-1, True).digamma()
    return q._log_normalizer(b) - p._log_normalizer(a) + ((a - b) * log_means).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p: Any, q: Any) -> Tensor:
    """The Bregman divergence of the log normalizer (Nielsen and Nock, ICIP 2010)."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot be computed using Bregman "
            "divergences"
        )
    theta = [param.detach().requires_grad_() for param in p._natural_params]
    normalizer = p._log_normalizer(*theta)
    slopes = torch.autograd.grad(normalizer.sum(), theta, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - normalizer
    for mine, other, slope in zip(theta, q._natural_params, slopes):
        result = result - _sum_rightmost((other - mine) * slope, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    normalizers = b * (p.rate / q.rate).log() + torch.lgamma(b) - torch.lgamma(a)
    return normalizers + (a - b) * torch.digamma(a) + (q.rate - p.rate) * (a / p.rate)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Any, q: Any) -> Tensor:
    ratio, distance = p.scale / q.scale, (q.loc - p.loc) / q.scale
    tail = torch.exp(distance + (1 + ratio).lgamma())
    return tail - ratio.log() - distance + ratio * euler_constant - (1 + euler_constant)


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Tensor:
    return -p.entropy() - torch.log1p(-q.probs) / p.probs - q.logits


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return distance / q.scale - ratio.log() + ratio * torch.exp(-distance / p.scale) - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Tensor:
    """Chyzak and Nielsen, arXiv:1905.10965."""
    return ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Tensor:
    ratio, distance = (p.scale / q.scale).pow(2), ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + distance - 1 - ratio.log())


@register_kl(Pareto, Pareto)
def _pareto(p: Any, q: Any) -> Tensor:
    ratio = q.alpha / p.alpha
    kl = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return torch.where(p.scale < q.scale, torch.inf, kl)


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Tensor:
    kl = ((q.high - q.low) / (p.high - p.low)).log()
    return torch.where((q.low > p.low) | (q.high < p.high), torch.inf, kl)


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: Any, q: Any) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Tensor:
    """A bijection changes no divergence."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# ---------------------------------------------------------------------- normal vectors
def _log_det(d: Any) -> Tensor:
    """The logarithm of the covariance's determinant."""
    return d._log_det() if isinstance(d, LowRankMultivariateNormal) else 2 * half_log_det(d._unbroadcasted_scale_tril)


def _factors(d: Any) -> list[Tensor]:
    """Matrices M whose products M M^T add up to the covariance."""
    if isinstance(d, LowRankMultivariateNormal):
        return [d._unbroadcasted_cov_factor, d._unbroadcasted_cov_diag.sqrt().diag_embed()]
    return [d._unbroadcasted_scale_tril]


def _mahalanobis(d: Any, x: Tensor) -> Tensor:
    is_low_rank = isinstance(d, LowRankMultivariateNormal)
    return d._mahalanobis(x) if is_low_rank else mahalanobis(d._unbroadcasted_scale_tril, x)


def _trace(q: Any, matrix: Tensor) -> Tensor:
    """The trace of S^-1 M M^T, S the covariance of q."""
    if not isinstance(q, LowRankMultivariateNormal):
        return torch.linalg.solve_triangular(q._unbroadcasted_scale_tril, matrix, upper=False).pow(2).sum([-2, -1])
    diagonal = (matrix.pow(2) / q._unbroadcasted_cov_diag.unsqueeze(-1)).sum([-2, -1])
    return diagonal - (q._shrinking() @ matrix).pow(2).sum([-2, -1])


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _normal_vectors(p: Any, q: Any) -> Tensor:
    n = _same_event(p, q)
    trace = sum(_trace(q, matrix) for matrix in _factors(p))
    return 0.5 * (_log_det(q) - _log_det(p) + trace + _mahalanobis(q, q.loc - p.loc) - n)


# ---------------------------------------------------------------------- of different families
def _x_log_x(x: Tensor) -> Tensor:
    return torch.xlogy(x, x)


def _mean_log(p: Any) -> Tensor:
    """The mean of log(x)."""
    if isinstance(p, Beta):
        return p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    if isinstance(p, Exponential):
        return -euler_constant - p.rate.log()
    if isinstance(p, Gamma):
        return p.concentration.digamma() - p.rate.log()
    if isinstance(p, Pareto):
        return p.scale.log() + p.alpha.reciprocal()
    return (_x_log_x(p.high) - _x_log_x(p.low)) / (p.high - p.low) - 1  # of Uniform


def _mean_exp(p: Any, loc: Tensor, scale: Tensor) -> Tensor:
    """The mean of exp((loc - x) / scale)."""
    if isinstance(p, Exponential):
        return torch.exp(loc / scale) * (p.rate * scale) / (p.rate * scale + 1)
    if isinstance(p, Gamma):
        return torch.exp(loc / scale) * (1 + (p.rate * scale).reciprocal()).pow(-p.concentration)
    if isinstance(p, Normal):
        return torch.exp((loc - p.loc) / scale + 0.5 * (p.scale / scale).pow(2))
    return scale / (p.high - p.low) * (torch.exp((loc - p.low) / scale) - torch.exp((loc - p.high) / scale))


def _under_normal(p: Any, q: Normal) -> Tensor:
    square = p.variance + (p.mean - q.loc).pow(2)
    return 0.5 * math.log(2 * math.pi) + q.scale.log() + 0.5 * square / q.scale.pow(2)


def _under_exponential(p: Any, q: Exponential) -> Tensor:
    return q.rate * p.mean - q.rate.log()


def _under_gamma(p: Any, q: Gamma) -> Tensor:
    normalizer = q.concentration.lgamma() - q.concentration * q.rate.log()
    return normalizer - (q.concentration - 1) * _mean_log(p) + q.rate * p.mean


def _under_gumbel(p: Any, q: Gumbel) -> Tensor:
    return q.scale.log() + (p.mean - q.loc) / q.scale + _mean_exp(p, q.loc, q.scale)


def _under_laplace(p: Normal, q: Laplace) -> Tensor:
    """The mean of |x - loc| is that of a folded normal distribution."""
    distance = p.loc - q.loc
    ratio = distance / p.scale
    fold = math.sqrt(2 / math.pi) * p.scale * torch.exp(-0.5 * ratio.pow(2))
    return (2 * q.scale).log() + (fold + distance * torch.erf(math.sqrt(0.5) * ratio)) / q.scale


def _under_uniform(p: Any, q: Uniform) -> Tensor:
    return (q.high - q.low).log()


def _under_pareto(p: Uniform, q: Pareto) -> Tensor:
    return (q.alpha + 1) * _mean_log(p) - (q.alpha * q.scale.pow(q.alpha)).log()


def _under_beta(p: Uniform, q: Beta) -> Tensor:
    a, b = q.concentration1, q.concentration0
    turned = Uniform(1 - p.high, 1 - p.low, validate_args=False)
    return q._log_normalizer(a, b) - (a - 1) * _mean_log(p) - (b - 1) * _mean_log(turned)


def _under_continuous_bernoulli(p: Any, q: ContinuousBernoulli) -> Tensor:
    return -p.mean * q.logits - torch.log1p(-q.probs) - q._cont_bern_log_norm()


def _under_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return q.rate - p.probs * q.rate.log()


# q's class -> the mean under p of q's negative log density, and the p for which it is known and finite somewhere
_CROSS_ENTROPIES: dict[type, tuple[Formula, tuple[type, ...]]] = {
    Normal: (_under_normal, (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Pareto, Uniform)),
    Exponential: (_under_exponential, (Beta, ContinuousBernoulli, Gamma, Pareto, Uniform)),
    Gamma: (_under_gamma, (Beta, Exponential, Pareto, Uniform)),
    Gumbel: (_under_gumbel, (Exponential, Gamma, Normal, Uniform)),
    Laplace: (_under_laplace, (Normal,)),
    Uniform: (_under_uniform, (Beta, ContinuousBernoulli)),
    Pareto: (_under_pareto, (Uniform,)),
    Beta: (_under_beta, (Uniform,)),
    ContinuousBernoulli: (_under_continuous_bernoulli, (Beta, Uniform)),
    Poisson: (_under_poisson, (Bernoulli,)),
}

# p's class -> the q that are 0 somewhere in p's support, for all parameters
_INFINITE: dict[type, tuple[type, ...]] = {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Poisson: (Bernoulli, Binomial),
}


def _is_outside(p: Any, q: Any) -> Any:
    """Where p is not within the support of q; touching ContinuousBernoulli's end counts, as in torch. None: nowhere."""
    if isinstance(q, (Normal, Gumbel)) or not (isinstance(p, Uniform) or isinstance(q, Uniform)):
        return None
    inner, outer = p.support, q.support
    if isinstance(p, ContinuousBernoulli) or isinstance(q, ContinuousBernoulli):
        return (outer.lower_bound >= inner.lower_bound) | (outer.upper_bound <= inner.upper_bound)
    is_below = inner.lower_bound < outer.lower_bound
    return is_below | (inner.upper_bound > outer.upper_bound) if hasattr(outer, "upper_bound") else is_below


def _cross_entropy(formula: Formula) -> Formula:
    """The divergence, from the mean under p of q's negative log density."""

    def kl(p: Any, q: Any) -> Tensor:
        if isinstance(p, Pareto):
            is_infinite = p.alpha <= (2 if isinstance(q, Normal) else 1)  # as the variance or the mean is
            p = Pareto(p.scale, torch.where(is_infinite, 3, p.alpha), validate_args=False)
        else:
            is_infinite = _is_outside(p, q)
        value = formula(p, q) - p.entropy()
        return value if is_infinite is None else torch.where(is_infinite, torch.inf, value)

    return kl


def _infinite(p: Any, q: Any) -> Tensor:
    return torch.full(p.batch_shape, torch.inf, dtype=p.mean.dtype, device=p.mean.device)


for _q, (_formula, _ps) in _CROSS_ENTROPIES.items():
    for _p in _ps:
        register_kl(_p, _q)(_cross_entropy(_formula))
for _p, _qs in _INFINITE.items():
    for _q in _qs:
        register_kl(_p, _q)(_infinite)
