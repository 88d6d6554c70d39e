"""Transforms of v2 made of transforms."""

from collections.abc import Callable, Sequence
from typing import Any

import minitorch as torch
from minitorch import nn

from ._transform import Transform, check_probability


class _Container(Transform):
    def __init__(self, transforms: Any, sequences: Any = Sequence, what: str = "a sequence of callables") -> None:
        super().__init__()
        if not isinstance(transforms, sequences):
            raise TypeError(f"Argument transforms should be {what}")
        if not transforms:
            raise ValueError("Pass at least one transform")
        self.transforms = transforms

    def _one_after_the_other(self, transforms: Any, inputs: tuple[Any, ...]) -> Any:
        many = len(inputs) > 1
        for transform in transforms:
            outputs = transform(*inputs)
            inputs = outputs if many else (outputs,)
        return outputs

    def extra_repr(self) -> str:
        return "\n".join([f"    {t}" for t in self.transforms])


class Compose(_Container):
    """Transforms one after the other.

    >>> import minitorch as torch
    >>> from minitorch.vision.transforms import v2
    >>> v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])(torch.full((1, 1, 2), 255, dtype=torch.uint8))
    Image([[[1., 1.]]], )
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__(transforms)

    def forward(self, *inputs: Any) -> Any:
        return self._one_after_the_other(self.transforms, inputs)


class RandomApply(_Container):
    """All of the transforms with probability p, else none."""

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__(transforms, (Sequence, nn.ModuleList), "a sequence of callables or a `nn.ModuleList`")
        check_probability(p)
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        if torch.rand(1) >= self.p:
            return inputs if len(inputs) > 1 else inputs[0]
        return self._one_after_the_other(self.transforms, inputs)


class RandomChoice(_Container):
    """One of the transforms, drawn with probabilities in proportion to p."""

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        if p is not None and len(p) != len(transforms):
            raise ValueError(f"Length of p doesn't match the number of transforms: {len(p)} != {len(transforms)}")
        weights = [1] * len(transforms) if p is None else p
        self.p = [weight / sum(weights) for weight in weights]

    extra_repr = Transform.extra_repr

    def forward(self, *inputs: Any) -> Any:
        return self.transforms[int(torch.multinomial(torch.tensor(self.p), 1))](*inputs)


class RandomOrder(_Container):
    """The transforms in a random order."""

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__(transforms)

    extra_repr = Transform.extra_repr

    def forward(self, *inputs: Any) -> Any:
        order = torch.randperm(len(self.transforms)).tolist()
        return self._one_after_the_other([self.transforms[i] for i in order], inputs)
