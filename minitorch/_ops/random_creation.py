"""Functions that make random tensors: rand, randn, randint, randperm, normal, multinomial."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._creation import empty_like
from minitorch._data import made, placed
from minitorch._data import options as resolved
from minitorch._device import backend
from minitorch._dtype import FLOATS
from minitorch._factory import allocated, size_of
from minitorch._generator import default_generator
from minitorch._kernels import half
from minitorch._kernels.layout import empty_result
from minitorch._layout import preserve_format
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import UNUSUAL, state

from .check import C_NAMES, c_name, check, type_name
from .memory_formats import in_format
from .public import FUNCTIONS, into, public
from .sampling import (
    check_std,
    draw,
    float_required,
    integer_bounds,
    invalid,
    number,
    resized,
    stream_of,
)


def filled(
    name: str,
    size: Any,
    options: tuple[Any, ...],
    kernel: str,
    values: tuple[Any, ...],
    generator: Any,
    out: Any,
    requires_grad: bool,
) -> Tensor:
    """A new tensor, or `out`, from a sampler; `options`: dtype, device, layout, pin_memory."""
    if generator is not None:
        stream_of(name, generator)
    numpy_type, where = resolved(*options)
    shape, mode = size_of(name, size), state.mode if UNUSUAL else None
    if mode is not None and hasattr(mode, "drawn"):
        return mode.drawn(
            lambda size: filled(name, size, options, kernel, values, generator, out, requires_grad), shape
        )
    if out is not None:
        numpy_type = _dtype_of_out(name, out, options[0])
    if numpy_type not in FLOATS or kernel == "randint":
        _check_values(kernel, numpy_type, values)
    if out is not None:
        draw(kernel, resized(out, name, shape), generator, values)
        return out
    array = allocated(shape, numpy_type) if where.type == "cpu" else backend(where).empty(shape, numpy_type)
    return made(draw(kernel, array, generator, values), requires_grad, name)


def _dtype_of_out(name: str, out: Tensor, dtype: Any) -> np.dtype:
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type_name(out)}")
    have = out.array.dtype
    if not (dtype is None or dtype.numpy == have):
        raise RuntimeError(
            f"dtype {'' if dtype is None else C_NAMES[dtype.name]} does not match dtype of out parameter "
            f"({C_NAMES[have.name]})"
        )
    return have


def _check_values(kernel: str, dtype: np.dtype, values: tuple[Any, ...]) -> None:
    array = np.empty(0, dtype)
    if kernel == "random_uniform":
        float_required("check_uniform_bounds", array)
    elif kernel == "normal":
        float_required("normal_kernel_cpu", array)
    else:
        integer_bounds(array, *values)


def _sampler(name: str, kernel: str, values: tuple[Any, ...], what: str) -> Callable[..., Tensor]:
    def sample(
        *args: Any,
        size: Any = None,
        generator: Any = None,
        out: Any = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
    ) -> Tensor:
        if not args and size is None:
            invalid(name, (), {})
        if size is not None:
            args = (size,)
        options = dtype, device, layout, pin_memory
        return filled(name, args, options, kernel, values, generator, out, requires_grad)

    sample.__name__ = sample.__qualname__ = name
    sample.__doc__ = f"A tensor of {what}."
    return sample


rand = _sampler("rand", "random_uniform", (0.0, 1.0), "values from [0, 1)")
randn = _sampler("randn", "normal", (0.0, 1.0), "standard normal values")


def randint(
    *args: Any,
    low: Any = None,
    high: Any = None,
    size: Any = None,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """randint(high, size), randint(low, high, size): integers from [low, high), low 0 if not given.

    >>> import minitorch as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randint(1, 7, (5,))
    tensor([3, 4, 6, 1, 2])
    """
    given = _integers("randint", args, {"low": low, "high": high, "size": size})
    if out is None and dtype is None:
        dtype = dtypes.int64
    options = dtype, device, layout, pin_memory
    bounds = given["low"], given["high"]
    return filled("randint", (given["size"],), options, "randint", bounds, generator, out, requires_grad)


def _integers(name: str, args: tuple[Any, ...], named: dict[str, Any], before: tuple[Any, ...] = ()) -> dict[str, Any]:
    """randint's arguments by name: a single bound is `high`."""
    given = {k: v for k, v in named.items() if v is not None}
    missing = [k for k in named if k not in given]
    if len(args) == len(missing) - 1 and "low" in missing:
        missing.remove("low")
    bound = {"low": 0, **given, **dict(zip(missing, args, strict=False))}
    bad = len(args) != len(missing) or not isinstance(bound.get("size", ()), (tuple, list))
    for k in ("low", "high"):
        value = bound.get(k)
        bad = bad or isinstance(value, (bool, float)) or not hasattr(value, "__index__")
    if bad:
        invalid(name, before + args, given)
    return {**bound, "low": bound["low"].__index__(), "high": bound["high"].__index__()}


