"""Handles that take hooks away again, and the boundary that module backward hooks watch."""

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["BackwardHook", "RemovableHandle", "unserializable_hook", "warn_if_has_hooks"]


class RemovableHandle:
    """Same as torch.utils.hooks.RemovableHandle: removes a hook, at the latest after its `with`.

    It holds the dictionaries weakly, so a handle never keeps a module alive.

    >>> hooks = OrderedDict()
    >>> handle = RemovableHandle(hooks)
    >>> hooks[handle.id] = print
    >>> handle.remove()
    >>> len(hooks)
    0
    """

    id: int
    next_id: int = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        extra = extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.extra_dict_ref = tuple(weakref.ref(d) for d in extra if d is not None)

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        for ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = ref()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self) -> tuple:
        return self.hooks_dict_ref(), self.id, tuple(ref() for ref in self.extra_dict_ref)

    def __setstate__(self, state: tuple) -> None:
        hooks, self.id, extra = (*state, None)[:3]
        # the reference to a dictionary that dies here is a dead one: the hook's owner was not saved
        self.hooks_dict_ref = weakref.ref(OrderedDict() if hooks is None else hooks)
        self.extra_dict_ref = tuple(weakref.ref(d) for d in extra or () if d is not None)
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.remove()


def add_hook(hooks: Any, hook: Callable, prepend: bool = False, **flags: Any) -> RemovableHandle:
    """Put `hook` into `hooks`; `flags` are pairs (dictionary of flags, whether to set this one)."""
    handle = RemovableHandle(hooks, extra_dict=[flagged for flagged, _ in flags.values()])
    hooks[handle.id] = hook
    for flagged, wanted in flags.values():
        if wanted:
            flagged[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


class HookTable(OrderedDict):
    """Hooks of one kind. The first one put in makes the owner look for hooks from then on.

    So a call, or a step, without hooks checks one attribute, `_hooked`, instead of many tables.
    """

    owner: weakref.ref | None = None

    @classmethod
    def of(cls, owner: Any) -> "HookTable":
        """An empty table of `owner`, an object or, for the hooks of all objects, their class."""
        table = cls()
        table.owner = weakref.ref(owner)
        return table

    def __setitem__(self, key: int, hook: Any) -> None:
        super().__setitem__(key, hook)
        owner = None if self.owner is None else self.owner()
        if owner is not None:
            owner._hooked = True

    def __repr__(self) -> str:
        return repr(OrderedDict(self))

    def __reduce_ex__(self, protocol: Any) -> tuple:
        # a plain one, as in torch, when saved or deep-copied
        return OrderedDict, (), None, None, iter(self.items())


def unserializable_hook(f: Callable) -> Callable:
    """Same as torch.utils.hooks.unserializable_hook: saving its tensor does not warn."""
    f.__torch_unserializable__ = True  # type: ignore[attr-defined]
    return f


def warn_if_has_hooks(tensor: Any) -> None:
    """Warn once for each gradient hook of `tensor` that saving would lose."""
    for hook in (tensor._backward_hooks or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            warnings.warn(
                f"backward hook {hook!r} on tensor will not be serialized.  If this is expected, "
                "you can decorate the function with "
                "@torch.utils.hooks.unserializable_hook to suppress this warning",
                stacklevel=2,
            )


def _through_identity_node(values: tuple) -> tuple[tuple, Any, list[int] | None]:
    """Lead the tensors in `values` through one identity node.

    Returns the new values, the node, and where the tensors are; if there is no gradient to watch,
    the values as they are, None and None.
    This is all that module backward hooks ask of autograd.
    """
    from minitorch._tensor import Tensor  # utils sits below the tensor core in import order
    from minitorch.autograd.grad_mode import is_grad_enabled
    from minitorch.nn.modules._functions import BackwardHookFunction

    positions = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not (is_grad_enabled() and any(values[i].requires_grad for i in positions)):
        return values, None, None
    watched = BackwardHookFunction.apply(*(values[i] for i in positions))
    node = next(tensor.grad_fn for tensor in watched if tensor.grad_fn is not None)
    new_values = list(values)
    for position, tensor in zip(positions, watched, strict=True):
        new_values[position] = tensor
    kind = type(values)
    return (tuple(new_values) if kind is tuple else kind(*new_values)), node, positions


def _spread(values: Sequence, positions: Sequence[int], size: int) -> tuple:
    """A tuple of `size` that holds `values` at `positions` and None elsewhere."""
    spread = [None] * size
    for position, value in zip(positions, values, strict=True):
        spread[position] = value
    return tuple(spread)


class BackwardHook:
    """One call of a module with backward hooks, between two identity nodes.

    The gradient reaches the outputs' node first: the pre-hooks run and may change it. It leaves
    through the inputs' node: there the hooks see both sides.
    """

    def __init__(self, module: Any, user_hooks: list[Callable], user_pre_hooks: list[Callable]):
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.grad_outputs: tuple | None = None
        self.n_inputs = -1
        self.input_tensors_index: list[int] | None = None
        self.without_grad: dict[int, tuple] = {}
        self.n_outputs = -1
        self.output_tensors_index: list[int] | None = None

    def setup_input_hook(self, args: tuple) -> tuple:
        """The arguments to call the module with."""
        from minitorch._tensor import Tensor  # utils sits below the tensor core in import order

        # hooks see zeros for them; a description, so as not to keep the tensors
        self.without_grad = {
            i: (tuple(arg.shape), arg.dtype, arg.device)
            for i, arg in enumerate(args)
            if isinstance(arg, Tensor) and not arg.requires_grad
        }
        args, node, self.input_tensors_index = _through_identity_node(args)
        self.n_inputs = len(args)
        if node is not None:
            node.register_hook(self._at_inputs)
        return args

    def setup_output_hook(self, result: Any) -> Any:
        """The outputs to hand to the caller."""
        results = result if isinstance(result, tuple) else (result,)
        results, node, self.output_tensors_index = _through_identity_node(results)
        self.n_outputs = len(results)
        if node is not None:
            node.register_hook(self._at_outputs)
        return results if isinstance(result, tuple) else results[0]

    def _at_outputs(self, _grad_inputs: tuple, grad_outputs: tuple) -> tuple:
        grads = _spread(grad_outputs, self.output_tensors_index or (), self.n_outputs)
        for hook in self.user_pre_hooks:
            changed = hook(self.module, grads)
            if changed is None:
                continue
            if len(changed) != self.n_outputs:
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, "
                    f"got {len(changed)}, but expected {self.n_outputs}"
                )
            grads = changed
        if self.input_tensors_index is None:
            self._without_input_gradients(grads)
        else:
            self.grad_outputs = grads
        return tuple(grads[i] for i in self.output_tensors_index or ())

    def _without_input_gradients(self, grad_outputs: tuple) -> None:
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients. See "
            "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
            "#torch.nn.Module.register_full_backward_hook for more details.",
            stacklevel=5,
        )
        for hook in self.user_hooks:
            changed = hook(self.module, (None,) * self.n_inputs, grad_outputs)
            nothing = isinstance(changed, tuple) and all(grad is None for grad in changed)
            if changed is not None and not nothing:
                raise RuntimeError(
                    "Backward hook for Modules where no input requires "
                    "gradient should always return None or None for all gradients."
                )

    def _at_inputs(self, grad_inputs: tuple, _grad_outputs: tuple) -> tuple | None:
        if self.grad_outputs is None:
            # the gradient came to the inputs by a way around the outputs, as in a double backward
            return None
        from minitorch._creation import zeros  # utils sits below the tensor core in import order

        made = list(_spread(grad_inputs, self.input_tensors_index or (), self.n_inputs))
        for i, (shape, dtype, device) in self.without_grad.items():
            made[i] = zeros(shape, dtype=dtype, device=device)
        grads = tuple(made)
        for hook in self.user_hooks:
            changed = hook(self.module, grads, self.grad_outputs)
            if changed is None:
                continue
            if len(changed) != self.n_inputs:
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, "
                    f"got {len(changed)}, but expected {self.n_inputs}"
                )
            grads = changed
        self.grad_outputs = None
        return tuple(grads[i] for i in self.input_tensors_index or ())
