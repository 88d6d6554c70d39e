"""PyTorch's own op database on minitorch: its samples and wrong inputs, given to both and compared.

A row is an op of `torch.testing._internal.common_methods_invocations.op_db` and a kind (`KINDS`). Each function here
raises AssertionError with what differs, or Skip where torch itself has no usable sample.
"""

import contextlib
import functools
import itertools
import random
import types
import warnings

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import minitorch

# families of the database outside minitorch's claim: reason -> patterns (a leading = means the whole name)
OUT_OF_SCOPE = {
    "complex numbers are not supported": (
        "complex", "view_as_real", "polar", "stft", "=imag", "cfloat", "cdouble", "chalf", "=linalg.eig",
        "=linalg.eigvals",
    ),
    "Fourier transforms are not supported": ("fft.", "istft"),
    "private to torch": ("torch.ops.", "torch._", "jiterator", "_upsample",
                         "_batch_norm_with_update", "native_dropout_backward", "bmm.triton",
                         "max_pool2d_with_indices_backward", "=slice"),
    "sparse layouts beyond COO": ("sparse.sampled_addmm", "sparse.mm.reduce", "=to_sparse"),
    "families of special functions beyond everyday use": (
        "special.airy", "special.bessel", "special.chebyshev", "special.hermite", "special.laguerre",
        "special.legendre",
        "special.modified_bessel", "special.scaled_modified", "special.shifted", "special.spherical",
    ),
    "matrix routines beyond everyday use": ("svd_lowrank", "pca_lowrank", "geqrf", "ormqr"),
}  # fmt: skip

RANDOM = frozenset(
    "bernoulli cauchy exponential geometric log_normal multinomial normal rand_like randint randint_like "
    "randn randn_like "
    "uniform empty empty_like empty_permuted empty_strided new_empty new_empty_strided resize_ resize_as_ "
    "nn.functional.alpha_dropout nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d "
    "nn.functional.feature_alpha_dropout nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d "
    "nn.functional.rrelu".split()
)
UP_TO_SIGN = frozenset(("linalg.svd", "svd", "linalg.eigh"))
TOLERANCE = {  # dtype -> (relative, absolute)
    torch.float64: (1e-7, 1e-8), torch.float32: (1e-4, 1e-5), torch.float16: (1e-2, 1e-2), torch.bfloat16: (4e-2, 4e-2),
}  # fmt: skip
DTYPES = {
    "float32": torch.float32, "float64": torch.float64, "int64": torch.int64, "bool": torch.bool,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16, "int32": torch.int32, "uint8": torch.uint8,
}  # fmt: skip
KINDS = (*DTYPES, "gradient", "double gradient", "strides", "errors", "messages")


class Skip(Exception):
    """torch has no usable sample for this row."""


def full_name(op) -> str:
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name


def out_of_scope(name: str) -> str | None:
    for reason, patterns in OUT_OF_SCOPE.items():
        if any(name == p[1:] if p[0] == "=" else p in name for p in patterns):
            return reason
    return None


OPS = {full_name(op): op for op in op_db if out_of_scope(full_name(op)) is None}


def kinds(op) -> list[str]:
    found = [k for k, d in DTYPES.items() if d in op.dtypes]
    if op.supports_autograd and op.name not in RANDOM:
        found.append("gradient")
        if op.supports_gradgrad:
            found.append("double gradient")
    if torch.float32 in op.dtypes and op.name not in RANDOM:
        found.append("strides")
    return found + ["errors", "messages"] * (op.error_inputs_func is not None)


ROWS = [(name, kind) for name, op in OPS.items() for kind in kinds(op)]


# ---------------------------------------------------------------------- from torch to minitorch
def resolve(root, dotted: str):
    return functools.reduce(getattr, dotted.split("."), root)


MEMORIES: list[dict] = []  # within `sharing`: torch's storages and what stands for them


@contextlib.contextmanager
def sharing():
    """Let tensors of one storage be converted to tensors of one memory."""
    MEMORIES.append({})
    yield
    MEMORIES.pop()


def memory_of(t: torch.Tensor):
    """The whole storage of a tensor, copied, as a vector."""
    memory = torch.empty(0, dtype=t.dtype).set_(t.detach().untyped_storage().clone())
    if t.dtype is torch.bfloat16:
        return minitorch.from_numpy(memory.float().numpy()).to(minitorch.bfloat16)
    return minitorch.from_numpy(memory.numpy())