def _like(name: str, kernel: str, values: tuple[Any, ...], input: Any, options: dict[str, Any]) -> Tensor:
    """A random tensor of input's shape, with its dimensions in input's order in memory."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type_name(input)}")
    check(not input.is_sparse, f"{name}() is not implemented for sparse tensors", NotImplementedError)
    stream_of(name, options["generator"])
    dtype, device = options["dtype"] or input.dtype, options["device"] or input.device
    if hasattr(state.mode, "drawn"):
        form = dtype, device, options["layout"], options["pin_memory"]
        size = tuple(input.shape)
        return filled(name, (size,), form, kernel, values, options["generator"], None, options["requires_grad"])
    numpy_type, where = resolved(dtype, device, options["layout"], options["pin_memory"])
    _check_values(kernel, numpy_type, values)
    if where.type != "cpu" or not isinstance(input.array, np.ndarray):
        array = backend(where).empty(input.array.shape, numpy_type)
    else:
        kept = options["memory_format"] in (None, preserve_format)
        array = half.tagged(empty_result(numpy_type, input.array) if kept else np.empty(input.array.shape, numpy_type))
    array = in_format(array, options["memory_format"])
    draw(kernel, array, options["generator"], values)
    return made(array, options["requires_grad"], name)


def _like_sampler(name: str, kernel: str, like: str) -> Callable[..., Tensor]:
    def sample(
        input: Tensor,
        *,
        generator: Any = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        options = dict(
            generator=generator, dtype=dtype, layout=layout, device=device,
            requires_grad=requires_grad, pin_memory=pin_memory, memory_format=memory_format,
        )  # fmt: skip
        return _like(name, kernel, (0.0, 1.0), input, options)

    sample.__name__ = sample.__qualname__ = name
    sample.__doc__ = f"`{like}` of input's shape, dtype and device."
    return sample


rand_like = _like_sampler("rand_like", "random_uniform", "rand")
randn_like = _like_sampler("randn_like", "normal", "randn")


def randint_like(
    input: Tensor,
    *args: Any,
    low: Any = None,
    high: Any = None,
    generator: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """`randint` of input's shape, dtype and device."""
    plain = tuple([a.item() if isinstance(a, Tensor) else a for a in args])
    given = _integers("randint_like", plain, {"low": low, "high": high}, (input,))
    options = dict(
        generator=generator, dtype=dtype, layout=layout, device=device,
        requires_grad=requires_grad, pin_memory=pin_memory, memory_format=memory_format,
    )  # fmt: skip
    return _like("randint_like", "randint", (given["low"], given["high"]), input, options)


