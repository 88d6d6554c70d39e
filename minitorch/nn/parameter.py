"""Tensors that a module owns: parameters, which are trained, and buffers, which are only kept."""

from collections import OrderedDict
from typing import Any, NoReturn

from numpy import ndarray

from minitorch._creation import empty
from minitorch._tensor import Tensor, disabled_torch_function
from minitorch.autograd.grad_mode import state

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "UninitializedTensorMixin",
    "is_lazy",
]


class _ParameterMeta(type(Tensor)):  # type: ignore[misc]
    """A tensor of another class counts as a Parameter once it is marked, as in torch."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        return cls is Parameter and getattr(instance, "_is_param", False) is True


class Parameter(Tensor, metaclass=_ParameterMeta):
    """Same as torch.nn.Parameter: a tensor that becomes a module's parameter when assigned to it.

    It shares the memory of `data`; without data it is empty. Data of a class derived from Tensor
    keeps that class.

    >>> import minitorch
    >>> Parameter(minitorch.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __torch_function__ = staticmethod(disabled_torch_function)

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            return Tensor._make_subclass(cls, data, requires_grad)
        marked = data.detach().requires_grad_(requires_grad)
        if type(marked) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} requires "
                "that detach() returns an instance of the same type, but return type "
                f"{type(marked).__name__} was found instead. To use the type as a Parameter, "
                "please correct the detach() semantics defined by its __torch_dispatch__() "
                "implementation."
            )
        marked._is_param = True
        return marked

    def __deepcopy__(self, memo: dict) -> "Parameter":
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return _rebuild_parameter, (self.data, self.requires_grad, OrderedDict())


def _rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: OrderedDict) -> Parameter:
    # hooks are functions of the process that saved: torch writes an empty dictionary in their place
    return Parameter(data, requires_grad)


class _BufferMeta(type(Tensor)):  # type: ignore[misc]
    """Any tensor counts as a Buffer once it is marked as one, as in torch."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        return cls is Buffer and getattr(instance, "_is_buffer", False) is True


class Buffer(Tensor, metaclass=_BufferMeta):
    """Same as torch.nn.Buffer: a tensor that becomes a module's buffer when assigned to it.

    The result is of the class of `data`, only marked; state_dicts hold the persistent ones.

    >>> import minitorch
    >>> isinstance(Buffer(minitorch.zeros(2)), Buffer)
    True
    """

    __torch_function__ = staticmethod(disabled_torch_function)
    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = empty(0)
        marked = data.detach().requires_grad_(data.requires_grad)
        marked.persistent = persistent
        marked._is_buffer = True
        return marked


class _Unknown:
    """The array of a tensor that has a dtype and a device, but no shape yet."""

    __slots__ = ("device", "dtype")

    def __init__(self, like: Tensor):
        self.device, self.dtype = like.device, like.array.dtype

    def __getattr__(self, name: str) -> Any:
        raise ValueError(
            "Attempted to use an uninitialized parameter. This error happens when you are using a `LazyModule` or "
            "explicitly manipulating `torch.nn.parameter.UninitializedParameter` objects. When using LazyModules "
            "Call `forward` with a dummy batch to initialize the parameters before calling torch functions"
        )


class UninitializedTensorMixin(Tensor):
    """What parameters and buffers of lazy modules share: the first input tells their shape, see `materialize`."""

    cls_to_become: type
    __torch_function__ = staticmethod(disabled_torch_function)

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a tensor of `cls_to_become` with this shape, contents undefined, in place."""
        device = self.device if device is None else device
        self._lie_over(empty(shape, device=device, dtype=self.dtype if dtype is None else dtype).array)
        self.__class__ = self.cls_to_become

    def stand_in(self) -> Tensor:
        """An empty tensor of the same dtype and device, to be converted where the real one cannot be."""
        return empty(0, device=self.device, dtype=self.dtype)

    def become_like(self, other: Tensor) -> None:
        """Take another tensor's dtype and device."""
        self._lie_over(_Unknown(other))

    @property
    def data(self) -> Tensor:
        """A tensor without elements, as in torch: what initializes it before there is a shape has no effect."""
        return self.stand_in()

    @data.setter
    def data(self, value: Tensor) -> None:
        Tensor.data.fset(self, value)  # type: ignore[attr-defined]

    def share_memory_(self) -> NoReturn:
        """Refused: there is no memory yet."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters "
            "before calling `module.share_memory()`."
        )

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call "
            "`forward` to initialize the parameters before accessing their attributes."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.device, self.dtype)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return type(self), (self.requires_grad, self.device, self.dtype)


def is_lazy(param: Any) -> bool:
    """Same as torch.nn.parameter.is_lazy: whether the tensor waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """Same as torch.nn.UninitializedParameter: a Parameter whose shape the first input will tell.

    >>> p = UninitializedParameter()
    >>> p.materialize((2, 3))
    >>> type(p).__name__, p.shape
    ('Parameter', torch.Size([2, 3]))
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        made = Tensor._make_subclass(cls, empty(0, device=device, dtype=dtype), requires_grad)
        made.become_like(made)
        return made


class UninitializedBuffer(UninitializedTensorMixin):
    """Same as torch.nn.UninitializedBuffer: a buffer whose shape the first input will tell."""

    cls_to_become = Tensor

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> Any:
        made = Tensor._make_subclass(cls, empty(0, device=device, dtype=dtype), requires_grad)
        made.become_like(made)
        made.persistent = persistent
        made._is_buffer = True
        return made


def _clear_grad(parameter: Tensor, set_to_none: bool) -> None:
    """Forget the gradient, or make it zeros that belong to no graph."""
    if set_to_none:
        parameter.grad = None
        return
    grad = parameter.grad
    if grad is None:
        return
    is_ordinary = grad.__class__ is Tensor and grad.version.__class__ is list  # no subclass, not of inference mode
    if is_ordinary and state.mode is None and grad.edge is None is grad.base:
        a = grad.array
        if a.__class__ is ndarray and a.flags.c_contiguous:  # the everyday gradient, in a third of the time of zero_
            a.fill(0)
            grad.version[0] += 1
            return
    if grad.grad_fn is not None:
        grad.detach_()
    elif grad.requires_grad:
        grad.requires_grad_(False)
    grad.zero_()