def tensor(t: torch.Tensor):
    """The same values, strides and offset over memory of its own."""
    if t.is_meta:
        return minitorch.empty(*t.shape, dtype=converted(t.dtype), device="meta")
    key = t.untyped_storage().data_ptr(), t.dtype
    known = MEMORIES[-1] if MEMORIES and key[0] else {}
    if key not in known:
        known[key] = memory_of(t)
    return known[key].as_strided(t.size(), t.stride(), t.storage_offset()).detach().requires_grad_(t.requires_grad)


def copied(v):
    """torch's arguments over memory of their own: in-place variants write to them."""
    if isinstance(v, torch.Tensor):
        memory = torch.empty(0, dtype=v.dtype).set_(v.detach().untyped_storage().clone())
        return memory.as_strided(v.size(), v.stride(), v.storage_offset()).detach().requires_grad_(v.requires_grad)
    if isinstance(v, (list, tuple)) and not isinstance(v, torch.Size):
        return type(v)(map(copied, v))
    return {k: copied(x) for k, x in v.items()} if isinstance(v, dict) else v


def converted(v):
    """A value of torch's as minitorch has it."""
    if isinstance(v, torch.Tensor):
        return tensor(v)
    if isinstance(v, (torch.dtype, torch.layout, torch.memory_format)):
        return getattr(minitorch, str(v).removeprefix("torch."))
    if isinstance(v, torch.device):
        return minitorch.device(str(v))
    if isinstance(v, torch.Size):
        return minitorch.Size(v)
    if isinstance(v, (list, tuple)):
        return type(v)(map(converted, v)) if type(v) in (list, tuple) else type(v)(*map(converted, v))
    if isinstance(v, dict):
        return {k: converted(x) for k, x in v.items()}
    if isinstance(v, types.FunctionType) and v.__module__.startswith("torch.testing"):
        return rebound(v)
    if isinstance(v, torch.nn.Module):  # one made with defaults
        return getattr(minitorch.nn, type(v).__name__)()
    if isinstance(v, functools.partial):
        return functools.partial(converted(v.func), *v.args, **v.keywords)
    if callable(v) and type(v).__hash__ and torch.overrides.resolve_name(v):  # an OpInfo has no hash
        return resolve(minitorch, torch.overrides.resolve_name(v).removeprefix("torch."))
    return v


def rebound(function: types.FunctionType):
    """A function of torch's database with the name `torch` in it meaning minitorch."""
    names = {**function.__globals__, "torch": minitorch, "F": minitorch.nn.functional}
    cells = tuple(types.CellType(converted(c.cell_contents)) for c in function.__closure__ or ())
    made = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells or None)
    made.__kwdefaults__ = function.__kwdefaults__
    for name in function.__code__.co_names:
        inner = function.__globals__.get(name)
        if name == "freeze_rng_state":  # about torch's own generators
            continue
        if (
            isinstance(inner, types.FunctionType)
            and inner.__module__.startswith("torch.testing")
            and inner is not function
        ):
            names[name] = rebound(inner)
    return made


def ours(op, function):
    """minitorch's counterpart of a callable of an OpInfo."""
    if isinstance(function, functools.partial) or (
        isinstance(function, types.FunctionType) and function.__module__.startswith("torch.testing")
    ):
        return converted(function)
    name = getattr(function, "__name__", "")
    if getattr(torch.Tensor, name, None) is function:
        return getattr(minitorch.Tensor, name)
    return resolve(minitorch, op.name)


# ---------------------------------------------------------------------- comparing
def leaves(v, cls) -> list:
    if isinstance(v, cls):
        return [v]
    if isinstance(v, dict):
        v = list(v.values())
    return [t for x in v for t in leaves(x, cls)] if isinstance(v, (list, tuple)) else []


def numbers(t) -> np.ndarray:
    t = t.detach()
    t = t.float() if str(t.dtype) == "torch.bfloat16" else t
    return np.array(t.numpy(force=True) if isinstance(t, torch.Tensor) else t.numpy())  # torch's may be a ZeroTensor