def randperm(
    n: int,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """The integers below n in random order.

    >>> import minitorch as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randperm(5)
    tensor([4, 0, 1, 3, 2])
    """
    stream_of("randperm", generator)
    n = integer("randperm", "n", 1, n)
    if out is not None:
        _dtype_of_out("randperm", out, dtype)
        dtype = out.dtype
    numpy_type, where = resolved(dtypes.int64 if dtype is None else dtype, device, layout, pin_memory)
    size_of("randperm", (n,))
    _check_countable(n, numpy_type)
    if where.type == "meta":
        return made(backend(where).empty((n,), numpy_type), requires_grad, "randperm")
    if where.type == "cuda":  # drawn on the host, from the GPU's generator: not torch's order
        from minitorch._kernels.cuda.philox import permutation

        order = permutation(generator, where.index, n)
        return _given(out, "randperm", placed(half.converted(order, numpy_type), where), requires_grad)
    from minitorch._kernels.cpu import rng

    source = default_generator if generator is None else generator
    with source.lock:
        order = rng.randperm(source.stream, n)
    return _given(out, "randperm", half.converted(order, numpy_type), requires_grad)


def _given(out: Any, name: str, array: np.ndarray, requires_grad: bool = False) -> Tensor:
    if out is None:
        return made(array, requires_grad, name)
    backend(out.device).write(resized(out, name, array.shape), array)
    return out


def integer(name: str, argument: str, position: int, value: Any) -> int:
    """An integer argument, with its position in the error."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be int, not {type_name(value)}")
    return value.__index__()


def _check_countable(n: int, dtype: np.dtype) -> None:
    if dtype == np.bool_:
        raise NotImplementedError("\"randperm\" not implemented for 'Bool'")
    if dtype in FLOATS:
        digits = half.FLOAT_INFO[dtype].digits
        if not n <= (1 << digits) + 1:
            raise RuntimeError(f"n cannot be greater than 2^{digits}+1 for {C_NAMES[dtype.name]} type.")
        return
    if not n <= np.iinfo(dtype).max:
        raise RuntimeError(f"value cannot be converted to type {dtype.name}_t without overflow")


@public("torch")
def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Normal values, of numbers mean and std and a size, or of tensors mean and std.

    >>> import minitorch as torch
    >>> torch.normal(torch.tensor([1.0, 2.0]), 0.0)
    tensor([1., 2.])
    """
    stream_of("normal", generator)
    tensors = isinstance(mean, Tensor) or isinstance(std, Tensor)
    if tensors is (size is not None) or isinstance(size, int):
        invalid("normal", (mean, std) if size is None else (mean, std, size), {})
    if not tensors:
        mean, std = number("normal", "mean", 1, mean), number("normal", "std", 2, std)
        check_std(std)
        options = dtype, device, layout, pin_memory
        return filled("normal", (size,), options, "normal", (mean, std), generator, out, requires_grad)
    if not isinstance(std, Tensor):
        std = number("normal", "std", 2, std)
        check_std(std)
        return into(out, "normal", FUNCTIONS["normal_mean"](mean, std, generator))
    if not isinstance(mean, Tensor):
        mean = number("normal", "mean", 1, mean)
        return into(out, "normal", FUNCTIONS["normal_std"](std, mean, generator))
    std = std if std.is_floating_point() else std.to(mean.dtype)
    return into(out, "normal", FUNCTIONS["normal_both"](mean, std, generator))


@public("torch Tensor")
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Any = None,
    out: Any = None,
) -> Tensor:
    """Indices drawn from each row of `input`, whose values are weights.

    >>> import minitorch as torch
    >>> torch.multinomial(torch.tensor([0.0, 1.0, 0.0]), 2, replacement=True)
    tensor([1, 1])
    """
    stream_of("multinomial", generator)
    num_samples = integer("multinomial", "num_samples", 2, num_samples)
    a = input.array
    check(a.ndim in (1, 2), "prob_dist must be 1 or 2 dim")
    if a.dtype not in FLOATS:
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {c_name(a)}")
    check(num_samples > 0, "cannot sample n_sample <= 0 samples")
    check(
        replacement or num_samples <= a.shape[-1],
        "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
    )
    check(a.shape[-1] <= 2**24, "number of categories cannot exceed 2^24")
    if out is not None:
        if out.array.dtype != np.int64:
            raise RuntimeError(f"multinomial expects Long tensor out, got: {c_name(out.array)}")
    shape = (*a.shape[:-1], num_samples)
    if input.is_cuda:
        return _drawn_by_races(input, num_samples, replacement, generator, out)
    if not isinstance(a, np.ndarray):
        return made(backend(input.device).empty(shape, dtypes.INT64_NUMPY))
    if not a.size:
        return _given(out, "multinomial", np.empty(shape, np.int64))
    a = half.widened(a)
    _check_weights(a, replacement and num_samples > 1)
    from minitorch._kernels.cpu import rng

    source = default_generator if generator is None else generator
    with source.lock:
        picked = rng.multinomial(source.stream, a, num_samples, replacement)
    return _given(out, "multinomial", np.ascontiguousarray(picked))


def _drawn_by_races(input: Tensor, num_samples: int, replacement: bool, generator: Any, out: Any) -> Tensor:
    """The first of independent exponential times wins with its rate's share, and the others follow as if drawn anew.

    So torch draws on GPUs, except several with replacement; those are races of their own here. Weights are not
    checked, which would wait for the GPU.
    """
    p = input.detach()
    if replacement and num_samples > 1:
        p = p.unsqueeze(-2).expand(*p.shape[:-1], num_samples, p.shape[-1])
    times = empty_like(p).exponential_(generator=generator)
    rates = p / times
    if num_samples == 1 or replacement:
        picked = rates.argmax(-1, keepdim=not replacement or num_samples == 1)
    else:
        picked = rates.topk(num_samples, -1)[1]
    return _given(out, "multinomial", picked.array)


def _check_weights(a: np.ndarray, cumulative: bool) -> None:
    """torch has two ways to draw, and words of their own for each."""
    invalid_weights = "invalid multinomial distribution"
    if cumulative:
        if not bool((a >= 0).all()):
            raise RuntimeError(f"{invalid_weights} (encountering probability entry < 0)")
        if not bool(np.isfinite(a).all()):
            raise RuntimeError(f"{invalid_weights} (encountering probability entry = infinity or NaN)")
    else:
        check(
            bool(np.minimum.reduce(a, None) >= 0 and np.maximum.reduce(a, None) < np.inf),  # false for nan
            "probability tensor contains either `inf`, `nan` or element < 0",
        )
    if not (np.add.reduce(a, -1) > 0).all():
        raise RuntimeError(f"{invalid_weights} (sum of probabilities <= 0)")


FACTORIES = {f.__name__: f for f in (rand, rand_like, randint, randint_like, randn, randn_like, randperm)}
