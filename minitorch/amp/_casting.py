"""How autocast casts: which functions take which dtype, and the step that is put in front of them.

The first region that is switched on puts a step in front of each function of the lists: its code moves to an inner
function, as `overrides.enable` does it, and the new code asks whether autocast is on in this thread. Records among
the listed need no such step: inside a region an interceptor sees them. So a program without autocast pays nothing.

A listed function runs with autocast off inside, as torch's does: see `Casting.run`.
"""

import threading
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from minitorch._dtype import bfloat16, float16, float32, float64
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import state as grad_state

LOWER = "lower"
FLOAT32 = "float32"
WIDEST = "widest"
AS_THEY_ARE = "as they are"  # one operation in torch, made of listed ones here

# torch's lists for the CPU, by the function's name in its namespace
LISTED: dict[str, frozenset[str]] = {
    LOWER: frozenset(
        "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d conv_tbc linear matmul __matmul__ "
        "__rmatmul__ linalg.matmul linalg.vecdot prelu scaled_dot_product_attention".split()
    ),
    FLOAT32: frozenset(
        "adaptive_avg_pool3d adaptive_max_pool3d adaptive_max_pool3d_with_indices avg_pool3d binary_cross_entropy "
        "binary_cross_entropy_with_logits cdist cholesky cholesky_inverse cholesky_solve cosine_embedding_loss "
        "cross_entropy ctc_loss fractional_max_pool2d fractional_max_pool2d_with_indices fractional_max_pool3d "
        "fractional_max_pool3d_with_indices grid_sample grid_sampler grid_sampler_2d grid_sampler_3d "
        "hinge_embedding_loss huber_loss inverse kl_div l1_loss lu lu_solve margin_ranking_loss max_pool3d "
        "max_unpool1d max_unpool2d max_unpool3d mse_loss multi_margin_loss multilabel_margin_loss nanquantile "
        "nll_loss pad pinverse poisson_nll_loss prod qr quantile smooth_l1_loss soft_margin_loss svd trace "
        "triangular_solve triplet_margin_loss geqrf ormqr orgqr "
        "linalg.cholesky linalg.cholesky_ex linalg.cond linalg.eigh linalg.eigvalsh linalg.householder_product "
        "linalg.inv linalg.inv_ex linalg.lstsq linalg.matrix_rank linalg.qr linalg.solve linalg.svd linalg.svdvals "
        "linalg.tensorinv linalg.tensorsolve".split()
    ),
    WIDEST: frozenset("cat concat concatenate stack index_copy".split()),
    AS_THEY_ARE: frozenset(("linalg.lu_solve",)),
}
RECORDS = frozenset("mm bmm addmm baddbmm addbmm".split())  # of LOWER, and records: seen by the interceptor

# torch's lists for CUDA (docs.pytorch.org/docs/stable/amp.html), functions and records
LISTED_CUDA: dict[str, frozenset[str]] = {
    LOWER: frozenset(
        "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d conv_tbc linear matmul __matmul__ "
        "__rmatmul__ linalg.matmul linalg.vecdot linalg.multi_dot chain_matmul prelu addr "
        "scaled_dot_product_attention".split()
    ),
    FLOAT32: frozenset(
        "binary_cross_entropy_with_logits cdist cosine_embedding_loss cosine_similarity cross_entropy cumprod cumsum "
        "dist group_norm hinge_embedding_loss huber_loss kl_div l1_loss layer_norm log_softmax margin_ranking_loss "
        "mse_loss multi_margin_loss multilabel_margin_loss nll_loss norm normalize pdist poisson_nll_loss pow __pow__ "
        "__rpow__ prod renorm smooth_l1_loss soft_margin_loss softmax softmin sum triplet_margin_loss".split()
    ),
    WIDEST: frozenset(
        "addcdiv addcmul bilinear cat concat concatenate cross dot grid_sample index_put scatter_add stack "
        "tensordot".split()
    ),
}
CUDA_RECORDS = {
    **dict.fromkeys("mm bmm mv addmm addmv baddbmm addbmm".split(), LOWER),
    **dict.fromkeys(
        "acos asin cosh erfinv exp expm1 log log10 log1p log2 reciprocal rsqrt sinh softplus tan".split(), FLOAT32
    ),
    "atan2": WIDEST,
}
POLICIES = {  # of functions, by the device of a region
    device: {name: policy for policy, names in listed.items() for name in names}
    for device, listed in (("cpu", LISTED), ("cuda", LISTED_CUDA))
}
RECORD_POLICIES = {"cpu": dict.fromkeys(RECORDS, LOWER), "cuda": CUDA_RECORDS}


