"""`Tracer` and `symbolic_trace`: running a program on proxies, so that a graph of its calls is left."""

import builtins
import functools
import inspect
import math
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import minitorch
from minitorch import nn, overrides
from minitorch._assertions import _assert

from .graph import Graph
from .graph_module import GraphModule
from .node import Argument
from .proxy import ParameterProxy, Proxy, TracerBase

__all__ = ["Tracer", "symbolic_trace", "wrap"]

# the functions given to `wrap`, by the globals in which they are looked up and their name there
_wrapped: dict[tuple[int, str], dict[str, Any]] = {}
_VARIABLE = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def wrap(fn_or_name: str | Callable[..., Any]) -> Any:
    """Record calls of a function of this file as they are, not what it does. To be called at module scope."""
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError("Unsupported type for global function! Must be either a callable or string name")
    name = fn_or_name if isinstance(fn_or_name, str) else fn_or_name.__name__
    current = inspect.currentframe()
    frame = current and current.f_back
    if frame is None or frame.f_code.co_name != "<module>":
        raise NotImplementedError("wrap must be called at the top level of a module")
    _wrapped[id(frame.f_globals), name] = frame.f_globals
    return fn_or_name


def _proxy_in(values: Any) -> Proxy | None:
    for value in values:
        if isinstance(value, Proxy):
            return value
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
        found = _proxy_in(inner)
        if found is not None:
            return found
    return None


