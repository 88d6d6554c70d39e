"""Checkpointing: what a part of a model would keep for its backward pass is computed again instead.

Both forms run the function a second time during backward. The reentrant one (`CheckpointFunction`) is one node, whose
backward runs the function with a graph and a backward pass of its own. The other records as usual, but saved-tensor
hooks keep a placeholder for each saved tensor; the first one that is asked for runs the function again, which gives
back all of them in the same order.
"""

import contextlib
import enum
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from weakref import ref

from minitorch.autograd import backward, enable_grad, engine, no_grad
from minitorch.autograd.function import Function
from minitorch.autograd.graph import saved_tensors_hooks

from ._checkpoint_log import OperationLog, both_runs

__all__ = [
    "CheckpointError", "CheckpointFunction", "CheckpointPolicy", "DefaultDeviceType", "GraphExecGroup",
    "SAC_IGNORED_OPS", "SelectiveCheckpointContext", "check_backward_validity", "checkpoint", "checkpoint_sequential",
    "create_selective_checkpoint_contexts", "detach_variable", "get_device_states", "noop_context_fn",
    "set_checkpoint_debug_enabled", "set_checkpoint_early_stop", "set_device_states",
]  # fmt: skip

_TIP = (
    "Tip: the function must do the same when it is run again: with the same inputs and global state it must save the "
    "same tensors in the same order.\n"
)
_early_stop: bool | None = None  # what set_checkpoint_early_stop says
_debug: bool | None = None  # what set_checkpoint_debug_enabled says
SAC_IGNORED_OPS: set[Any] = set()  # operations that selective checkpointing would pass over


class CheckpointError(RuntimeError):
    """Raised if running the function again does not save what the first run did."""


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs, tensors among them detached, each requiring grad as before."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    return tuple([x.detach().requires_grad_(x.requires_grad) if _is_tensor(x) else x for x in inputs])


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn if none of the inputs requires grad."""
    if not any(x.requires_grad for x in inputs if _is_tensor(x)):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)


def noop_context_fn() -> tuple[Any, Any]:
    """Two contexts that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Any:
    """Whether a second run of a checkpointed function stops once it has saved all that is needed."""
    global _early_stop
    before, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = before


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Any:
    """Whether checkpoints write down their operations, whatever `debug` they are given; None leaves it to that."""
    global _debug
    before, _debug = _debug, enabled
    try:
        yield
    finally:
        _debug = before


# ---------------------------------------------------------------------- random states of devices
class DefaultDeviceType:
    """The device type whose random states are kept where no tensor says which."""

    _default_device_type: str | None = None

    @staticmethod
    def set_device_type(device: str = "cuda") -> None:
        """Set it."""
        DefaultDeviceType._default_device_type = device

    @staticmethod
    def get_device_type() -> str:
        """What was set, else the accelerator that there is, else "cpu"."""
        from minitorch import accelerator

        if not DefaultDeviceType._default_device_type:
            found = accelerator.current_accelerator(True)
            DefaultDeviceType._default_device_type = found.type if found else "cpu"
        return DefaultDeviceType._default_device_type


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """The numbers of the GPUs that the tensors among the arguments are on, and their generators' states."""
    from minitorch import cuda

    numbers = [a.get_device() for a in args if _is_tensor(a) and a.is_cuda]
    return numbers, [cuda.get_rng_state(n) for n in numbers]


def set_device_states(devices: Iterable[int], states: Iterable[Any], *, device_type: str | None = None) -> None:
    """Give the generators of these GPUs these states."""
    from minitorch import cuda

    for number, state in zip(devices, states, strict=False):
        cuda.set_rng_state(state, number)


# ---------------------------------------------------------------------- selective checkpointing
class CheckpointPolicy(enum.Enum):
    """What becomes of an operation's result: kept, or computed again."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


class SelectiveCheckpointContext:
    """What a policy is told about a call beside the operation and its arguments."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None):
        self.is_recompute, self.op_output = is_recompute, op_output