def assert_same(mine, theirs, what: str = "result", *, values: bool = True) -> None:
    if isinstance(theirs, torch.Tensor):
        assert isinstance(mine, minitorch.Tensor), f"{what} is {type(mine).__name__}, torch a Tensor"
        assert tuple(mine.shape) == tuple(theirs.shape), (
            f"{what} has shape {tuple(mine.shape)}, torch {tuple(theirs.shape)}"
        )
        assert str(mine.dtype) == str(theirs.dtype), f"{what} is {mine.dtype}, torch {theirs.dtype}"
        if values:
            a, b = numbers(mine), numbers(theirs)
            relative, absolute = TOLERANCE.get(theirs.dtype, (0, 0))
            close = np.isclose(a, b, rtol=relative, atol=absolute, equal_nan=True)
            assert close.all(), (
                f"{what}: {(~close).sum()} of {close.size} values differ: {a[~close][0]!r}, torch {b[~close][0]!r}"
            )
    elif isinstance(theirs, (list, tuple)) and not isinstance(theirs, torch.Size):
        assert isinstance(mine, (list, tuple)), f"{what} is {type(mine).__name__}, torch {type(theirs).__name__}"
        assert len(mine) == len(theirs), f"{what} has {len(mine)} parts, torch {len(theirs)}"
        assert getattr(type(mine), "_fields", None) == getattr(type(theirs), "_fields", None) or not hasattr(
            theirs, "_fields"
        )
        for i, (m, t) in enumerate(zip(mine, theirs, strict=True)):
            assert_same(m, t, f"{what}[{i}]", values=values)
    elif isinstance(theirs, float):
        assert mine == theirs or np.isclose(mine, theirs, rtol=1e-5, equal_nan=True) or not values, (
            f"{what} {mine}, torch {theirs}"
        )
    elif isinstance(theirs, (bool, int, torch.Size)):
        assert tuple(mine) == tuple(theirs) if isinstance(theirs, torch.Size) else mine == theirs, (
            f"{what} {mine}, torch {theirs}"
        )


