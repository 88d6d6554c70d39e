"""Hooks around a module's call: registering them, and the call that runs them."""

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from minitorch._tensor import Tensor
from minitorch.utils.hooks import BackwardHook, HookTable, RemovableHandle, add_hook

from ._tables import _ABSENT

_global_backward_pre_hooks = HookTable()
_global_backward_hooks = HookTable()
_global_forward_pre_hooks = HookTable()
_global_forward_hooks = HookTable()
_global_forward_hooks_with_kwargs: OrderedDict[int, bool] = OrderedDict()
_global_forward_hooks_always_called: OrderedDict[int, bool] = OrderedDict()
_global_buffer_registration_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_module_registration_hooks: OrderedDict[int, Callable] = OrderedDict()
_global_parameter_registration_hooks: OrderedDict[int, Callable] = OrderedDict()
# True: full backward hooks, False: those of the deprecated kind, None: none yet. They do not mix.
_global_is_full_backward_hook: bool | None = None


def register_module_buffer_registration_hook(hook: Callable) -> RemovableHandle:
    """Same as in torch: `hook(module, name, buffer)` runs before every `register_buffer`."""
    return add_hook(_global_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Callable) -> RemovableHandle:
    """Same as in torch: `hook(module, name, submodule)` runs before every child is registered."""
    return add_hook(_global_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook: Callable) -> RemovableHandle:
    """Same as in torch: `hook(module, name, param)` runs before every parameter is registered."""
    return add_hook(_global_parameter_registration_hooks, hook)


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Same as in torch: `hook(module, args)` runs before the forward of every module."""
    return add_hook(_global_forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Same as in torch: `hook(module, args, output)` runs after the forward of every module."""
    return add_hook(
        _global_forward_hooks,
        hook,
        kwargs=(_global_forward_hooks_with_kwargs, with_kwargs),
        always=(_global_forward_hooks_always_called, always_call),
    )


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """Same as in torch: `hook(module, grad_output)` runs before the backward of every module."""
    return add_hook(_global_backward_pre_hooks, hook)


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """Same as in torch: `hook(module, grad_input, grad_output)` after every module's backward."""
    return _register_global_backward_hook(hook, full=True)


def register_module_backward_hook(hook: Callable) -> RemovableHandle:
    """Same as in torch, deprecated there: use `register_module_full_backward_hook`."""
    return _register_global_backward_hook(hook, full=False)


def _register_global_backward_hook(hook: Callable, full: bool) -> RemovableHandle:
    global _global_is_full_backward_hook
    if _global_is_full_backward_hook is not None and _global_is_full_backward_hook is not full:
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a "
            "global Module hook. Please use only one of them."
        )
    _global_is_full_backward_hook = full
    return add_hook(_global_backward_hooks, hook)


class _WrappedHook:
    """A hook that gets its module, held weakly, as first argument. Pickled as torch's is."""

    def __init__(self, hook: Callable, module: Any = None) -> None:
        self.hook = hook
        self.with_module = module is not None
        if module is not None:
            self.module = weakref.ref(module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.with_module:
            return self.hook(*args, **kwargs)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args, **kwargs)

    def __getstate__(self) -> dict:
        state = {"hook": self.hook, "with_module": self.with_module}
        if self.with_module:
            state["module"] = self.module()
        return state

    def __setstate__(self, state: dict) -> None:
        self.hook = state["hook"]
        self.with_module = state["with_module"]
        if self.with_module:
            if state["module"] is None:
                raise RuntimeError("You are trying to revive the hook of a dead Module!")
            self.module = weakref.ref(state["module"])


# the path that pickles made by torch, and for torch, know it by
_WrappedHook.__module__ = "minitorch.nn.modules.module"


