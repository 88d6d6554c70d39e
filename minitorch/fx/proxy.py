"""`Proxy`: what stands for a value while a program is traced, and notes what is done with it."""

import dis
import inspect
import operator
from collections.abc import Callable, Iterator
from typing import Any

import minitorch
from minitorch import overrides

from .graph import Graph
from .node import Argument, Node, Target, map_aggregate

__all__ = ["Attribute", "GraphAppendingTracer", "ParameterProxy", "Proxy", "TraceError", "TracerBase"]

BASE_TYPES = (
    str, int, float, bool, complex, bytes, type(None), type(...), range,
    minitorch.dtype, minitorch.Tensor, minitorch.device, minitorch.memory_format, minitorch.layout,
)  # fmt: skip


class TraceError(ValueError):
    """The program did with a proxy what only a value can tell."""


class TracerBase:
    """What notes calls in `graph`."""

    graph: Graph
    record_stack_traces = False
    trace_asserts = False
    proxy_buffer_attributes = False

    def create_node(
        self,
        kind: str,
        target: Target,
        args: tuple[Argument, ...],
        kwargs: dict[str, Argument],
        name: str | None = None,
        type_expr: Any = None,
    ) -> Node:
        """Add a node to the graph; arguments are nodes."""
        return self.graph.create_node(kind, target, args, kwargs, name, type_expr)

    def proxy(self, node: Node) -> "Proxy":
        """What stands for the result of a node."""
        return Proxy(node, self)

    def create_proxy(
        self,
        kind: str,
        target: Target,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None = None,
        type_expr: Any = None,
        proxy_factory_fn: Callable[[Node], "Proxy"] | None = None,
    ) -> "Proxy":
        """Add a node to the graph; arguments may be proxies. Returns the proxy of its result."""
        node = self.create_node(kind, target, self.create_arg(args), self.create_arg(kwargs), name, type_expr)
        return (proxy_factory_fn or self.proxy)(node)

    def create_arg(self, a: Any) -> Argument:
        """An argument as nodes take it: each proxy its node. NotImplementedError if a graph cannot hold it."""
        if isinstance(a, Proxy):
            return a.node
        if hasattr(a, "__fx_create_arg__"):
            return a.__fx_create_arg__(self)
        if isinstance(a, tuple):
            made = [self.create_arg(x) for x in a]
            return type(a)(*made) if hasattr(a, "_fields") else tuple(made)
        if isinstance(a, list):
            return [self.create_arg(x) for x in a]
        if isinstance(a, dict):
            for key in a:
                if isinstance(key, (Node, Proxy)):
                    raise RuntimeError(
                        f"Keys for dictionaries used as an argument cannot contain a Node. Got key: {key}"
                    )
            return {k: self.create_arg(v) for k, v in a.items()}
        if isinstance(a, slice):
            return slice(self.create_arg(a.start), self.create_arg(a.stop), self.create_arg(a.step))
        if isinstance(a, (Node, *BASE_TYPES)):
            return a
        raise NotImplementedError(f"argument of type: {type(a)}")

    def to_bool(self, obj: "Proxy") -> bool:
        """What decides `if proxy`: an error, unless a tracer knows better."""
        raise TraceError("symbolically traced variables cannot be used as inputs to control flow")

    def iter(self, obj: Any) -> Iterator[Any]:
        """What `for x in proxy` runs over: an error, except where the number of values is plain from the code."""
        frame = inspect.currentframe()
        calling = frame and frame.f_back and frame.f_back.f_back
        if calling is not None:
            instruction = next((i for i in dis.get_instructions(calling.f_code) if i.offset == calling.f_lasti), None)
            if instruction is not None and instruction.opname == "UNPACK_SEQUENCE":
                return (obj[i] for i in range(instruction.argval))
        raise TraceError(
            "Proxy object cannot be iterated. This can be attempted when the Proxy is used in a loop or as a *args or "
            "**kwargs function argument. See the torch.fx docs on pytorch.org for a more detailed explanation of what "
            "types of control flow can be traced, and check out the Proxy docstring for help troubleshooting Proxy "
            "iteration errors"
        )

    def keys(self, obj: "Proxy") -> Any:
        """What `**proxy` asks for."""
        return Attribute(obj, "keys")()


