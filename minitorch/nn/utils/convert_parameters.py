"""Parameters as one vector, and back."""

from collections.abc import Iterable

import minitorch
from minitorch._tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Same as torch.nn.utils.parameters_to_vector.

    >>> import minitorch
    >>> parameters_to_vector([minitorch.ones(2), minitorch.zeros(1)])
    tensor([1., 1., 0.])
    """
    parameters = list(parameters)
    _check_one_device(parameters)
    return minitorch.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Same as torch.nn.utils.vector_to_parameters: each parameter becomes a slice of `vec`."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    parameters, begin = list(parameters), 0
    _check_one_device(parameters)
    for p in parameters:
        p.data = vec[begin : begin + p.numel()].view_as(p).data
        begin += p.numel()


def _check_one_device(parameters: list[Tensor]) -> None:
    if len({p.device for p in parameters}) > 1:
        raise TypeError("Found two parameters on different devices, this is currently not supported.")
