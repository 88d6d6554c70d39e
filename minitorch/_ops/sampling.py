"""Random tensors: torch's own numbers for the same seed, drawn by `_kernels/cpu/rng.py`."""

import functools
from typing import Any, NoReturn

import numpy as np

from minitorch._device import backend
from minitorch._dtype import CPP_NAMES, FLOATS, HALVES
from minitorch._factory import refuse_to_record
from minitorch._generator import Generator, default_generator
from minitorch._kernels import half
from minitorch._kernels.half import FLOAT_INFO
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn

from .check import c_name, check, cpp_name, type_name
from .copies import check_not_overlapping
from .op import OPS, Op, structured
from .public import FUNCTIONS, public

# kernel -> the record of an op that has it, where the names differ
_RECORDS = {"random_uniform": "uniform", "randint": "random_between", "random_": "random"}


# ------------------------------------------------------------------ drawing
def draw(kernel: str, array: np.ndarray, generator: Any, values: tuple[Any, ...]) -> np.ndarray:
    """Fill an array in the order of its memory, as torch does."""
    if not isinstance(array, np.ndarray):
        op = OPS[f"fill_{_RECORDS.get(kernel, kernel)}"]
        return backend(array.device).run(op, (array.shape, array.dtype), [array], [generator, values])
    target = scratch = array
    in_order = array.flags.c_contiguous
    if not in_order:
        order = memory_order(array)
        target = array.transpose(order)
        scratch = target if target.flags.c_contiguous else half.empty(target.shape, array.dtype)
        values = tuple([v.transpose(order) if isinstance(v, np.ndarray) else v for v in values])
    for v in values:
        if v.__class__ is not float and isinstance(v, np.ndarray):
            values = tuple([np.ascontiguousarray(half.widened(v)) if isinstance(v, np.ndarray) else v for v in values])
            break
    if kernel == "normal":
        values = (*values, in_order)
    source = default_generator if generator is None else generator
    with source.lock:
        getattr(_samplers(), kernel)(source.stream, scratch, *values)
    if scratch is not target:
        target[...] = scratch
    return array


@functools.cache
def _samplers() -> Any:
    """Imported at first use, with NumPy's random module."""
    from minitorch._kernels.cpu import rng

    return rng


def memory_order(array: np.ndarray) -> tuple[int, ...]:
    """The dimensions by falling stride."""
    strides = array.strides
    return tuple(sorted(range(array.ndim), key=lambda i: -strides[i]))


def stream_of(name: str, generator: Any) -> Any:
    """The `generator` argument, checked."""
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(f"{name}(): argument 'generator' must be torch.Generator, not {type_name(generator)}")
    return generator


def float_required(kernel: str, array: Any) -> None:
    """Refuse integers with the name of torch's kernel."""
    if array.dtype not in FLOATS:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{c_name(array)}'")


# ------------------------------------------------------------------ records
def _filling(name: str, kernel: str, title: str) -> Op:
    """The record of an in-place sampler. Nothing of the old values' gradient flows on."""

    def infer(input, generator, values):
        return input.shape, input.dtype

    record = structured(name=f"fill_{name}", title=title, tensors="input", inplace=True, halves="own")(infer)

    @record.cpu
    def run(input, generator, values):
        return draw(kernel, input, generator, values)

    @record.grad("input")
    def gradient(g):
        return g * 0.0

    return record


for _record in [
    ("uniform", "random_uniform", "Uniform"),
    ("normal", "normal", "Normal"),
    ("exponential", "exponential", "Exponential"),
    ("cauchy", "cauchy", "Cauchy"),
    ("log_normal", "log_normal", "LogNormal"),
    ("geometric", "geometric", "Geometric"),
    ("random_between", "randint", "RandomBackward0"),
    ("random_from", "random_", "RandomBackward0"),
    ("random_below", "randint", "RandomBackward1"),
    ("random", "random_", "RandomBackward2"),
    ("bernoulli", "bernoulli", "BernoulliBackward2"),
]:
    _filling(*_record)


@structured(name="fill_bernoulli_p", title="BernoulliBackward1", tensors="input p", inplace=True, halves="own")
def fill_bernoulli_p(input, p, generator):
    float_required("bernoulli_tensor_cpu_p_", p)
    return input.shape, input.dtype


