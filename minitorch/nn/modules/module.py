"""Module, the base of every layer and model: registering, attributes, copies, printing.

Its other parts: `_hooks.py` calls it, `_walk.py` finds what is inside, `_convert.py` moves it to
another device or dtype, `_state.py` writes and reads state dictionaries.
"""

import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from minitorch._tensor import Tensor
from minitorch.nn.parameter import Buffer, Parameter, _clear_grad
from minitorch.utils._own_names import parts_have_its_name
from minitorch.utils._typename import typename
from minitorch.utils.hooks import HookTable

from ._convert import Conversions
from ._hooks import (
    HookedCall,
    _global_buffer_registration_hooks,
    _global_module_registration_hooks,
    _global_parameter_registration_hooks,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from ._hooks import _WrappedHook as _WrappedHook
from ._state import _EXTRA_STATE_KEY_SUFFIX as _EXTRA_STATE_KEY_SUFFIX
from ._state import StateDict
from ._state import _IncompatibleKeys as _IncompatibleKeys
from ._tables import CALL_HOOKS, TABLES, Table, entry, keep_unbound, table_of, uses_getattr
from ._walk import Walk

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

T = TypeVar("T", bound="Module")
_OTHER_HOOKS = (
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
_OWN_TABLES = frozenset(TABLES + CALL_HOOKS)


def _forward_unimplemented(self: Any, *input: Any) -> None:
    """Say that the subclass has no forward."""
    raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')


@parts_have_its_name
class Module(HookedCall, Walk, Conversions, StateDict):
    """Same as torch.nn.Module: parameters, buffers and children in order, and a forward to call.

    Assigning a Parameter, a Buffer or a Module to an attribute registers it. `_parameters`,
    `_buffers` and `_modules` are the truth, as in torch; `_tables.py` makes them attributes.

    >>> from minitorch import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Linear(3, 3)
    ...     def forward(self, x):
    ...         return self.layer(self.layer(x))
    >>> [name for name, _ in Twice().named_parameters()]
    ['layer.weight', 'layer.bias']
    """

    if TYPE_CHECKING:  # parameters, buffers and children are attributes, see `_tables.py`

        def __getattr__(self, name: str) -> Any: ...

    dump_patches: bool = False
    call_super_init: bool = False
    training: bool
    forward: Callable[..., Any] = _forward_unimplemented

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        keep_unbound(cls)
        if "__getattr__" not in Module.__dict__ and uses_getattr(cls):
            Module.__getattr__ = entry  # type: ignore[method-assign]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        if not self.call_super_init and kwargs:
            raise TypeError(f"{name}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'")
        if not self.call_super_init and args:
            raise TypeError(f"{name}.__init__() takes 1 positional argument but {len(args) + 1} were given")
        # straight into the dictionary: `__setattr__` has nothing to look for. torch's order.
        attributes = self.__dict__
        attributes["training"] = True
        attributes["_parameters"] = Table(self)
        attributes["_buffers"] = Table(self)
        attributes["_non_persistent_buffers_set"] = set()
        attributes["_backward_pre_hooks"] = HookTable.of(self)
        attributes["_backward_hooks"] = HookTable.of(self)
        attributes["_is_full_backward_hook"] = None
        attributes["_forward_hooks"] = HookTable.of(self)
        attributes["_forward_hooks_with_kwargs"] = OrderedDict()
        attributes["_forward_hooks_always_called"] = OrderedDict()
        attributes["_forward_pre_hooks"] = HookTable.of(self)
        attributes["_forward_pre_hooks_with_kwargs"] = OrderedDict()
        attributes["_state_dict_hooks"] = OrderedDict()
        attributes["_state_dict_pre_hooks"] = OrderedDict()
        attributes["_load_state_dict_pre_hooks"] = OrderedDict()
        attributes["_load_state_dict_post_hooks"] = OrderedDict()
        attributes["_modules"] = Table(self)
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # ------------------------------------------------------------------ registering

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Same as torch.nn.Module.register_buffer; state_dicts hold the persistent ones."""
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        tensor = _run_hooks(_global_buffer_registration_hooks, self, name, tensor)
        self._table("_buffers")[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Same as torch.nn.Module.register_parameter."""
        self._check_name(name, "parameter", "_parameters")
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model "
                    f"parameters must be created explicitly. To express '{name}' "
                    "as a function of another Tensor, compute the value in "
                    "the forward() method."
                )
            param = _run_hooks(_global_parameter_registration_hooks, self, name, param)
        self._table("_parameters")[name] = param

    def add_module(self, name: str, module: "Module | None") -> None:
        """Same as torch.nn.Module.add_module."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        if not isinstance(name, str):
            raise TypeError(f"module name should be a string. Got {typename(name)}")
        if hasattr(self, name) and name not in self._modules:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            raise KeyError(f'module name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError('module name can\'t be empty string ""')
        module = _run_hooks(_global_module_registration_hooks, self, name, module)
        self._table("_modules")[name] = module

    def register_module(self, name: str, module: "Module | None") -> None:
        """Same as `add_module`."""
        self.add_module(name, module)

    def _check_name(self, name: str, kind: str, table: str) -> None:
        if table not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[table]:
            raise KeyError(f"attribute '{name}' already exists")

    def _table(self, kind: str) -> Table:
        entries = self.__dict__[kind]
        # a subclass's own `__setstate__` may have put a plain dictionary there
        return entries if type(entries) is Table else table_of(self, kind, entries)

    # ------------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        # asked first because it is cheap: Parameter and Buffer answer isinstance in Python
        is_tensor = isinstance(value, Tensor)
        if is_tensor and isinstance(value, Parameter):
            if "_parameters" not in attributes:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._set_module(name, value)
        elif name in attributes.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        elif name in attributes.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            self._table("_modules")[name] = _run_hooks(_global_module_registration_hooks, self, name, value)
        elif name in attributes.get("_buffers", ()) or (is_tensor and isinstance(value, Buffer)):
            self._set_buffer(name, value)
        elif name in _OWN_TABLES:
            self._set_table(name, value)
        else:
            object.__setattr__(self, name, value)

    def _set_module(self, name: str, value: "Module") -> None:
        attributes = self.__dict__
        if "_modules" not in attributes:
            raise AttributeError("cannot assign module before Module.__init__() call")
        if name in attributes["_parameters"]:
            raise TypeError(
                f"cannot assign '{typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
            )
        self._forget(name, "_modules")
        value = _run_hooks(_global_module_registration_hooks, self, name, value)
        self._table("_modules")[name] = value

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{typename(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            persistent = value.persistent
        else:
            persistent = name not in self._non_persistent_buffers_set
        overridden = type(self).register_buffer is not Module.register_buffer
        if not overridden or "persistent" in inspect.signature(self.register_buffer).parameters:
            self.register_buffer(name, value, persistent)
        elif persistent:
            self.register_buffer(name, value)
        else:
            raise RuntimeError(
                "Registering a non-persistent buffer on a Module subclass that implements "
                "register_buffer() without the persistent argument is not allowed."
            )

    def _set_table(self, name: str, value: Any) -> None:
        """Take another dictionary in the place of one of the module's own, as torch allows."""
        if name in TABLES and isinstance(value, dict):
            table_of(self, name, value)
        else:
            object.__setattr__(self, name, value)
            # nobody tells when a plain dictionary gets a hook: always look from now on
            self.__dict__["_hooked"] = True

    def _forget(self, name: str, table: str) -> None:
        """Drop what `name` is in all places but `table`, before it becomes an entry there."""
        for kind in TABLES:
            if kind != table:
                self._table(kind).pop(name, None)
        self.__dict__.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        for kind in TABLES:
            if name in self.__dict__[kind]:
                del self._table(kind)[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __getstate__(self) -> dict:
        """The attributes as torch's Module has them: without what `_tables.py` adds."""
        state = self.__dict__.copy()
        state.pop("_hooked", None)
        for kind in TABLES:
            for name, value in state.get(kind, {}).items():
                if name in state and state[name] is value:
                    del state[name]
        return state

    def __setstate__(self, state: dict) -> None:
        attributes = self.__dict__
        attributes.update(state)
        for kind in TABLES:
            if kind in attributes:
                table_of(self, kind, attributes[kind])
        for kind in CALL_HOOKS:
            if attributes.get(kind):
                attributes["_hooked"] = True  # keeps its dictionary: handles saved with it know it
            elif not isinstance(attributes.get(kind), HookTable):
                attributes[kind] = HookTable.of(self)
        for kind in _OTHER_HOOKS:
            attributes.setdefault(kind, OrderedDict())
        attributes.setdefault("_non_persistent_buffers_set", set())
        attributes.setdefault("_is_full_backward_hook", None)

    def __dir__(self) -> list[str]:
        names = set(dir(type(self))) | set(self.__dict__)
        names.update(*(self.__dict__[kind] for kind in TABLES))
        return sorted(name for name in names if not name[0].isdigit())

    # ------------------------------------------------------------------ changing all of it

    def apply(self: T, fn: Callable[["Module"], Any]) -> T:
        """Same as torch.nn.Module.apply: `fn` on every module, children first."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self: T, mode: bool = True) -> T:
        """Same as torch.nn.Module.train."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: T) -> T:
        """Same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self: T, requires_grad: bool = True) -> T:
        """Same as torch.nn.Module.requires_grad_: freeze or thaw every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Same as torch.nn.Module.zero_grad."""
        if getattr(self, "_is_replica", False):
            warnings.warn(
                "Calling .zero_grad() from a module created with nn.DataParallel() has no effect. "
                "The parameters are copied (in a differentiable manner) from the original module. "
                "This means they are not leaf nodes in autograd and so don't accumulate gradients. "
                "If you need gradients in your forward method, consider using autograd.grad "
                "instead.",
                stacklevel=2,
            )
        for parameter in self.parameters():
            _clear_grad(parameter, set_to_none)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Same as torch.nn.Module.compile, by `torch.compile`: the module stays as it is, which is said once."""
        from minitorch.compiler import compile

        compile(self, *args, **kwargs)

    # ------------------------------------------------------------------ printing

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Override to add to what printing the module shows."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {_addindent(repr(m), 2)}" for name, m in self._modules.items()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        body = "".join(f"\n  {line}" for line in lines + children)
        return f"{self._get_name()}({body}\n)" if body else f"{self._get_name()}()"


def _addindent(s_: str, numSpaces: int) -> str:
    first, *rest = s_.split("\n")
    return "\n".join([first, *(" " * numSpaces + line if line.strip() else "" for line in rest)])


def _run_hooks(hooks: dict, module: Module, name: str, value: Any) -> Any:
    """`value` as the global registration hooks leave it."""
    for hook in hooks.values():
        changed = hook(module, name, value)
        if changed is not None:
            value = changed
    return value