def _pad_is_listed(input: Any, pad: Any, mode: str = "constant", value: Any = None) -> bool:
    """`pad` is many functions in torch, and only some of them are listed."""
    return mode == "replicate" or (mode == "reflect" and len(pad) <= 4)


def _without_indices(*args: Any, return_indices: bool = False, **kwargs: Any) -> bool:
    """`max_pool3d` with indices is another function, which is not listed."""
    return not (return_indices or (len(args) > 6 and args[6]))


ONLY_IF: dict[str, Callable[..., bool]] = {"pad": _pad_is_listed, "max_pool3d": _without_indices}


class Casting(threading.local):
    """The state of autocast in one thread."""

    enabled: dict[str, bool]
    dtypes: dict[str, Any]
    cache_enabled = True
    nesting = 0
    device = "cpu"  # whose tensors are cast; of two regions, one in the other, that for CUDA counts
    to: Any = None  # the dtype to cast to there; None outside of regions, and inside a function that was cast

    def __init__(self) -> None:
        self.enabled = {}
        self.dtypes = {"cpu": bfloat16, "cuda": float16}
        self.cache: dict[tuple[int, Any], tuple[Tensor, Tensor]] = {}
        self.interceptor = _Records()

    def refresh(self) -> None:
        """After a change of `enabled` or `dtypes`."""
        self.device = "cuda" if self.enabled.get("cuda", False) else "cpu"
        on = self.enabled.get(self.device, False)
        self.to = self.dtypes[self.device] if on else None
        others = tuple([i for i in grad_state.interceptors if i is not self.interceptor])
        present = len(others) < len(grad_state.interceptors)
        if on:
            install()
        if on != present:
            grad_state.interceptors = (*others, self.interceptor) if on else others
            grad_state.refresh()

    # ------------------------------------------------------------------ casting
    def cast(self, value: Any, dtype: Any) -> Any:
        """The value with the device's tensors of floats, float64 apart, in this dtype."""
        if isinstance(value, (list, tuple)):
            return type(value)([self.cast(v, dtype) for v in value])
        if not self.casts(value) or value.dtype in (dtype, float64):
            return value
        if not (self.cache_enabled and dtype is self.to and _is_weight(value) and grad_state.grad):
            return value.to(dtype)
        key = id(value), dtype
        if key not in self.cache:
            self.cache[key] = value, value.to(dtype)
        return self.cache[key][1]

    def casts(self, value: Any) -> bool:
        """Whether the value is one that casts concern."""
        return isinstance(value, Tensor) and value.device.type == self.device and value.is_floating_point()

    def widest(self, values: Iterable[Any]) -> Any:
        """The widest dtype among the operands that are promoted."""
        found = self.to
        for t in _tensors(values):
            if self.casts(t) and t.dtype is not float64:
                if t.dtype is float32:
                    found = float32
                elif found is not float32 and t.dtype is not self.to:
                    raise RuntimeError("Unexpected floating ScalarType in at::autocast::prioritize")
        return found

    def run(self, policy: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The function on its operands in the dtype that the policy names, with autocast off inside."""
        lower = self.to
        if policy is not AS_THEY_ARE:
            narrow = policy is LOWER
            dtype = lower if narrow else float32 if policy is FLOAT32 else self.widest((*args, *kwargs.values()))
            args = tuple([self.cast(a, dtype) for a in args])
            kwargs = {name: self.cast(value, dtype) for name, value in kwargs.items()}
        self.to = None
        try:
            return function(*args, **kwargs)
        finally:
            self.to = lower


class _Records:
    """The interceptor of a region: the records among the listed functions."""

    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        with grad_state.below(self):
            policy = None if casting.to is None else RECORD_POLICIES[casting.device].get(op.name)
            return op.function(*args) if policy is None else casting.run(policy, op.function, args, {})

    def for_out(self, op: Any) -> Callable[..., Any]:
        """The op's function as `out=` gets its result: without a cast, as in torch."""
        return lambda *args, **kwargs: casting.run(AS_THEY_ARE, op.function, args, kwargs)


def _is_weight(t: Tensor) -> bool:
    return t.requires_grad and t.is_leaf and t.dtype is float32 and t.base is None


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


casting = Casting()


# ---------------------------------------------------------------------- the step in front
def _front(name: str, inner: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if casting.to is not None and kwargs.get("out") is not None:  # which torch does not cast for
        return casting.run(AS_THEY_ARE, inner, args, kwargs)
    policy = None if casting.to is None else POLICIES[casting.device].get(name)
    if policy is None:
        return inner(*args, **kwargs)
    only_if = ONLY_IF.get(name)
    if only_if is not None and not only_if(*args, **kwargs):
        return inner(*args, **kwargs)
    return casting.run(policy, inner, args, kwargs)


_TEXT = """def around({free}):
    def casting(*args, _inner, _name, _front, **kwargs):
        return _front(_name, _inner, args, kwargs)
        ({free})
    return casting
"""
_installed = False
_lock = threading.Lock()


def install() -> None:
    """Put the step in front of every listed function; once in a program."""
    global _installed
    with _lock:
        if _installed:
            return
        _installed = True
        done: set[int] = set()
        for name in sorted({**POLICIES["cpu"], **POLICIES["cuda"]}):
            for function in _functions(name):
                if id(function) not in done:
                    done.add(id(function))
                    _put_in_front(function, name)


def _functions(name: str) -> Iterator[Any]:
    """The functions of this name; what `overrides` put in front of one stays outermost."""
    import minitorch
    from minitorch import linalg
    from minitorch.nn import functional

    module, _, last = name.rpartition(".")
    for owner in (linalg,) if module else (minitorch, functional, Tensor):
        function = vars(owner).get(last)
        if isinstance(function, types.FunctionType):
            given = function.__kwdefaults__ or {}
            yield function if "_front" in given else given.get("_inner", function)


def _put_in_front(f: Any, name: str) -> None:
    from minitorch.autograd._lines import OURS

    inner = types.FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    inner.__kwdefaults__, inner.__dict__ = f.__kwdefaults__, dict(f.__dict__)
    inner.__module__, inner.__qualname__, inner.__annotations__ = f.__module__, f.__qualname__, f.__annotations__
    free = ", ".join(f"free{i}" for i in range(len(f.__code__.co_freevars)))
    scope: dict[str, Any] = {}
    OURS.add("<minitorch autocast>")
    exec(compile(_TEXT.format(free=free), "<minitorch autocast>", "exec"), scope)
    code = scope["around"](*free.split(", ") if free else ()).__code__.replace(co_name=f.__name__)
    added = {"_inner": inner, "_name": name, "_front": _front}
    # another thread may call f between any two of these lines: the defaults must serve both codes until the end
    f.__kwdefaults__ = {**(f.__kwdefaults__ or {}), **added}
    f.__code__ = code
    f.__defaults__, f.__kwdefaults__ = None, added
    f.__wrapped__ = inner  # for its signature