@fill_bernoulli_p.cpu
def fill_bernoulli_array(input, p, generator):
    fill_bernoulli_p.infer(input, p, generator)
    check_probabilities(p)
    return draw("bernoulli", input, generator, (np.broadcast_to(p, input.shape),))


@fill_bernoulli_p.grad("input")
def fill_bernoulli_grad(g):
    return g * 0.0


@fill_bernoulli_p.grad("p")
def fill_bernoulli_grad_p(g, p_shape, p_dtype):
    return to_dtype(sum_to_size(g * 0.0, p_shape), p_dtype)  # noqa: F821


def check_probabilities(p: np.ndarray) -> None:
    check(
        bool(((p >= 0) & (p <= 1)).all()),
        "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be "
        "improved?  If so, please report an enhancement request to PyTorch.)",
    )


@structured(name="bernoulli_sample", title="Bernoulli", tensors="input", halves="own")
def bernoulli_sample(input, generator):
    float_required("bernoulli_tensor_cpu_p_", input)
    return input.shape, input.dtype


@bernoulli_sample.cpu
def bernoulli_array(input, generator):
    bernoulli_sample.infer(input, generator)
    check_probabilities(input)
    return draw("bernoulli", half.empty(input.shape, input.dtype), generator, (input,))


@bernoulli_sample.grad("input")
def bernoulli_grad(g):
    return g * 0.0


@structured(name="normal_mean", title="NormalBackward1", tensors="mean", halves="own")
def normal_mean(mean, std, generator):
    return _normal_shape(mean, mean.shape)


@normal_mean.cpu
def normal_mean_array(mean, std, generator):
    shape, dtype = normal_mean.infer(mean, std, generator)
    sample = draw("normal", half.empty(shape, dtype), generator, (0.0, std))
    sample += mean
    return sample


@normal_mean.grad("mean")
def normal_mean_grad(g):
    return g * 0.0


@structured(name="normal_std", title="NormalBackward2", tensors="std", halves="own")
def normal_std(std, mean, generator):
    return _normal_shape(std, std.shape)


@normal_std.cpu
def normal_std_array(std, mean, generator):
    shape, dtype = normal_std.infer(std, mean, generator)
    check_deviations(std)
    sample = draw("normal", half.empty(shape, dtype), generator, (0.0, 1.0))
    sample *= std
    sample += np.float64(mean) if dtype in HALVES else dtype.type(mean)
    return sample


@normal_std.grad("std")
def normal_std_grad(g):
    return g * 0.0


@structured(name="normal_both", title="NormalBackward3", tensors="mean std", halves="own")
def normal_both(mean, std, generator):
    from .check import broadcast_error

    float_required("normal_kernel_cpu", std)
    try:
        return _normal_shape(mean, np.broadcast_shapes(mean.shape, std.shape))
    except ValueError:
        raise broadcast_error([mean.shape, std.shape]) from None


@normal_both.cpu
def normal_both_array(mean, std, generator):
    shape, dtype = normal_both.infer(mean, std, generator)
    check_deviations(std)
    sample = draw("normal", half.empty(shape, dtype), generator, (0.0, 1.0))
    np.multiply(sample, std, sample, casting="same_kind")
    np.add(sample, mean, sample, casting="same_kind")
    return sample


@normal_both.grad("mean")
def normal_both_grad_mean(g, mean_shape):
    return sum_to_size(g * 0.0, mean_shape)  # noqa: F821


@normal_both.grad("std")
def normal_both_grad_std(g, std_shape, std_dtype):
    return to_dtype(sum_to_size(g * 0.0, std_shape), std_dtype)  # noqa: F821


def _normal_shape(array: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype]:
    float_required("normal_kernel_cpu", array)
    return shape, array.dtype


def check_deviations(std: np.ndarray) -> None:
    check(not std.size or bool(np.minimum.reduce(std, None) >= 0), "normal expects all elements of std >= 0.0")


# ------------------------------------------------------------------ in place
def _fill(name: str, self: Tensor, record: str, generator: Any, *values: Any) -> Tensor:
    stream_of(name, generator)
    check_not_overlapping(self)
    return FUNCTIONS[f"fill_{record}_"](self, generator, values)