def create_selective_checkpoint_contexts(policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False) -> Any:
    """Not implemented: a policy is told which of `torch.ops` runs, and minitorch has no such operations."""
    raise NotImplementedError(
        "create_selective_checkpoint_contexts(): policy_fn_or_list is not supported by minitorch, which has no "
        "torch.ops; give checkpoint() the parts of the function that are to be computed again"
    )


class GraphExecGroup:
    """Not implemented: several backward passes that share one second run."""

    def __enter__(self) -> Any:
        raise NotImplementedError("torch.utils.checkpoint.GraphExecGroup is not supported by minitorch")

    def __exit__(self, *args: object) -> None:
        pass


def _is_tensor(value: Any) -> bool:
    from minitorch._tensor import Tensor

    return isinstance(value, Tensor)


@contextlib.contextmanager
def _random_numbers_from(rng_state: Any) -> Any:
    """Draw from this state of the generator meanwhile; None leaves it alone."""
    from minitorch.random import get_rng_state, set_rng_state

    if rng_state is None:
        yield
        return
    before = get_rng_state()
    set_rng_state(rng_state)
    try:
        yield
    finally:
        set_rng_state(before)


def _rng_state(preserve: bool) -> Any:
    from minitorch.random import get_rng_state

    return get_rng_state() if preserve else None


def _autocast_as_now() -> Any:
    """For the second run, which may come when the first one's region of autocast has ended."""
    from minitorch.amp import autocast_mode as amp

    dtype, enabled = amp.get_autocast_dtype("cpu"), amp.is_autocast_enabled("cpu")
    return amp.autocast("cpu", dtype, enabled, amp.is_autocast_cache_enabled())