class HookedCall:
    """The part of Module that registers and runs hooks. `_hooked` says if a call has to look."""

    _hooked = False
    _forward_hooks: HookTable
    _forward_pre_hooks: HookTable
    _backward_hooks: HookTable
    _backward_pre_hooks: HookTable
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _is_full_backward_hook: bool | None
    forward: Callable

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Same as in torch: `hook(module, args)` may return new arguments."""
        flag = (self._forward_pre_hooks_with_kwargs, with_kwargs)
        return add_hook(self._forward_pre_hooks, hook, prepend, kwargs=flag)

    def register_forward_hook(
        self,
        hook: Callable,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Same as in torch: `hook(module, args, output)` may return another output."""
        return add_hook(
            self._forward_hooks,
            hook,
            prepend,
            kwargs=(self._forward_hooks_with_kwargs, with_kwargs),
            always=(self._forward_hooks_always_called, always_call),
        )

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Same as in torch: `hook(module, grad_output)` may return other gradients."""
        return add_hook(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Same as in torch: `hook(module, grad_input, grad_output)` may return other gradients."""
        self._claim_backward_hooks(full=True)
        return add_hook(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """Same as in torch, deprecated there: use `register_full_backward_hook`."""
        self._claim_backward_hooks(full=False)
        return add_hook(self._backward_hooks, hook)

    def _claim_backward_hooks(self, full: bool) -> None:
        if self._is_full_backward_hook is not None and self._is_full_backward_hook is not full:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a "
                "single Module. Please use only one of them."
            )
        self._is_full_backward_hook = full

    def _get_backward_hooks(self) -> tuple[list[Callable], list[Callable]]:
        """The hooks of the full and of the deprecated kind; global ones first."""
        kinds: dict[bool | None, list[Callable]] = {True: [], False: [], None: []}
        kinds[_global_is_full_backward_hook] += _global_backward_hooks.values()
        kinds[self._is_full_backward_hook] += self._backward_hooks.values()
        return kinds[True], kinds[False]

    def _get_backward_pre_hooks(self) -> list[Callable]:
        return [*_global_backward_pre_hooks.values(), *self._backward_pre_hooks.values()]

    def __call__(self, input: Any = _ABSENT, /, *args: Any, **kwargs: Any) -> Any:
        # one argument, or a loss's two, are passed on as they are: packing and unpacking them takes
        # longer than all the rest (245 ns -> 410 ns)
        if not (kwargs or self._hooked or input is _ABSENT):
            if not args:
                return self.forward(input)
            if len(args) == 1:
                return self.forward(input, args[0])
        if input is not _ABSENT:
            args = (input, *args)
        if self._hooked:
            return self._call_impl(*args, **kwargs)
        return self.forward(*args, **kwargs)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        """`forward` with all hooks around it."""
        if not (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or _global_forward_hooks
            or _global_forward_pre_hooks
            or _global_backward_hooks
            or _global_backward_pre_hooks
        ):
            return self.forward(*args, **kwargs)  # they have been removed
        called: set[int] = set()
        outcome = [args, kwargs, None]  # what a hook with always_call=True sees after an exception
        try:
            return self._run_hooks(outcome, called)
        except Exception:
            if _global_forward_hooks_always_called or self._forward_hooks_always_called:
                self._call_hooks_after_exception(outcome, called)
            raise

    def _run_hooks(self, outcome: list, called: set[int]) -> Any:
        self._run_forward_pre_hooks(outcome)
        full_hooks, plain_hooks = self._get_backward_hooks()
        backward_pre_hooks = self._get_backward_pre_hooks()
        boundary = None
        if full_hooks or backward_pre_hooks:
            boundary = BackwardHook(self, full_hooks, backward_pre_hooks)
            outcome[0] = boundary.setup_input_hook(outcome[0])
        args, kwargs, _ = outcome
        outcome[2] = self.forward(*args, **kwargs)
        self._run_forward_hooks(outcome, called)
        result = outcome[2]
        if boundary is not None:
            if not isinstance(result, (Tensor, tuple)):
                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple "
                    f"of Tensors but received {type(result)}",
                    stacklevel=4,
                )
            result = boundary.setup_output_hook(result)
        if plain_hooks:
            _watch_output_node(self, plain_hooks, args, result)
        return result

    def _run_forward_pre_hooks(self, outcome: list) -> None:
        hooks = (*_global_forward_pre_hooks.items(), *self._forward_pre_hooks.items())
        for key, hook in hooks:
            args, kwargs, _ = outcome
            if key in self._forward_pre_hooks_with_kwargs:
                changed = hook(self, args, kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                outcome[:2] = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    outcome[0] = changed if isinstance(changed, tuple) else (changed,)

    def _run_forward_hooks(self, outcome: list, called: set[int]) -> None:
        for key, hook in (*_global_forward_hooks.items(), *self._forward_hooks.items()):
            called.add(key)
            self._run_forward_hook(key, hook, outcome)

    def _run_forward_hook(self, key: int, hook: Callable, outcome: list) -> None:
        args, kwargs, result = outcome
        if key in self._forward_hooks_with_kwargs or key in _global_forward_hooks_with_kwargs:
            changed = hook(self, args, kwargs, result)
        else:
            changed = hook(self, args, result)
        if changed is not None:
            outcome[2] = changed

    def _call_hooks_after_exception(self, outcome: list, called: set[int]) -> None:
        """Run the always_call hooks that the exception kept back; what they raise is a warning."""
        kinds = (
            ("global module", _global_forward_hooks, _global_forward_hooks_always_called),
            ("module", self._forward_hooks, self._forward_hooks_always_called),
        )
        for words, hooks, always in kinds:
            for key, hook in list(hooks.items()):
                if key not in always or key in called:
                    continue
                try:
                    self._run_forward_hook(key, hook, outcome)
                except Exception as error:
                    warnings.warn(
                        f"{words} forward hook with ``always_call=True`` raised an exception "
                        f"that was silenced as another error was raised in forward: {error!s}",
                        stacklevel=3,
                    )


def _watch_output_node(module: Any, hooks: list[Callable], inputs: Any, result: Any) -> None:
    """The deprecated backward hooks: all they see is the node that made the output."""
    first = result
    while not isinstance(first, Tensor):
        values = first.values() if isinstance(first, dict) else first
        first = next(v for v in values if isinstance(v, Tensor) or not isinstance(first, dict))
    node = first.grad_fn
    if node is None:
        return
    for hook in hooks:
        node.register_hook(_WrappedHook(hook, module))
    problem = _what_a_plain_hook_misses(inputs, result, node)
    if problem is not None:
        warnings.warn(problem, FutureWarning, stacklevel=5)


def _what_a_plain_hook_misses(inputs: Any, result: Any, node: Any) -> str | None:
    def tensors(values: Any) -> tuple | None:
        values = (values,) if isinstance(values, Tensor) else values
        whole = isinstance(values, tuple) and all(isinstance(v, Tensor) for v in values)
        return values if whole else None

    remedy = "Please use register_full_backward_hook to get the documented behavior."
    outputs, inputs = tensors(result), tensors(inputs)
    if outputs is None:
        return (
            "Using non-full backward hooks on a Module that does not return a single Tensor or a "
            "tuple of Tensors is deprecated and will be removed in future versions. This hook will "
            f"be missing some of the grad_output. {remedy}"
        )
    if inputs is None:
        return (
            "Using non-full backward hooks on a Module that does not take as input a single Tensor "
            "or a tuple of Tensors is deprecated and will be removed in future versions. This hook "
            f"will be missing some of the grad_input. {remedy}"
        )
    if len({output.grad_fn for output in outputs} - {None}) > 1:
        return (
            "Using a non-full backward hook when outputs are generated by different autograd Nodes "
            "is deprecated and will be removed in future versions. This hook will be missing some "
            f"grad_output. {remedy}"
        )
    before = {tensor.grad_fn for tensor in inputs} - {None}
    if before != {edge[0] for edge in node.next_functions}:
        return (
            "Using a non-full backward hook when the forward contains multiple autograd Nodes "
            "is deprecated and will be removed in future versions. This hook will be missing "
            f"some grad_input. {remedy}"
        )
    return None


for _hooks in (
    _global_backward_pre_hooks,
    _global_backward_hooks,
    _global_forward_pre_hooks,
    _global_forward_hooks,
):
    _hooks.owner = weakref.ref(HookedCall)