def _recording(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, or where a proxy is among the arguments a node for its call."""

    @functools.wraps(function)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        proxy = _proxy_in((args, kwargs))
        if proxy is None:
            return function(*args, **kwargs)
        result = proxy.tracer.create_proxy("call_function", function, args, kwargs)
        result.node.meta["is_wrapped"] = True  # where the graph is traced again, it is to be one call again
        return result

    return recorded


class _Patches:
    """Names set to other values for a while."""

    def __init__(self) -> None:
        self.before: list[tuple[Any, str, Any]] = []

    def entry(self, scope: dict[str, Any], name: str, value: Any) -> None:
        """Set a global name."""
        self.before.append((scope, name, scope.get(name, self)))
        scope[name] = value

    def attribute(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute of a class."""
        self.before.append((owner, name, vars(owner).get(name, self)))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Set everything back."""
        for owner, name, value in reversed(self.before):
            if isinstance(owner, dict):
                owner.pop(name) if value is self else owner.__setitem__(name, value)
            else:
                delattr(owner, name) if value is self else setattr(owner, name, value)


class Tracer(TracerBase):
    """Records a module or function. Subclasses say which modules are calls of their own, and may change what is noted.

    `autowrap_modules` are Python modules whose functions are recorded as calls, as those given to `wrap` are.
    """

    def __init__(
        self,
        autowrap_modules: tuple[types.ModuleType, ...] = (math,),
        autowrap_functions: tuple[Callable[..., Any], ...] = (),
        param_shapes_constant: bool = False,
    ) -> None:
        super().__init__()
        functions = [f for m in autowrap_modules for n, f in vars(m).items() if not n.startswith("_") and callable(f)]
        self._autowrapped = {id(f): f for f in (*functions, *autowrap_functions)}
        self._autowrap_modules = list(autowrap_modules)
        self.param_shapes_constant = param_shapes_constant
        self.root: nn.Module = nn.Module()
        self.traced_func_name = "forward"
        self.tensor_attrs: dict[Any, str] = {}
        self.submodule_paths: dict[nn.Module, str] | None = None
        self.num_calls: dict[str, int] = {}
        self._parameters: dict[str, Proxy] = {}

    # ------------------------------------------------------------------ what subclasses may change
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a call of m is one node: so it is for all of torch.nn, except Sequential."""
        return m.__module__.startswith(("torch.nn", "minitorch.nn")) and not isinstance(m, nn.Sequential)

    def path_of_module(self, mod: nn.Module) -> str:
        """The path from the root to a submodule; NameError if it is none."""
        path = next((name for name, m in self.root.named_modules() if m is mod), None)
        if path is None:
            raise NameError("module is not installed as a submodule")
        return path

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """What happens when a submodule is called: a node, or for modules that are no leaves their own calls."""
        path = self.path_of_module(m)
        if not self.is_leaf_module(m, path):
            return forward(*args, **kwargs)
        return self.create_proxy("call_module", path, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """What a module's attribute is while it is traced: for parameters, and if wanted buffers, a node."""
        tables: list[Iterator[tuple[str, Any]]] = []
        if isinstance(attr_val, nn.Parameter):
            tables.append(self.root.named_parameters())
        elif self.proxy_buffer_attributes and isinstance(attr_val, minitorch.Tensor):
            tables.append(self.root.named_buffers())
        for name, value in (pair for table in tables for pair in table):
            if value is attr_val:
                if name not in parameter_proxy_cache:
                    parameter_proxy_cache[name] = self._attribute_proxy(name, value)
                return parameter_proxy_cache[name]
        return attr_val

    def _attribute_proxy(self, name: str, value: Any) -> Proxy:
        if self.param_shapes_constant:
            return self.create_proxy(
                "get_attr", name, (), {}, proxy_factory_fn=lambda node: ParameterProxy(self, node, name, value)
            )
        return self.create_proxy("get_attr", name, (), {})

    def create_arg(self, a: Any) -> Argument:
        """An argument as nodes take it; tensors become attributes of the root."""
        if isinstance(a, nn.Parameter):
            name = next((n for n, p in self.root.named_parameters() if p is a), None)
            if name is None:
                raise NameError("parameter is not a member of this module")
            return self.create_node("get_attr", name, (), {})
        if isinstance(a, minitorch.Tensor):
            name = next((n for n, b in self.root.named_buffers() if b is a), None)
            return self.create_node("get_attr", name or self._constant(a), (), {})
        if isinstance(a, nn.Module):
            return self.create_node("get_attr", self.path_of_module(a), (), {})
        return super().create_arg(a)

    def _constant(self, value: Any) -> str:
        known = next((name for tensor, name in self.tensor_attrs.items() if tensor is value), None)
        if known is None:
            number = 0
            while hasattr(self.root, f"_tensor_constant{number}"):
                number += 1
            known = self.tensor_attrs[value] = f"_tensor_constant{number}"
            setattr(self.root, known, value)
        return known

    # ------------------------------------------------------------------ tracing
    def trace(self, root: nn.Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None) -> Graph:
        """The graph of a module or function; arguments in concrete_args have these values in it."""
        if isinstance(root, nn.Module):
            self.root = root
            fn = getattr(type(root), self.traced_func_name)
            self.submodule_paths = {module: name for name, module in root.named_modules()}
        else:
            self.root, fn = nn.Module(), root
        overrides.enable()
        self.graph = Graph(tracer_cls=type(self))
        self._parameters = {}
        self.tensor_attrs = {
            value: f"{path}.{name}" if path else name
            for path, module in self.root.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, minitorch.Tensor) and not isinstance(value, nn.Parameter)
        }
        fn, args = self._create_args_for_root(fn, isinstance(root, nn.Module), concrete_args)
        with self._patched(fn.__globals__):
            returned = fn(*args)
        kind = inspect.unwrap(fn).__annotations__.get("return")
        self.create_node("output", "output", (self.create_arg(returned),), {}, type_expr=kind)
        return self.graph

    @contextmanager
    def _patched(self, scope: dict[str, Any]) -> Iterator[None]:
        patches = _Patches()
        plain_call, plain_read = nn.Module.__call__, nn.Module.__getattribute__
        cache = self._parameters

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            return self.call_module(module, functools.partial(plain_call, module), args, kwargs)

        def read(module: nn.Module, name: str) -> Any:
            value = plain_read(module, name)
            return self.getattr(name, value, cache) if isinstance(value, minitorch.Tensor) else value

        patches.attribute(nn.Module, "__call__", call)
        patches.attribute(nn.Module, "__getattribute__", read)
        for (_, name), where in _wrapped.items():
            patches.entry(where, name, _recording(where.get(name) or getattr(builtins, name)))
        for where in (scope, *map(vars, self._autowrap_modules)):
            for name, value in list(where.items()):
                if id(value) in self._autowrapped:
                    patches.entry(where, name, _recording(value))
        try:
            yield
        finally:
            patches.undo()

    def _create_args_for_root(
        self, fn: Callable[..., Any], is_module: bool, concrete_args: dict[str, Any] | None
    ) -> tuple[Any, list[Any]]:
        plain: Any = inspect.unwrap(fn)
        code, parameters = plain.__code__, inspect.signature(plain).parameters
        count = code.co_argcount + code.co_kwonlyargcount
        names = code.co_varnames[is_module:count]
        if is_module and not code.co_argcount:
            raise RuntimeError("``self`` argument cannot be part of *args expansion!")
        concrete = dict(concrete_args or {})
        args: list[Any] = [self.root] if is_module else []
        for name in names:
            args.append(self._argument(name, parameters[name].default, plain.__annotations__.get(name), concrete))
        if code.co_flags & _VARIABLE or code.co_kwonlyargcount:  # a proxy for each, as if all were positional
            rest = iter(code.co_varnames[count:])
            if code.co_flags & inspect.CO_VARARGS:
                args.append(self.create_proxy("placeholder", f"*{next(rest)}", (), {}))
            if code.co_flags & inspect.CO_VARKEYWORDS:
                args.append(self.create_proxy("placeholder", f"**{next(rest)}", (), {}))
            code = code.replace(
                co_argcount=len(args), co_posonlyargcount=0, co_kwonlyargcount=0, co_flags=code.co_flags & ~_VARIABLE
            )
            fn = types.FunctionType(code, plain.__globals__, plain.__name__, None, plain.__closure__)
            fn.__annotations__ = plain.__annotations__
        return fn, args

    def _argument(self, name: str, default: Any, kind: Any, concrete: dict[str, Any]) -> Any:
        args = () if default is inspect.Parameter.empty else (default,)
        if name not in concrete:
            return self.create_proxy("placeholder", name, args, {}, type_expr=kind)
        value = concrete[name]
        if isinstance(value, (tuple, list, dict)):
            raise NotImplementedError(f"symbolic_trace: a {type(value).__name__} in concrete_args is not supported")
        number = list(concrete).index(name) + 1
        given = self.create_proxy("placeholder", f"{name}_{number}", args, {})
        message = f"{name} has been specialized to have value {value} but got another value"
        if value is None:
            self.create_proxy("call_function", _assert_is_none, (given, message), {})
        elif type(value) in (bool, int, float, str):
            _assert(given == value, message)
        else:
            warnings.warn(
                f"Was not able to add assertion to guarantee correct input {name} to specialized function. It is up to "
                "the user to make sure that your inputs match the inputs you specialized the function with.",
                stacklevel=2,
            )
        return value


def _assert_is_none(value: Any, message: str) -> None:
    assert value is None, message


def symbolic_trace(root: nn.Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None) -> GraphModule:
    """A module that does what `root` does, from the graph of its calls.

    What depends on values is fixed by tracing or refused: `if x.sum() > 0` raises TraceError.

    >>> from minitorch import nn
    >>> traced = symbolic_trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))
    >>> [(node.op, node.target) for node in traced.graph.nodes][1:3]
    [('call_module', '0'), ('call_module', '1')]
    """
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = type(root).__name__ if isinstance(root, nn.Module) else getattr(root, "__name__", type(root).__name__)
    return GraphModule(tracer.root, graph, name)