# ---------------------------------------------------------------------- running
def samples(op, dtype, limit: int, requires_grad: bool = False, seed: int = 0) -> list:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = op.sample_inputs("cpu", dtype, requires_grad=requires_grad)
        if limit == 1:
            return list(itertools.islice(made, 2))[-1:]  # the first is often of no dimensions
        found = list(itertools.islice(made, 60))
    step = -(-len(found) // limit) or 1
    return found[::step]


def attempt(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*args), None
        except Exception as e:
            return None, e


def call(function, arguments):
    x, args, kwargs = arguments
    return function(x, *args, **kwargs)


def both(op, function, dtype, limit, requires_grad=False):
    """(sample, our arguments, torch's result, torch's arguments) for each sample that torch takes."""
    found = False
    for s in samples(op, dtype, limit, requires_grad):
        arguments = copied((s.input, s.args, s.kwargs))
        mine = converted((s.input, s.args, s.kwargs))
        theirs, error = attempt(call, function, arguments)
        if error is None:
            found = True
            yield s, mine, theirs, arguments
    if not found:
        raise Skip("torch takes none of its samples")


def forward(op, dtype, limit: int) -> None:
    """Values, dtypes, shapes and fields of the function, the method and the in-place variant."""
    for kind in ("op", "method_variant", "inplace_variant"):
        function = getattr(op, kind)
        if function is None or (kind != "op" and function is op.op):
            continue
        mine = ours(op, function)
        try:
            for s, arguments, theirs, _ in both(op, function, dtype, limit):
                if kind == "inplace_variant" and s.broadcasts_input:
                    continue
                out = call(mine, arguments)
                random_values = op.name in RANDOM or bool(s.kwargs.get("dropout_p"))
                if op.name in UP_TO_SIGN:  # what of it is unique, as the database's own gradient tests have it
                    post = s.output_process_fn_grad
                    out, theirs = converted(post)(out), post(theirs)
                assert_same(out, theirs, kind, values=not random_values)
                if kind == "inplace_variant":
                    assert out is arguments[0], "the in-place variant returned something else than its input"
        except Skip:
            if kind == "op":
                raise


def differentiable(v, mod) -> list:
    return [t for t in leaves(v, mod.Tensor) if t.requires_grad]


def direction(shape, k: int) -> np.ndarray:
    return np.random.default_rng(k).uniform(-1, 1, shape)


def gradients(mod, outputs, inputs, create_graph: bool = False):
    """The gradients of the outputs in fixed directions: zeros where there is none."""
    directions = [mod.from_numpy(np.asarray(direction(tuple(o.shape), k))) for k, o in enumerate(outputs)]
    found = mod.autograd.grad(outputs, inputs, directions, create_graph=create_graph, allow_unused=True)
    return [mod.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def run_gradient(mod, op, function, arguments, post, double: bool):
    inputs = differentiable(list(arguments), mod)
    wrapper = op.gradcheck_wrapper if mod is torch else converted(op.gradcheck_wrapper)
    out = wrapper(function, arguments[0], *arguments[1], **arguments[2])
    outputs = [o for o in leaves(post(out) if post else out, mod.Tensor) if o.requires_grad]
    if not outputs or not inputs:
        raise Skip("no output requires grad")
    first = gradients(mod, outputs, inputs, double)
    if not double:
        return first
    first = [g for g in first if g.requires_grad]
    return gradients(mod, first, inputs) if first else []


def gradient(op, limit: int, double: bool = False) -> None:
    mine, found = ours(op, op.op), False
    for s in samples(op, torch.float64, limit, True):
        if double and sum(t.numel() for t in leaves([s.input, s.args], torch.Tensor)) > 400:
            continue
        post = s.output_process_fn_grad
        arguments = converted((s.input, s.args, s.kwargs))
        theirs, error = attempt(run_gradient, torch, op, op.op, copied((s.input, s.args, s.kwargs)), post, double)
        if error is not None or s.kwargs.get("dropout_p") or not all(g.isfinite().all() for g in theirs):
            continue
        found = True
        out = run_gradient(minitorch, op, mine, arguments, converted(post) if post else None, double)
        if not out and theirs:
            out = [minitorch.zeros_like(x) for x in differentiable(list(arguments), minitorch)]
        if not theirs:
            theirs = [torch.zeros_like(g) for g in differentiable([s.input, s.args, s.kwargs], torch)][: len(out)]
        assert_same(out, theirs, "second gradients" if double else "gradients")
    if not found:
        raise Skip("torch gives no finite gradient for its samples")


def strides(op, limit: int) -> None:
    """The strides of every result, in dimensions longer than 1."""
    mine = ours(op, op.op)
    for _, arguments, theirs, _ in both(op, op.op, torch.float32, limit):
        out = call(mine, arguments)
        for m, t in zip(leaves(out, minitorch.Tensor), leaves(theirs, torch.Tensor), strict=True):
            if t.numel() > 1 and t.layout is torch.strided:
                want = [s for s, n in zip(t.stride(), t.shape, strict=True) if n > 1]
                have = [s for s, n in zip(m.stride(), m.shape, strict=True) if n > 1]
                assert have == want, f"strides {m.stride()}, torch {t.stride()} for shape {tuple(t.shape)}"


CLEAR = (ValueError, RuntimeError, TypeError, IndexError, NotImplementedError)


def errors(op, messages: bool) -> None:
    """The class of the error for every wrong input; with `messages` its first line too."""
    mine, missed, found = ours(op, op.op), [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = list(op.error_inputs("cpu"))
    for e in wrong:
        s = e.sample_input
        _, theirs = attempt(call, op.op, (s.input, s.args, s.kwargs))
        if not isinstance(theirs, CLEAR):
            continue
        found += 1
        with sharing():
            arguments, error = attempt(converted, (s.input, s.args, s.kwargs))
        if error is None:
            _, error = attempt(call, mine, arguments)
        first = [(str(x).splitlines() or [""])[0] for x in (error, theirs)]
        same = type(error).__name__.lstrip("_") == type(theirs).__name__.lstrip("_") or (
            isinstance(error, type(theirs)) and not isinstance(error, NotImplementedError)
        )
        if not same or (messages and first[0] != first[1]):
            missed.append(f"{type(error).__name__}: {first[0]}\n  torch {type(theirs).__name__}: {first[1]}")
    if not found:
        raise Skip("torch refuses none of its wrong inputs here")
    assert not missed, f"{len(missed)} of {found} wrong inputs:\n" + "\n".join(missed)


def check(name: str, kind: str, limit: int) -> None:
    """Run one row."""
    op = OPS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's own, about its samples
        if kind in DTYPES:
            forward(op, DTYPES[kind], limit)
        elif kind in ("gradient", "double gradient"):
            gradient(op, limit, kind == "double gradient")
        elif kind == "strides":
            strides(op, limit)
        else:
            errors(op, kind == "messages")