class GraphAppendingTracer(TracerBase):
    """A tracer that adds to the end, or the point of insertion, of a graph that there is."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph


class Proxy:
    """Stands for the result of a node: operators, methods, and functions of torch called with it become nodes.

    >>> graph = Graph()
    >>> x = Proxy(graph.placeholder("x"))
    >>> y = minitorch.sin(x) * 2
    >>> y
    Proxy(mul)
    >>> [node.name for node in graph.nodes]
    ['x', 'sin', 'mul']
    """

    def __init__(self, node: Node, tracer: TracerBase | None = None) -> None:
        overrides.enable()
        self.tracer = GraphAppendingTracer(node.graph) if tracer is None else tracer
        self.node = node

    def __repr__(self) -> str:
        return f"Proxy({self.node.name})"

    def __getattr__(self, k: str) -> Any:
        if (k.startswith("__") and k.endswith("__")) or k in ("node", "tracer"):  # what copy and pickle look for
            raise AttributeError(k)
        return Attribute(self, k)

    def __call__(self, *args: Any, **kwargs: Any) -> "Proxy":
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __iter__(self) -> Iterator[Any]:
        return self.tracer.iter(self)

    def __bool__(self) -> bool:
        return self.tracer.to_bool(self)

    def __abs__(self) -> "Proxy":
        return self.tracer.create_proxy("call_function", operator.abs, (self,), {})

    def __len__(self) -> int:
        raise RuntimeError(
            "'len' is not supported in symbolic tracing by default. If you want this call to be recorded, please call "
            "torch.fx.wrap('len') at module scope"
        )

    def keys(self) -> Any:
        """What `**proxy` asks for: see the tracer's `keys`."""
        return self.tracer.keys(self)

    @classmethod
    def __torch_function__(cls, orig_method: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found: list[TracerBase] = []

        def look(x: Any) -> Any:
            if isinstance(x, Proxy):
                found.append(x.tracer)
            return x

        map_aggregate((args, kwargs), look)
        tracer = found[0]
        name = overrides.resolve_name(orig_method)
        if name is not None and name.startswith("torch.Tensor."):
            return tracer.create_proxy("call_method", name.split(".")[2], args, kwargs)
        return tracer.create_proxy("call_function", orig_method, args, kwargs)


class Attribute(Proxy):
    """`proxy.name`: a node of its own only if it is used as a value, not if it is called."""

    def __init__(self, root: Proxy, attr: str) -> None:
        self.root, self.attr, self.tracer = root, attr, root.tracer
        self._node: Node | None = None

    @property
    def node(self) -> Node:  # type: ignore[override]
        """The node that reads the attribute, made when first asked for."""
        if self._node is None:
            self._node = self.tracer.create_proxy("call_function", getattr, (self.root, self.attr), {}).node
        return self._node

    def __call__(self, *args: Any, **kwargs: Any) -> Proxy:
        return self.tracer.create_proxy("call_method", self.attr, (self.root, *args), kwargs)


class ParameterProxy(Proxy):
    """Stands for a parameter whose shape and number of dimensions the traced program may ask for as values."""

    def __init__(self, tracer: TracerBase, node: Node, name: str, param: Any) -> None:
        super().__init__(node, tracer)
        self.param, self.name = param, name

    def __repr__(self) -> str:
        return f"ParameterProxy({self.name})"

    @property
    def shape(self) -> Any:
        """The parameter's shape."""
        return self.param.shape

    def size(self, *args: Any) -> Any:
        """The parameter's size."""
        return self.param.size(*args)

    def dim(self) -> int:
        """The parameter's number of dimensions."""
        return self.param.dim()

    @property
    def ndim(self) -> int:
        """The parameter's number of dimensions."""
        return self.param.ndim

    def numel(self) -> int:
        """The parameter's number of elements."""
        return self.param.numel()


REFLECTED = "add sub mul floordiv truediv mod pow lshift rshift and_ or_ xor getitem matmul".split()
OTHERS = "eq ne lt gt le ge pos neg invert".split()


def _operators() -> None:
    """Give Proxy Python's operators; those of numbers also with a proxy on the right."""

    def forward(function: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: Proxy, *args: Any) -> Proxy:
            return self.tracer.create_proxy("call_function", function, (self, *args), {})

        return method

    def reflected(function: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: Proxy, other: Any) -> Proxy:
            return self.tracer.create_proxy("call_function", function, (other, self), {})

        return method

    for name in (*REFLECTED, *OTHERS):
        setattr(Proxy, f"__{name.strip('_')}__", forward(getattr(operator, name)))
        if name in REFLECTED and name != "getitem":
            setattr(Proxy, f"__r{name.strip('_')}__", reflected(getattr(operator, name)))
    Proxy.__hash__ = object.__hash__  # type: ignore[method-assign]


_operators()
