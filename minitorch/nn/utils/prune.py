"""Same as torch.nn.utils.prune: parameters with a mask, by a hook that multiplies them before every call.

A pruned parameter `weight` becomes the parameter `weight_orig`, the buffer `weight_mask` and the plain attribute
`weight`, their product. The criteria: https://docs.pytorch.org/docs/stable/nn.html#utilities.
"""

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import minitorch
from minitorch._tensor import Tensor
from minitorch.nn.modules.module import Module

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


class BasePruningMethod(ABC):
    """A way to choose a mask. A subclass states its PRUNING_TYPE and computes the mask.

    PRUNING_TYPE says which elements a method that follows another one looks at: "unstructured", those still kept;
    "structured", the slices along `dim` of which any is still kept; "global", all.
    """

    PRUNING_TYPE: str
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask for scores t, within what default_mask keeps."""

    def apply_mask(self, module: Module) -> Tensor:
        """The module's original parameter times its mask."""
        name = getattr(self, "_tensor_name", None)
        assert name is not None, f"Module {module} has to be pruned"
        original = getattr(module, name + "_orig")
        return getattr(module, name + "_mask").to(dtype=original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> "BasePruningMethod":
        """Prune the module's parameter by `cls(*args, **kwargs)`, on top of what was pruned before."""
        former = _hooks_of(module, name)
        if len(former) > 1:
            raise AssertionError(
                f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}. Use a "
                "PruningContainer."
            )
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        for key, hook in former.items():
            container = hook if isinstance(hook, PruningContainer) else PruningContainer(hook)
            container.add_pruning_method(method)
            method = container
            del module._forward_pre_hooks[key]

        original = getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        assert scores.shape == original.shape, (
            f"importance_scores should have the same shape as parameter {name} of {module}, got {scores.shape} vs "
            f"{original.shape}"
        )
        if former:
            kept = getattr(module, name + "_mask").detach().clone(memory_format=minitorch.contiguous_format)
        else:
            kept = minitorch.ones_like(original)
            module.register_parameter(name + "_orig", original)
            del module._parameters[name]
        try:
            module.register_buffer(name + "_mask", method.compute_mask(scores, default_mask=kept))
            setattr(module, name, method.apply_mask(module))
            module.register_forward_pre_hook(method)
        except Exception:
            if not former:
                module.register_parameter(name, module._parameters.pop(name + "_orig"))
            raise
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """t times its mask, without a module."""
        scores = t if importance_scores is None else importance_scores
        assert scores.shape == t.shape, "importance_scores should have the same shape as tensor t"
        kept = minitorch.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=kept)

    def remove(self, module: Module) -> None:
        """Make the pruned values the parameter; the numbers pruned away are lost."""
        name = getattr(self, "_tensor_name", None)
        assert name is not None, f"Module {module} has to be pruned before pruning can be removed"
        pruned = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = module._parameters.pop(name + "_orig")
        assert original is not None
        original.data = pruned.data
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


class PruningContainer(BasePruningMethod):
    """Methods that were applied to one parameter, one after the other."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if args:
            first = args[0] if not isinstance(args[0], Iterable) or isinstance(args[0], PruningContainer) else None
            methods = args if first is not None else tuple(args[0])
            self._tensor_name = methods[0]._tensor_name
            for method in methods:
                self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod | None) -> None:
        """Append a method for the same parameter."""
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)  # type: ignore[operator]

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, i: int) -> BasePruningMethod:
        return self._pruning_methods[i]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The last method's mask, of what those before it have kept."""
        method = self._pruning_methods[-1]
        mask = default_mask.clone().to(dtype=t.dtype)
        part = _still_open(method, t, default_mask)
        mask[part] = method.compute_mask(t[part], default_mask=default_mask[part]).to(dtype=mask.dtype)
        return mask


def _still_open(method: Any, t: Tensor, mask: Tensor) -> Any:
    """The index of what a method looks at after others."""
    if method.PRUNING_TYPE == "unstructured":
        return mask == 1
    if method.PRUNING_TYPE == "global":
        return (slice(None),) * t.dim()
    if method.PRUNING_TYPE != "structured":
        raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    if not hasattr(method, "dim"):
        raise AttributeError('Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.')
    dim = method.dim + t.dim() * (method.dim < 0)
    if dim < 0:
        raise IndexError(f"Index is out of bounds for tensor with dimensions {t.dim()}")
    kept = mask.sum(dim=[d for d in range(t.dim()) if d != dim]) != 0
    return tuple(kept if d == dim else slice(None) for d in range(t.dim()))


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the parameter a pruned one."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _ByAmount(BasePruningMethod):
    """What is given how much to prune: a number of elements (or slices), or the share of them."""

    def __init__(self, amount: float) -> None:
        is_number, self._whole = isinstance(amount, numbers.Real), isinstance(amount, numbers.Integral)
        if not is_number:
            raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        if amount < 0 or (not self._whole and amount > 1):
            raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer")
        self.amount = amount

    def _count(self, size: int) -> int:
        count = self.amount if self._whole else round(self.amount * size)
        if count > size:
            raise ValueError(f"amount={self.amount} should be smaller than the number of parameters to prune={size}")
        return int(count)


