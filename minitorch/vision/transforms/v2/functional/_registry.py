"""Which kernel a functional of v2 has for which class of input."""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

from minitorch import Tensor

from ...._pillow import is_pil_image
from ....tv_tensors import BoundingBoxes, Image, KeyPoints, TVTensor, Video, wrap

Kernel: TypeAlias = Callable[..., Any]


class PILImage:
    """Stands for Pillow's class in the tables, so that these need no Pillow."""


PICTURES = (Tensor, Image, Video, PILImage)
TENSORS = (Tensor, Image, Video)

_kernels: dict[Kernel, dict[type, Kernel]] = {}


def is_pure_tensor(inpt: Any) -> bool:
    """Whether it is a tensor that does not say what it is."""
    return isinstance(inpt, Tensor) and not isinstance(inpt, TVTensor)


def _for_class(kernel: Kernel, kind: type) -> Kernel:
    """The kernel, which takes plain tensors, for a class of tv_tensors."""
    if issubclass(kind, BoundingBoxes):

        def boxes(inpt: Any, *args: Any, **kwargs: Any) -> Any:
            says = dict(format=inpt.format, canvas_size=inpt.canvas_size, clamping_mode=inpt.clamping_mode)
            output, canvas_size = kernel(inpt.as_subclass(Tensor), *args, **says, **kwargs)
            return wrap(output, like=inpt, canvas_size=canvas_size)

        return boxes
    if issubclass(kind, KeyPoints):

        def points(inpt: Any, *args: Any, **kwargs: Any) -> Any:
            output, canvas_size = kernel(inpt.as_subclass(Tensor), *args, canvas_size=inpt.canvas_size, **kwargs)
            return wrap(output, like=inpt, canvas_size=canvas_size)

        return points

    def wrapped(inpt: Any, *args: Any, **kwargs: Any) -> Any:
        output = kernel(inpt.as_subclass(Tensor), *args, **kwargs)
        if isinstance(output, tuple):
            return tuple([wrap(part, like=inpt) for part in output])
        return wrap(output, like=inpt)

    return wrapped


def kernel_for(functional: Kernel, *kinds: type) -> Callable[[Kernel], Kernel]:
    """Makes a function of plain tensors the functional's kernel for these classes.

    One for boxes is also given format=, canvas_size= and clamping_mode=, one for key points canvas_size=; these two
    return the new canvas's size with their result.
    """

    def register(kernel: Kernel) -> Kernel:
        for kind in kinds:
            made = _for_class(kernel, kind) if issubclass(kind, TVTensor) else kernel
            _kernels.setdefault(functional, {})[kind] = made
        return kernel

    return register


def register_kernel(functional: Kernel, tv_tensor_cls: Any) -> Callable[[Kernel], Kernel]:
    """Makes a function the functional's kernel for a tv_tensor class of the caller's own.

    >>> from minitorch.vision import tv_tensors
    >>> from minitorch.vision.transforms.v2 import functional as F
    >>> class Depth(tv_tensors.TVTensor):
    ...     pass
    >>> @F.register_kernel(F.horizontal_flip, Depth)
    ... def flip_depth(inpt):
    ...     return tv_tensors.wrap(inpt.flip(-1), like=inpt)
    >>> F.horizontal_flip(Depth([1, 2]))[0].item()
    2
    """
    from .... import tv_tensors

    if isinstance(tv_tensor_cls, str):
        tv_tensor_cls = getattr(tv_tensors, tv_tensor_cls, None)
    if not (isinstance(tv_tensor_cls, type) and issubclass(tv_tensor_cls, TVTensor)):
        raise ValueError(
            f"Kernels can only be registered for tv_tensors, i.e. subclasses of TVTensor, but got {tv_tensor_cls}."
        )
    if functional not in _kernels:
        raise ValueError(f"{functional!r} is not a functional of transforms.v2")
    if tv_tensor_cls in _kernels[functional]:
        raise ValueError(f"Functional {functional} already has a kernel registered for type {tv_tensor_cls}.")

    def register(kernel: Kernel) -> Kernel:
        _kernels[functional][tv_tensor_cls] = kernel
        return kernel

    return register


def find_kernel(functional: Kernel, inpt: Any) -> Kernel | None:
    """The functional's kernel for this input, or for the nearest base of its class up to TVTensor."""
    table = _kernels[functional]
    if is_pil_image(inpt):
        return table.get(PILImage)
    for kind in type(inpt).__mro__:
        if kind in table:
            return table[kind]
        if kind is TVTensor:  # what pictures need may be wrong for a class of the user's
            return None
    return None


def call(functional: Kernel, inpt: Any, *args: Any, **kwargs: Any) -> Any:
    """The functional of an input that it must have a kernel for."""
    kernel = find_kernel(functional, inpt)
    if kernel is None:
        raise TypeError(
            f"Functional F.{functional.__name__} supports inputs of type {[k.__name__ for k in _kernels[functional]]}, "
            f"but got {type(inpt)} instead."
        )
    return kernel(inpt, *args, **kwargs)


def of_pictures(v1: Kernel, *kinds: type) -> Kernel:
    """A functional that does to pictures what one of transforms.functional does, and nothing to other inputs."""

    @functools.wraps(v1)
    def functional(inpt: Any, *args: Any, **kwargs: Any) -> Any:
        return call(functional, inpt, *args, **kwargs)

    kernel_for(functional, *(kinds or PICTURES))(v1)
    return functional
