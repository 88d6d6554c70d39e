"""Optimizers whose update is one formula per element: see `FormulaOptimizer`."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

import minitorch
from minitorch._creation import full_like
from minitorch._data import tensor
from minitorch._device import backend
from minitorch._kernels.cpu.loops import LARGE
from minitorch._kernels.update import Update
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import enable_grad, set_grad_enabled

from .optimizer import Optimizer

ndarray = np.ndarray
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
Entry = tuple[Tensor, Tensor, dict[str, Any]]
Loops = tuple[Callable[..., bool], Callable[..., bool], list[float]]  # the loop, that for many elements, their numbers

# torch's lists, which are part of its errors
FUSED_DEVICES = ["mps", "cuda", "xpu", "hpu", "cpu", "mtia", "privateuseone"]
CAPTURABLE_DEVICES = ["cuda", "xpu", "hpu", "privateuseone", "xla"]
LATER_OPTIONS = {"foreach": None, "maximize": False, "differentiable": False}  # which old checkpoints lack


class FormulaOptimizer(Optimizer):
    """The base of optimizers that update each element by itself.

    A subclass has a formula (see `_kernels/update.py`), says which states it keeps (`_states`) and which numbers the
    formula gets in a step (`_numbers`). The formula runs as one compiled loop over a parameter and its states; for
    other dtypes and devices, and to be differentiated, the same function runs on Tensors.
    """

    _formula: Update
    _arrays: tuple[str, ...] = ()  # the states with the shape of the parameter, in the formula's order
    _scalars: tuple[str, ...] = ("step",)  # the others, 0-dim tensors
    _later_options: ClassVar[dict[str, Any]] = LATER_OPTIONS
    _takes_sparse = False
    _sparse_error = ""
    _on_devices = "params and state_steps"  # what must be there if capturable
    _capturable_devices: ClassVar[list[str]] = CAPTURABLE_DEVICES

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for key, value in self._later_options.items():
                group.setdefault(key, value)
            for param in group["params"]:
                kept = self.state.get(param, {})
                for name in self._scalars:
                    if kept and not isinstance(kept[name], Tensor):
                        kept[name] = _scalar(float(kept[name]), param, group)

    @classmethod
    def _states(cls, group: dict[str, Any]) -> dict[str, Any]:
        """The states of a parameter, in torch's order, with the numbers that fill them at first."""
        raise NotImplementedError

    @classmethod
    def _numbers(cls, group: dict[str, Any], *scalars: float) -> tuple[dict[str, Any], tuple[float, ...]]:
        """What the formula gets, from the scalar states before this step; and those states after it."""
        raise NotImplementedError

    @classmethod
    def _begin(cls, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, ...]:
        """Complete the state of a parameter; returns its scalar states, equal for most parameters of a group."""
        cls._complete(param, state, group)
        return tuple([state[name].item() for name in cls._scalars])

    @classmethod
    def _complete(cls, param: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            for name, value in cls._states(group).items():
                if name in cls._scalars:
                    state[name] = _scalar(value, param, group)
                else:
                    state[name] = full_like(param, value, requires_grad=False)

    @classmethod
    def _step_on_device(cls, entries: Iterable[Entry], group: dict[str, Any], recorded: bool) -> None:
        """A step whose numbers are tensors on the GPU too: a graph that holds it goes on counting at each replay."""
        for param, grad, state in entries:
            cls._check(param, grad, group)
            cls._complete(param, state, group)
            scalars = [state[name] for name in cls._scalars]
            with set_grad_enabled(recorded):
                numbers, after = cls._numbers(group, *scalars)
                letters = dict(zip(cls._arrays, cls._formula.arrays[2:], strict=True))
                buffers = {letters[name]: state[name] for name in cls._arrays if name in state}
                cls._by_ops(param, grad, buffers, numbers)
            for scalar, value in zip(scalars, after):
                scalar.copy_(value)

    def step(self, closure: Callable | None = None) -> Any:
        """Same as in torch: update the parameters once; returns what `closure` returns."""
        loss = None if closure is None else run_closure(closure)
        for group in self.param_groups:
            loops = self._stateless_loops(group)
            params = group["params"] if loops is None else _update_stateless(group["params"], loops)
            if not params:
                continue
            params = [p for p in params if p._grad is not None]
            if "capturable" in group and not group["capturable"]:
                self._refuse_capture(params)
            grads: list[Any] = [p._grad for p in params]
            states = [self.state[p] for p in params] if self._states(group) else [{}] * len(params)
            self._update(zip(params, grads, states), group, self.defaults["differentiable"])
        return loss

    def _stateless_loops(self, group: dict[str, Any]) -> Loops | None:
        """What updates a group that keeps no states, if nothing but its options matters."""
        return None

    def _refuse_capture(self, params: list[Tensor]) -> None:
        if any(p.is_cuda for p in params) and minitorch.cuda.is_current_stream_capturing():
            raise RuntimeError(
                f"Attempting CUDA graph capture of step() for an instance of {type(self).__name__} but param_groups' "
                "capturable is False."
            )

    @classmethod
    def _update(cls, entries: Iterable[Entry], group: dict[str, Any], recorded: bool = False) -> None:
        """One step of parameters with their gradients and states; only operations on Tensors can be recorded."""
        if group.get("capturable"):
            cls._step_on_device(entries, group, recorded)
            return
        wanted = tuple(cls._states(group))
        names, letters, (kernel, needed), large = cls._plan(wanted)
        together: dict[Any, list[Any]] = {}  # what a GPU updates in one launch
        compiled = not group.get("differentiable")

        def prepared(before: tuple[float, ...]) -> tuple[list[float], tuple[float, ...], dict[str, Any]]:
            if compiled:
                numbers, after = cls._numbers(group, *before)
                return [float(numbers[n]) for n in needed], after, numbers
            with set_grad_enabled(recorded):
                numbers, after = cls._numbers(group, *before)
            return [], after, numbers

        known: dict[tuple[float, ...], tuple[list[float], tuple[float, ...], dict[str, Any]]] = {}
        buffers: list[Tensor] = []
        arrays: list[Any] = []
        if not wanted:
            values, _, numbers = prepared(())
        for param, grad, state in entries:
            array, slopes = param.array, grad.array
            fast = compiled and array.__class__ is slopes.__class__ is ndarray
            if not fast:
                cls._check(param, grad, group)
            if wanted:
                before = cls._begin(param, state, group)
                if before not in known:
                    known[before] = prepared(before)
                values, after, numbers = known[before]
                for name, value in zip(cls._scalars, after):
                    kept = state[name]
                    if kept.array.__class__ is ndarray:
                        kept.array[()] = value
                    else:
                        kept.fill_(value)
                buffers = [state[name] for name in names]
                arrays = [b.array for b in buffers]
            dtype = array.dtype
            loop = kernel if array.size < LARGE else large
            if fast and (dtype is FLOAT32 or dtype is FLOAT64) and loop(array, slopes, *arrays, *values):
                param.version[0] += 1
                for b in buffers:
                    b.version[0] += 1
            elif compiled and param.is_cuda and cls._joins(together, (array, slopes, *arrays), values):
                for t in (param, *buffers):
                    t.version[0] += 1
            else:
                with set_grad_enabled(recorded):
                    cls._by_ops(param, grad, dict(zip(letters, buffers, strict=True)), numbers)

        for (device, _, of_all), given in together.items():
            absent = frozenset(cls._formula.arrays[2:]) - set(letters)
            backend(device).update(cls._formula, absent, given, list(of_all))

    @staticmethod
    def _joins(together: dict[Any, list[Any]], arrays: tuple[Any, ...], values: list[float]) -> bool:
        """Put a parameter to those that one launch updates; False if its arrays do not allow it."""
        device, dtype = arrays[0].device, arrays[0].dtype
        if dtype not in (FLOAT32, FLOAT64) or not backend(device).can_update(arrays):
            return False
        together.setdefault((device, dtype, tuple(values)), []).append(arrays)
        return True

    @classmethod
    @functools.cache
    def _plan(cls, states: tuple[str, ...]) -> tuple[list[str], list[str], Any, Callable[..., bool]]:
        """Which states are arrays, their letters in the formula, its loop with the numbers it takes, one for many."""
        letters = dict(zip(cls._arrays, cls._formula.arrays[2:], strict=True))
        names = [name for name in cls._arrays if name in states]
        absent = frozenset(letters[name] for name in cls._arrays if name not in states)
        return names, [letters[name] for name in names], cls._formula.kernel(absent), cls._formula.large(absent)

    @classmethod
    def _by_ops(cls, param: Tensor, grad: Tensor, buffers: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """The formula on Tensors: for other dtypes and devices, and differentiable."""
        written = {"p": param, **buffers}
        given = written
        if minitorch.is_grad_enabled():  # what the graph keeps must not be written to
            given = {name: t.clone() for name, t in written.items()}
        formula = cls._formula
        args = [grad if a == "g" else given.get(a) for a in formula.arrays]
        results = formula.on_tensors(*args, **{name: numbers[name] for name in formula.scalars})
        for name, result in zip((a for a in formula.arrays if a != "g"), results, strict=True):
            if name in written:
                written[name].copy_(result)

    @classmethod
    def _check(cls, param: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """Raise torch's errors for gradients and devices that cannot be."""
        if grad.is_sparse and not cls._takes_sparse:
            raise RuntimeError(cls._sparse_error or f"{cls.__name__} does not support sparse gradients")
        if group.get("fused"):
            check_fused(param)
        if group.get("capturable") and param.device.type not in cls._capturable_devices:
            raise AssertionError(
                f"If capturable=True, {cls._on_devices} must be on supported devices: {cls._capturable_devices}."
            )

    @classmethod
    def _functional(
        cls, params: list[Tensor], grads: list[Tensor], states: list[dict[str, Any]], options: dict[str, Any]
    ) -> None:
        """A step without an optimizer, for torch's functional forms."""
        for name in cls._scalars:
            if not all(isinstance(state[name], Tensor) for state in states):
                word = "state_steps" if name == "step" else f"{name}s"
                raise RuntimeError(f"API has changed, `{word}` argument must contain a list of singleton tensors")
        if options.get("grad_scale") is not None or options.get("found_inf") is not None:
            raise AssertionError("Expected grad_scale and found_inf to be None")
        cls._update(zip(params, grads, states, strict=True), options)


def _update_stateless(params: list[Tensor], loops: Loops) -> list[Tensor]:
    """One step of those parameters that the compiled loops serve; returns the others."""
    kernel, large, values = loops
    others = []
    for param in params:
        grad = param._grad
        if grad is None:
            continue
        array, slopes = param.array, grad.array
        fits = array.__class__ is slopes.__class__ is ndarray and (array.dtype is FLOAT32 or array.dtype is FLOAT64)
        if fits and (kernel if array.size < LARGE else large)(array, slopes, *values):
            param.version[0] += 1
        else:
            others.append(param)
    return others


def states_of(**lists: list[Tensor]) -> list[dict[str, Tensor]]:
    """The states of the parameters, one dictionary each, from lists; those that an option leaves out may be empty."""
    kept = {name: tensors for name, tensors in lists.items() if tensors}
    return [dict(zip(kept, row, strict=True)) for row in zip(*kept.values(), strict=True)]


def of_gradient(group: dict[str, Any]) -> dict[str, Any]:
    """The numbers that most formulas begin with: of maximize and weight decay."""
    decay = group["weight_decay"]
    decoupled = group.get("decoupled_weight_decay", False)
    return {
        "negate": -1.0 if group["maximize"] else 1.0,
        "decay": 0.0 if decoupled else decay,
        "shrink": 1 - group["lr"] * decay if decoupled else 1.0,
    }


def new_scalar(value: Any, **options: Any) -> Tensor:
    """A count or the like, as torch keeps it: in float32, or in float64 if that is the default."""
    dtype = minitorch.float64 if minitorch.get_default_dtype() is minitorch.float64 else minitorch.float32
    return tensor(float(value), **{"dtype": dtype, **options})


def _scalar(value: Any, param: Tensor, group: dict[str, Any]) -> Tensor:
    on_device = group.get("capturable") or (group.get("fused") and not param.is_cuda)
    options = {"device": param.device} if on_device else {}
    return new_scalar(value, **options, **({"dtype": minitorch.float32} if group.get("fused") else {}))


def run_closure(closure: Callable | None) -> Any:
    """What the closure of a step returns, run with gradients; None without one."""
    if closure is None:
        return None
    with enable_grad():
        return closure()


def check_fused(param: Tensor) -> None:
    """Raise torch's error for a parameter that its fused kernels refuse."""
    if param.device.type not in FUSED_DEVICES or not param.is_floating_point():
        raise RuntimeError(
            "`fused=True` requires all the params to be floating point Tensors of "
            f"supported devices: {FUSED_DEVICES} but {param.dtype} and {param.device.type}"
        )


def check_one_rate(lr: Any) -> None:
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")


def check_lr(lr: Any) -> None:
    """Raise torch's error for a rate that is negative or several."""
    check_one_rate(lr)
    check_range(lr, "learning rate")


def check_range(value: Any, name: str, below: float | None = None) -> None:
    """Raise torch's error, in which `name` follows "Invalid", unless 0 <= value (< below)."""
    if not (value >= 0.0 and (below is None or value < below)):
        raise ValueError(f"Invalid {name}: {value}")


def check_betas(betas: Any) -> None:
    for i in range(2):
        check_range(betas[i], f"beta parameter at index {i}", below=1.0)


def check_fused_options(options: dict[str, Any]) -> None:
    """Raise torch's error for options that its fused kernels cannot be combined with."""
    if options["fused"] and options["differentiable"]:
        raise RuntimeError("`fused` does not support `differentiable`")
    if options["fused"] and options["foreach"]:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
