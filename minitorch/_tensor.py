"""Tensor: an array with its place in the graph.

`array` holds geometry and memory (a NumPy array on the CPU, see `_kernels/strided.py` for other devices); all that
makes it a torch tensor stands beside it. Operations are not here: each is a record in `_ops/`, whose function
`_ops/namespaces.py` puts into this class under the names in the record's `on=`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch.autograd._warnings import warn

from . import _dtype as dtypes
from ._device import CPU, device
from ._layout import Size, strided
from .autograd import engine, node
from .autograd.grad_mode import NO_GRAD, InferenceVersion, state
from .autograd.node import AccumulateGrad, OutputEdge

ndarray = np.ndarray
new = object.__new__


def disabled_torch_function(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """The `__torch_function__` of classes whose instances count as plain tensors, such as Parameter."""
    return func(*args, **(kwargs or {}))


class Tensor:
    """A multi-dimensional array that can record what is done to it.

    `version` is a list of one integer, shared by every view of the memory and by `detach()`. `edge` is the node that
    this tensor's gradient goes to, None if it needs none; for a leaf that is its AccumulateGrad node, so
    `requires_grad` needs no slot. `base` is the tensor this one is a view of, None for others; for views,
    `view_version` is the version at which `edge` was right and `created` says how the view came about, which decides
    whether it may be written to. `retired` is the AccumulateGrad of a leaf that stopped requiring grad: graphs from
    before lead to it, so it serves again if the leaf requires grad again.
    """

    __slots__ = (
        "__dict__", "__weakref__", "_grad", "array", "base", "created", "edge", "retired", "version", "view_version",
    )  # fmt: skip
    __array_priority__ = 1000

    if TYPE_CHECKING:  # the methods that namespaces.py places here

        def __getattr__(self, name: str) -> Any: ...
        def _operator(self, other: Any) -> Any: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operator
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __mod__ = __floordiv__ = __getitem__ = _operator
        __and__ = __or__ = __xor__ = __lt__ = __le__ = __gt__ = __ge__ = _operator

        def __eq__(self, other: object) -> Any: ...
        def __ne__(self, other: object) -> Any: ...
        def __neg__(self) -> Any: ...
        def __invert__(self) -> Any: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __iter__(self) -> Iterator["Tensor"]: ...
        def __len__(self) -> int: ...
        def __bool__(self) -> bool: ...
        def __float__(self) -> float: ...
        def __int__(self) -> int: ...
        def __index__(self) -> int: ...
        def __reduce_ex__(self, protocol: Any) -> Any: ...

    array: Any
    version: list[int]
    edge: Any
    base: "Tensor | None"
    created: Any
    retired: Any
    view_version: int
    _grad: "Tensor | None"

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        from ._legacy_types import legacy_tensor

        return legacy_tensor(cls, *args, **kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__torch_function__ is not disabled_torch_function:
            from . import overrides

            overrides.enable()

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What a public function does with an instance of a subclass: tensors that it returns become `cls`.

        >>> import minitorch as torch
        >>> class Named(torch.Tensor):
        ...     pass
        >>> torch.ones(2).as_subclass(Named) + 1
        Named([2., 2.])
        """
        from .overrides import default_torch_function

        return default_torch_function(cls, func, types, args, kwargs)

    @staticmethod
    def _make_subclass(cls: type, data: "Tensor", require_grad: bool = False) -> Any:
        if not isinstance(data, Tensor):
            raise TypeError(f"_make_subclass(): argument 'data' (position 2) must be Tensor, not {type(data).__name__}")
        t: Any = new(cls)
        t.array, t.version, t.edge, t._grad, t.base = data.array, data.version, None, None, None
        if require_grad.__class__ is not bool:
            kind = type(require_grad).__name__
            raise TypeError(f"_make_subclass(): argument 'require_grad' (position 3) must be bool, not {kind}")
        if require_grad:
            if data.array.dtype not in dtypes.FLOATS:
                raise RuntimeError(
                    "Only Tensors of floating point and complex dtype can require gradients\n"
                    f"This one is of {data.dtype}: take x.float(), or requires_grad=False"
                )
            t.requires_grad = True
        return t

    @staticmethod
    def _make_wrapper_subclass(cls: type, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            "_make_wrapper_subclass() is not supported by minitorch: it has no __torch_dispatch__"
        )

    # ------------------------------------------------------------------ what it is
    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.OF_NUMPY[self.array.dtype]

    @property
    def device(self) -> device:
        return CPU if self.array.__class__ is ndarray else self.array.device

    @property
    def shape(self) -> Size:
        return Size(self.array.shape)

    @property
    def ndim(self) -> int:
        return self.array.ndim

    def size(self, dim: int | None = None, *, axis: int | None = None) -> Any:
        """The shape, or the length of one dimension."""
        if dim is None:
            if axis is None:
                return Size(self.array.shape)
            dim = axis
        shape = self.array.shape
        try:
            if not -max(len(shape), 1) <= dim < max(len(shape), 1) or not shape:
                from ._ops.check import wrap_dim

                wrap_dim(dim, len(shape), scalar=False)
            return shape[dim]
        except TypeError:
            raise TypeError(f"size(): argument 'dim' (position 1) must be int, not {type(dim).__name__}") from None

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return self.array.dtype.itemsize

    itemsize = property(element_size)

    @property
    def nbytes(self) -> int:
        return self.array.size * self.array.dtype.itemsize

    def get_device(self) -> int:
        """The device's index; -1 for the CPU."""
        index = self.device.index
        return -1 if index is None else index

    def is_inference(self) -> bool:
        """Whether it was made in inference mode."""
        return isinstance(self.version, InferenceVersion)

    layout = property(lambda self: strided)
    is_cuda = property(lambda self: self.device.type == "cuda")
    is_cpu = property(lambda self: isinstance(self.array, ndarray))
    is_meta = property(lambda self: self.device.type == "meta")
    is_sparse = is_quantized = is_mkldnn = is_nested = is_sparse_csr = property(lambda self: False)
    is_ipu = is_maia = is_mps = is_mtia = is_vulkan = is_xla = is_xpu = property(lambda self: False)

    def is_distributed(self) -> bool:
        """False: a tensor of several machines is not a thing here, nor in torch any more."""
        return False

    # ------------------------------------------------------------------ its place in the graph
    @property
    def requires_grad(self) -> bool:
        return self.edge is not None or (self.base is not None and current_edge(self) is not None)

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        if flag.__class__ is not bool:
            raise RuntimeError("requires_grad must be a bool")
        if not self.is_leaf:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables."
                + ("" if flag else " If you want to use a computed variable in a subgraph that doesn't require "
                   "differentiation use var_no_grad = var.detach().")
            )  # fmt: skip
        if flag and self.array.dtype not in dtypes.FLOATS:
            raise RuntimeError(
                "only Tensors of floating point and complex dtype can require gradients\n"
                f"This one is of {self.dtype}: take x.float(), or another float dtype"
            )
        if flag and isinstance(self.version, InferenceVersion) and not state.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        if not flag:
            self._retire()
        elif self.edge is None:
            self.edge = getattr(self, "retired", None) or AccumulateGrad(self)

    def _retire(self) -> None:
        if self.edge is not None and self.edge.is_leaf:
            self.retired = self.edge
        self.edge = None

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Say in place whether operations on this tensor are recorded.

        >>> import minitorch as torch
        >>> torch.ones(2).requires_grad_()
        tensor([1., 1.], requires_grad=True)
        """
        if requires_grad.__class__ is not bool:
            raise TypeError(
                "requires_grad_(): argument 'requires_grad' (position 1) must be bool, not "
                + type(requires_grad).__name__
            )
        if requires_grad and self.array.dtype not in dtypes.FLOATS:
            raise RuntimeError(
                "only Tensors of floating point dtype can require gradients\n"
                f"This one is of {self.dtype}: take x.float(), or another float dtype"
            )
        if state.transform is not None:
            state.transform.refuse_leaf()
        if not (requires_grad and self.requires_grad):
            self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        edge = self.edge if self.base is None else current_edge(self)
        return edge is None or edge.is_leaf

    @property
    def grad_fn(self) -> Any:
        edge = self.edge if self.base is None else current_edge(self)
        if edge is None or edge.is_leaf:
            return None
        return edge.parent if edge.__class__ is OutputEdge else edge.shown()

    @property
    def output_nr(self) -> int:
        return self.edge.index if self.edge.__class__ is OutputEdge else 0

    @property
    def grad(self) -> "Tensor | None":
        grad = self._grad
        if grad is not None or self.is_leaf:
            return grad
        if not self.retains_grad:
            warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute "
                "won't be populated during autograd.backward(). If you indeed want the .grad field to be populated "
                "for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf "
                "Tensor by mistake, make sure you access the leaf Tensor instead. See "
                "github.com/pytorch/pytorch/pull/30531 for more information.",
                UserWarning,
            )
        return self._grad

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
                )
            if value is self:
                raise RuntimeError("can't assign Variable as its own grad")
            mine, theirs, expected = self.array, value.array, self.grad_dtype if self.is_leaf else self.dtype
            if expected is not None and expected is not value.dtype:
                raise RuntimeError(
                    f"attempting to assign a gradient with dtype '{value.dtype.c_name.lower()}' to a tensor with "
                    f"grad_dtype '{expected.c_name}'. The gradient must match the tensor's grad_dtype (defaults to "
                    "the tensor's dtype). You can set the tensor's grad_dtype attribute with a specific dtype, or None "
                    "to allow any dtype. Set grad_dtype with caution. Diverging the dtypes of a tensor and its "
                    "gradient may break downstream systems that assume they match."
                )
            if mine.shape != theirs.shape:
                raise RuntimeError(
                    f"attempting to assign a gradient of size '{list(theirs.shape)}' to a tensor of size "
                    f"'{list(mine.shape)}'. Please ensure that the gradient and the tensor are the same size"
                )
            if self.device != value.device:
                raise RuntimeError(
                    f"attempting to assign a gradient with device type '{value.device}' to a tensor with device "
                    f"type '{self.device}'. Please ensure that the gradient and the tensor are on the same device"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def data(self) -> "Tensor":
        """The same memory without history, and with a version counter of its own."""
        return wrap(self.array)

    @data.setter
    def data(self, value: "Tensor") -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self.edge is not None and value.array.dtype not in dtypes.FLOATS:
            raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
        self._lie_over(value.array)

    def _lie_over(self, array: Any) -> None:
        """Become a tensor of other memory; its leaf's node must not keep the old."""
        self.array = array
        edge = self.edge or getattr(self, "retired", None)
        if isinstance(edge, AccumulateGrad):
            edge.array = array

    @property
    def _version(self) -> int:
        if isinstance(self.version, InferenceVersion):
            raise RuntimeError("Inference tensors do not track version counter.")
        return self.version[0]

    @property
    def _base(self) -> "Tensor | None":
        return self.base

    def _is_view(self) -> bool:
        return self.base is not None

    @property
    def retains_grad(self) -> bool:
        return "_retains" in self.__dict__

    def detach(self) -> "Tensor":
        """The same memory and version counter, without history.

        >>> import minitorch as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> x.detach().requires_grad
        False
        """
        mode = state.mode
        if mode is not None and mode is not NO_GRAD:
            return mode.call(DETACH, (self,))
        return wrap(self.array, self.version)

    def detach_(self) -> "Tensor":
        """Forget the history in place."""
        if self.base is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) "
                "for training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and "
                "hence detach_() cannot be called on these gradients. To fix this error, please refer to the "
                "Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution."
            )
        self._retire()
        return self

    def backward(
        self,
        gradient: "Tensor | None" = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add d(self)/d(leaf) to the `grad` of every leaf of the graph.

        >>> import minitorch as torch
        >>> x = torch.tensor(3.0, requires_grad=True)
        >>> (x * x).backward()
        >>> x.grad
        tensor(6.)
        """
        a = self.array
        if state.transform is not None:
            state.transform.refuse_backward()
        if gradient is None and inputs is None and not create_graph and a.__class__ is ndarray and not a.ndim:
            edge = self.edge if self.base is None else current_edge(self)
            one = engine.ONE.get(a.dtype)
            if edge is not None and one is not None:
                return engine.backward_one(edge, one, retain_graph)
        from . import autograd

        return autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def _add_to_grad(self, g: Any) -> None:
        """Add an array to a gradient that has a history or lies on another device."""
        grad = self._grad
        assert grad is not None
        if grad.edge is None and grad.is_cuda:  # in place: graphs of a GPU write where they wrote when captured
            engine.without_recording(grad.add_, wrap(g))
        else:
            self._grad = engine.without_recording(engine.add_tensors, grad, wrap(g))

    def _accumulate_tensor(self, g: "Tensor") -> None:
        """AccumulateGrad under create_graph: gradients have a history, so they are added out of place."""
        self._grad = g if self._grad is None else engine.add_tensors(self._grad, g)

    # ------------------------------------------------------------------ as an object
    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        from ._tensor_str import tensor_repr

        return self.array.text() if hasattr(self.array, "text") else tensor_repr(self)

    def __dir__(self) -> list[str]:
        return sorted({n for n in object.__dir__(self) if n not in self.__slots__ or n.startswith("__")})


class _Detach:
    """`detach` in the form an interceptor calls."""

    name = "detach"

    @staticmethod
    def function(t: Tensor) -> Tensor:
        return t.detach()


DETACH = _Detach()


def wrap(array: Any, version: list[int] | None = None) -> Tensor:
    """A tensor without history over an array of any device."""
    t = new(Tensor)
    t.array = array
    t.version = version or [0]
    t.edge = t._grad = t.base = None
    return t


def current_edge(t: Tensor) -> Any:
    """The edge of a view, renewed if its memory was written to through another view since."""
    if t.version[0] == t.view_version:
        return t.edge
    from ._ops.inplace import renewed_edge

    return renewed_edge(t)


engine.tensor_class = node.tensor_class = Tensor
engine.wrap = wrap

__test__ = {"Tensor": Tensor}  # for doctest: the class says that it is of `minitorch`
