"""Which transform leads from the real numbers into a region: `biject_to` one to one, `transform_to` for optimizers."""

from collections.abc import Callable
from typing import Any

from . import constraints, transforms
from .utils import NUMBERS

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]

Factory = Callable[[Any], transforms.Transform]


class ConstraintRegistry:
    """Classes of constraints with functions that make a transform from one.

    >>> import minitorch as torch
    >>> from minitorch.distributions import constraints, transform_to
    >>> transform_to(constraints.greater_than(2.0))(torch.zeros(1))
    tensor([3.])
    """

    def __init__(self) -> None:
        self._registry: dict[type, Factory] = {}

    def register(self, constraint: Any, factory: Factory | None = None) -> Any:
        """Register a function for a constraint's class; without the function, a decorator of it."""
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        kind = type(constraint) if isinstance(constraint, constraints.Constraint) else constraint
        if not isinstance(kind, type) or not issubclass(kind, constraints.Constraint):
            raise TypeError(f"Expected constraint to be either a Constraint subclass or instance, but got {constraint}")
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Any) -> transforms.Transform:
        """The transform from the real numbers into the region."""
        try:
            factory = self._registry[type(constraint)]
        except KeyError:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints") from None
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _affine_exp(bound: Any, sign: int) -> transforms.Transform:
    return transforms.ComposeTransform([transforms.ExpTransform(), transforms.AffineTransform(bound, sign)])


def _into_interval(constraint: Any) -> transforms.Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, NUMBERS) and low == 0 and isinstance(high, NUMBERS) and high == 1:
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])


def _into_parts(registry: ConstraintRegistry) -> dict[Any, Factory]:
    """For constraints that are made of others: transforms made of theirs."""
    return {
        constraints.independent: lambda c: transforms.IndependentTransform(
            registry(c.base_constraint), c.reinterpreted_batch_ndims
        ),
        constraints.cat: lambda c: transforms.CatTransform([registry(part) for part in c.cseq], c.dim, c.lengths),
        constraints.stack: lambda c: transforms.StackTransform([registry(part) for part in c.cseq], c.dim),
    }


_BOTH: dict[Any, Factory] = {
    constraints.real: lambda c: transforms.identity_transform,
    constraints.greater_than: lambda c: _affine_exp(c.lower_bound, 1),
    constraints.greater_than_eq: lambda c: _affine_exp(c.lower_bound, 1),
    constraints.less_than: lambda c: _affine_exp(c.upper_bound, -1),
    constraints.interval: _into_interval,
    constraints.half_open_interval: _into_interval,
    constraints.corr_cholesky: lambda c: transforms.CorrCholeskyTransform(),
}
_TABLES: dict[ConstraintRegistry, dict[Any, Factory]] = {
    biject_to: {
        **_BOTH,
        **_into_parts(biject_to),
        constraints.simplex: lambda c: transforms.StickBreakingTransform(),
    },
    transform_to: {
        **_BOTH,
        **_into_parts(transform_to),
        constraints.simplex: lambda c: transforms.SoftmaxTransform(),
        constraints.lower_cholesky: lambda c: transforms.LowerCholeskyTransform(),
        constraints.positive_definite: lambda c: transforms.PositiveDefiniteTransform(),
        constraints.positive_semidefinite: lambda c: transforms.PositiveDefiniteTransform(),
    },
}
for _registry, _table in _TABLES.items():
    for _constraint, _factory in _table.items():
        _registry.register(_constraint, _factory)