class _Elements(_ByAmount):
    PRUNING_TYPE = "unstructured"

    def _scores(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def _lowest(self) -> bool:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = self._count(t.nelement())
        mask = default_mask.clone(memory_format=minitorch.contiguous_format)
        if count:
            chosen = minitorch.topk(self._scores(t).reshape(-1), count, largest=not self._lowest()).indices
            mask.view(-1)[chosen] = 0
        return mask


class RandomUnstructured(_Elements):
    """Prunes elements at random."""

    def _scores(self, t: Tensor) -> Tensor:
        return minitorch.rand_like(t)

    def _lowest(self) -> bool:
        return False


class L1Unstructured(_Elements):
    """Prunes the elements nearest to 0."""

    def _scores(self, t: Tensor) -> Tensor:
        return minitorch.abs(t)

    def _lowest(self) -> bool:
        return True


class _Slices(_ByAmount):
    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def _kept(self, t: Tensor, count: int) -> Tensor:
        """An index along dim of all but `count` slices."""
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if t.dim() <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
                f"{t.shape} with {t.dim()} dims"
            )
        if self.dim >= t.dim():
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        count = self._count(t.shape[self.dim])
        kept = self._kept(t, count) if count else None
        if kept is None:
            return default_mask
        mask, dim = minitorch.zeros_like(t), self.dim % t.dim()
        mask[tuple(kept if d == dim else slice(None) for d in range(t.dim()))] = 1
        return mask * default_mask.to(dtype=mask.dtype)


class RandomStructured(_Slices):
    """Prunes slices along dim at random."""

    def _kept(self, t: Tensor, count: int) -> Tensor:
        draws = minitorch.rand(t.shape[self.dim])
        return draws > minitorch.kthvalue(draws, count).values


class LnStructured(_Slices):
    """Prunes the slices along dim with the smallest norm of order n."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _kept(self, t: Tensor, count: int) -> Tensor:
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        norms = minitorch.norm(t, p=self.n, dim=others)
        return minitorch.topk(norms, t.shape[self.dim] - count).indices


class CustomFromMask(BasePruningMethod):
    """Prunes what the mask given says."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask * self.mask.to(dtype=default_mask.dtype)


def identity(module: Module, name: str) -> Module:
    """Make a parameter a pruned one, with a mask of ones."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune elements at random; amount is their number (int) or share (float)."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: float, importance_scores: Tensor | None = None) -> Module:
    """Prune the elements with the smallest absolute value; amount is their number (int) or share (float).

    >>> layer = minitorch.nn.Linear(2, 2, bias=False)
    >>> _ = layer.weight.data.copy_(minitorch.tensor([[1.0, -2.0], [0.5, 3.0]]))
    >>> l1_unstructured(layer, "weight", 0.5).weight_mask
    tensor([[0., 1.],
            [0., 1.]])
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune slices along dim at random; amount is their number (int) or share (float)."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Prune the slices along dim with the smallest norm of order n."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune where mask is 0."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Any,
    pruning_method: Any,
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune the elements of several (module, name) as if they were one tensor, by an unstructured method."""
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    parameters, scores = list(parameters), importance_scores or {}
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    values = [getattr(module, name) for module, name in parameters]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method {pruning_method} of '
            f"type {method.PRUNING_TYPE}"
        )
    masks = [
        getattr(module, f"{name}_mask", minitorch.ones_like(value))
        for (module, name), value in zip(parameters, values, strict=True)
    ]
    weighed = [scores.get(pair, value) for pair, value in zip(parameters, values, strict=True)]
    container = PruningContainer()
    container._tensor_name = method._tensor_name = "temp"
    container.add_pruning_method(method)
    final = container.compute_mask(*(minitorch.cat([t.reshape(-1) for t in ts]) for ts in (weighed, masks)))
    sizes = [value.numel() for value in values]
    for (module, name), value, mask in zip(parameters, values, final.split(sizes), strict=True):
        custom_from_mask(module, name, mask=mask.view_as(value))


def remove(module: Module, name: str) -> Module:
    """Make the pruned values of `name` the parameter, for good."""
    for key, hook in _hooks_of(module, name).items():
        hook.remove(module)
        del module._forward_pre_hooks[key]
        return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")


def is_pruned(module: Module) -> bool:
    """Whether any parameter of the module or its children is a pruned one."""
    return any(isinstance(hook, BasePruningMethod) for m in module.modules() for hook in m._forward_pre_hooks.values())


def _hooks_of(module: Module, name: str) -> dict[int, BasePruningMethod]:
    hooks = module._forward_pre_hooks.items()
    return {k: h for k, h in hooks if isinstance(h, BasePruningMethod) and h._tensor_name == name}