# ---------------------------------------------------------------------- reentrant
class CheckpointFunction(Function):
    """The reentrant form: one node for the whole function."""

    @staticmethod
    def forward(ctx: Any, run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        check_backward_validity(args)
        ctx.run_function, ctx.rng_state = run_function, _rng_state(preserve_rng_state)
        ctx.autocast = _autocast_as_now()
        ctx.inputs = [None if _is_tensor(a) else a for a in args]
        ctx.places = [i for i, a in enumerate(args) if _is_tensor(a)]
        ctx.save_for_backward(*[args[i] for i in ctx.places])
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        if engine.is_partial():
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` "
                "parameter to .backward(). To resolve this error, you can either set use_reentrant=False, or call "
                ".backward() without passing the `inputs` argument."
            )
        inputs = list(ctx.inputs)
        for i, t in zip(ctx.places, ctx.saved_tensors, strict=True):
            inputs[i] = t
        detached = detach_variable(tuple(inputs))
        with _random_numbers_from(ctx.rng_state), enable_grad(), ctx.autocast:
            outputs = ctx.run_function(*detached)
        outputs = (outputs,) if _is_tensor(outputs) else outputs
        pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if _is_tensor(o) and o.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        backward([o for o, _ in pairs], [g for _, g in pairs])
        return (None, None, *[x.grad if _is_tensor(x) else None for x in detached])


# ---------------------------------------------------------------------- not reentrant
class _Enough(Exception):
    """Ends a second run when all that is needed has been saved."""


class _Place:
    """Stands for a saved tensor: its number in the order of saving."""

    __slots__ = ("__weakref__", "number")

    def __init__(self, number: int):
        self.number = number


class _Run:
    """One call of a checkpointed function."""

    def __init__(self, function: Callable[..., Any], early_stop: bool, describe: Callable[[Any], Any], logs: Any):
        self.function, self.early_stop, self.describe, self.logs = function, early_stop, describe, logs
        self.places: list[ref[_Place]] = []
        self.described: list[Any] = []
        self.again: dict[int, Any] = {}  # number -> tensor of the second run
        self.pass_number = -1  # the backward pass that the second run belongs to

    def keep_place(self, t: Any) -> _Place:
        place = _Place(len(self.places))
        self.places.append(ref(place))
        self.described.append(self.describe(t))
        return place

    def give(self, place: _Place) -> Any:
        """The tensor for a place; let go of at once, so that no more is kept than without hooks."""
        if self.pass_number != engine.pass_number() or place.number not in self.again:
            self._run_again()
        return self.again.pop(place.number)

    def _run_again(self) -> None:
        self.again, self.pass_number = {}, engine.pass_number()
        saved = 0

        def keep(t: Any) -> Any:
            nonlocal saved
            if saved < len(self.places) and self.places[saved]() is not None:
                self.again[saved] = t.detach()
            saved += 1
            if saved == len(self.places) and self.early_stop:
                raise _Enough
            return t.detach()

        with contextlib.suppress(_Enough), saved_tensors_hooks(keep, lambda t: t), enable_grad():
            self.function()
        try:
            self._check(saved)
        except CheckpointError as error:
            if self.logs is None:
                raise
            raise CheckpointError(both_runs(*self.logs)) from error

    def _check(self, saved: int) -> None:
        if saved != len(self.places):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.places)}\nNumber of tensors saved "
                f"during recomputation: {saved}.\n{_TIP}"
            )
        different = [
            f"tensor at position {i}:\nsaved metadata: {self.described[i]}\nrecomputed metadata: {self.describe(t)}\n"
            for i, t in self.again.items()
            if self.described[i] != self.describe(t)
        ]
        if different:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than "
                f"during the forward pass.\n{''.join(different)}.\n{_TIP}"
            )


def _metadata(t: Any) -> dict[str, Any]:
    return {"shape": t.shape, "dtype": t.dtype, "device": t.device}


_DESCRIPTIONS: dict[str, Callable[[Any], Any]] = {"default": _metadata, "none": lambda t: None}


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args), keeping none of what its backward needs: it is run again for that.

    `preserve_rng_state=True`: the second run draws the same random numbers. `determinism_check="default"` compares
    shapes, dtypes and devices of what the two runs save, "none" nothing; with `debug` the error if they differ lists
    the operations of both. `context_fn` gives two contexts, one for each run.

    >>> import minitorch as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> y = torch.utils.checkpoint.checkpoint(lambda x: (x * 2).exp(), x, use_reentrant=False)
    >>> y.sum().backward()
    >>> x.grad
    tensor([14.7781, 14.7781])
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch "
            "2.9, calling checkpoint without use_reentrant will raise an exception. use_reentrant=False is "
            "recommended, but if you need to preserve the current default behavior, you can pass use_reentrant=True. "
            "Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve, *args)
    logs = None
    if debug if _debug is None else _debug:
        if context_fn is not noop_context_fn:
            raise ValueError("debug=True is incompatible with non-default context_fn")
        logs = OperationLog(), OperationLog()
    if determinism_check not in _DESCRIPTIONS:
        raise ValueError(f"determinism_check should be one of {list(_DESCRIPTIONS)}, but got {determinism_check}")
    forward_context, recompute_context = logs or context_fn()
    rng_state, autocast = _rng_state(preserve), _autocast_as_now()

    def again() -> None:
        with _random_numbers_from(rng_state), autocast, recompute_context:
            function(*args, **kwargs)

    run = _Run(again, early_stop if _early_stop is None else _early_stop, _DESCRIPTIONS[determinism_check], logs)
    with saved_tensors_hooks(run.keep_place, run.give), forward_context:
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """The functions one after the other, in `segments` parts of which all but the last are checkpointed."""
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. "
            "In version 2.9 we will raise an exception if use_reentrant is not passed. use_reentrant=False is "
            "recommended, but if you need to preserve the current default behavior, you can pass use_reentrant=True. "
            "Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    children = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(children) // segments

    def part(start: int, end: int) -> Callable[[Any], Any]:
        def forward(input: Any) -> Any:
            for function in children[start:end]:
                input = function(input)
            return input

        return forward

    for start in range(0, size * (segments - 1), size):
        input = checkpoint(part(start, start + size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(size * (segments - 1), len(children))(input)