def number(name: str, argument: str, position: int, value: Any) -> float:
    if isinstance(value, Tensor) and not value.ndim and not value.requires_grad:
        value = value.item()
    if isinstance(value, (int, float, np.number)):
        return float(value)
    raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be float, not {type_name(value)}")


def uniform_bounds(array: Any, low: float, high: float) -> None:
    """torch's checks of a range for uniform_."""
    float_required("check_uniform_bounds", array)
    largest = FLOAT_INFO[array.dtype].max
    for argument, value in (("from", low), ("to", high)):
        if not -largest <= value <= largest:
            raise RuntimeError(f"{argument} is out of bounds for {cpp_name(array)}")
    if not low <= high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
    if not high - low <= largest:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{c_name(array)}>::max(), but found "
            f"to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )


@public("Tensor")
def uniform_(self: Tensor, *args: Any, generator: Any = None, **bounds: Any) -> Tensor:
    """uniform_(from=0, to=1): fill with values from [from, to).

    >>> import minitorch as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.empty(3).uniform_(0, 10)
    tensor([4.9626, 7.6822, 0.8848])
    """
    given = _bind("uniform_", ("from", "to"), args, bounds)
    low = number("uniform_", "from", 1, given.get("from", 0.0))
    high = number("uniform_", "to", 2, given.get("to", 1.0))
    uniform_bounds(self.array, low, high)
    return _fill("uniform_", self, "uniform", generator, low, high)


def _bind(name: str, names: tuple[str, ...], args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name, where one of the names is a Python keyword."""
    if len(args) > len(names):
        raise TypeError(f"{name}() takes from 0 to {len(names)} positional arguments but {len(args)} were given")
    for key in named:
        if key not in names[len(args) :]:
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
    return {**dict(zip(names, args, strict=False)), **named}


@public("Tensor")
def normal_(self: Tensor, mean: Any = 0, std: Any = 1, *, generator: Any = None) -> Tensor:
    """Fill with normal values."""
    mean, std = number("normal_", "mean", 1, mean), number("normal_", "std", 2, std)
    check_std(std)
    float_required("normal_kernel_cpu", self.array)
    return _fill("normal_", self, "normal", generator, mean, std)


def check_std(std: float) -> None:
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")


@public("Tensor")
def log_normal_(self: Tensor, mean: Any = 1, std: Any = 2, *, generator: Any = None) -> Tensor:
    """Fill with exponentials of normal values."""
    mean, std = number("log_normal_", "mean", 1, mean), number("log_normal_", "std", 2, std)
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    float_required("log_normal_cpu", self.array)
    return _fill("log_normal_", self, "log_normal", generator, mean, std)


def _continuous(distribution: str, array: Any, type_name: str) -> None:
    if array.dtype not in FLOATS:
        raise RuntimeError(
            f"{distribution} distribution is a continuous probability distribution. "
            f"dtype must be a floating point but you specified {type_name}"
        )


@public("Tensor")
def exponential_(self: Tensor, lambd: Any = 1, *, generator: Any = None) -> Tensor:
    """Fill with values of the exponential distribution of rate lambd."""
    lambd = number("exponential_", "lambd", 1, lambd)
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    _continuous("Exponential", self.array, c_name(self.array))
    return _fill("exponential_", self, "exponential", generator, lambd)


@public("Tensor")
def cauchy_(self: Tensor, median: Any = 0, sigma: Any = 1, *, generator: Any = None) -> Tensor:
    """Fill with values of the Cauchy distribution."""
    median, sigma = number("cauchy_", "median", 1, median), number("cauchy_", "sigma", 2, sigma)
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    _continuous("Cauchy", self.array, cpp_name(self.array))
    return _fill("cauchy_", self, "cauchy", generator, median, sigma)


@public("Tensor")
def geometric_(self: Tensor, p: Any, *, generator: Any = None) -> Tensor:
    """Fill with the number of trials to the first success of probability p."""
    p = number("geometric_", "p", 1, p)
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if self.array.dtype == np.bool_:
        raise NotImplementedError("\"geometric_cpu\" not implemented for 'Bool'")
    return _fill("geometric_", self, "geometric", generator, p)


@public("Tensor")
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with 1 with probability p, else 0; p is a number or a tensor of probabilities."""
    if isinstance(p, Tensor):
        stream_of("bernoulli_", generator)
        check_not_overlapping(self)
        p.detach().expand(self.shape)  # torch's error for a shape that does not fit
        return FUNCTIONS["fill_bernoulli_p_"](self, p, generator)
    if not isinstance(p, (int, float, np.number)):
        invalid("bernoulli_", (p,), {})
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    return _fill("bernoulli_", self, "bernoulli", generator, float(p))


@public("torch Tensor")
def bernoulli(input: Tensor, p: Any = ..., *, generator: Any = None, out: Any = None) -> Tensor:
    """1 with probability `input` (or p, then input gives shape and dtype only), else 0.

    >>> import minitorch as torch
    >>> torch.bernoulli(torch.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    stream_of("bernoulli", generator)
    if isinstance(p, Tensor) and not p.ndim and not p.requires_grad:
        p = p.item()
    if p is not ... and not isinstance(p, (int, float, np.number)):
        invalid("bernoulli", (input, p), {})
    if out is not None:
        array = resized(out, "bernoulli", input.array.shape)
        bernoulli_(wrap(array), input.detach() if p is ... else p, generator=generator)
        return out
    if p is ...:
        return FUNCTIONS["bernoulli_sample"](input, generator)
    return bernoulli_(input.detach().clone(), p, generator=generator)


def resized(out: Tensor, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array of an `out=` argument, in the shape that is about to be written."""
    refuse_to_record(out, name)
    if out.array.shape != shape:
        out._lie_over(backend(out.device).empty(shape, out.array.dtype))
    out.version[0] += 1
    return out.array


@public("Tensor")
def random_(self: Tensor, *args: Any, generator: Any = None, **bounds: Any) -> Tensor:
    """random_(), random_(to), random_(from, to): fill with integers from [from, to).

    Without bounds they go from 0 to the last integer that the dtype holds exactly.
    """
    if not args and not bounds:
        return _fill("random_", self, "random", generator)
    names = ("to",) if len(args) == 1 and not bounds else ("from", "to")
    if any(isinstance(v, float) for v in (*args, *bounds.values())):
        invalid("random_", args, bounds)
    given = _bind("random_", names, args, bounds)
    low, high = given.get("from", 0), given.get("to")
    low = low.__index__()
    if high is None:
        return _random_from(self, low, generator)
    high = high.__index__()
    integer_bounds(self.array, low, high)
    record = "random_between" if "from" in given else "random_below"
    return _fill("random_", self, record, generator, low, high)


def _random_from(self: Tensor, low: int, generator: Any) -> Tensor:
    dtype = self.array.dtype
    last = 1 << FLOAT_INFO[dtype].digits if dtype in FLOATS else _ends(dtype)[1]
    if low != -(1 << 63):
        _in_range(dtype, ("from", low))
        if not low <= last:
            raise RuntimeError(
                "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to "
                f"dtype, but got from={low} > to_inc={last}"
            )
    return _fill("random_", self, "random_from", generator, low)


def integer_bounds(array: Any, low: int, high: int) -> None:
    """torch's checks of a range of integers for a dtype."""
    if not low < high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    _in_range(array.dtype, ("from", low), ("to - 1", high - 1))


def _ends(dtype: np.dtype) -> tuple[int, int]:
    """The first and last value of an integer dtype."""
    if dtype == np.bool_:
        return 0, 1
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _in_range(dtype: np.dtype, *bounds: tuple[str, int]) -> None:
    for argument, value in bounds:
        if dtype in FLOATS:
            digits = FLOAT_INFO[dtype].digits
            if abs(value) > 1 << digits:
                _warn_of_precision(argument, digits, CPP_NAMES[dtype.name])
            continue
        first, last = _ends(dtype)
        if not first <= value <= last:
            raise RuntimeError(f"{argument} is out of bounds for {CPP_NAMES[dtype.name]}")


def _warn_of_precision(argument: str, digits: int, type_name: str) -> None:

    warn(
        f"{argument} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations "
        f"{type_name} can support discrete uniform distribution only within this range. This "
        "warning will become an error in version 1.7 release, please fix the code in advance",
        UserWarning,
    )


def invalid(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> NoReturn:
    """torch's error for arguments that fit no form of the function."""
    got = [type_name(a) for a in args] + [f"{k}={type_name(v)}" for k, v in named.items()]
    raise TypeError(f"{name}() received an invalid combination of arguments - got ({', '.join(got)})")
