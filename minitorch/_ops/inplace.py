"""Writing to tensors that have a graph: torch's rules for leaves and views.

A write to a view of a tracked base gives the base a CopySlices node, which sends the written part of the gradient
through the op that wrote and the rest past it; the view, and every other view of that base when it is next used, gets
a new edge from its geometry (`renewed_edge`).
"""

from typing import Any
from weakref import ref

import numpy as np

from minitorch._device import backend
from minitorch._dtype import C_NAMES, CATEGORY, CPP_NAMES, numpy_dtype
from minitorch._kernels.half import converted
from minitorch._kernels.strided import element_strides, restrided
from minitorch._storage import refuse_growth
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn
from minitorch.autograd.engine import deliver, heappush
from minitorch.autograd.function import FUNCTION
from minitorch.autograd.grad_mode import NO_GRAD, state
from minitorch.autograd.node import MultiNode, Node, next_key

from .check import recorded_out, type_name
from .copies import check_not_overlapping, check_overlap
from .nodes import aliased, plain_name
from .op import APART, OPS

ndarray = np.ndarray
MULTI = "multi"  # `created` of the outputs of unbind, split and chunk


_TO_LEAF = "\nWrite to it under torch.no_grad(), if it is to change between steps, or to a copy: x = x.clone()"


def check_inplace(x: Tensor) -> None:
    """Refuse what torch refuses to write to while recording."""
    base = x.base
    if base is None:
        if x.edge is not None and x.edge.is_leaf:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation." + _TO_LEAF)
        return
    _refuse_created(x, "is being modified inplace")
    tracked = x.edge if base.edge is None else base.edge if base.edge.is_leaf else None
    if tracked is not None:  # also a view whose base was detached, or which itself was told to require grad
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation." + _TO_LEAF
        )


_FORBIDDEN = {
    MULTI: "This view is the output of a function that returns multiple views. Such functions do not allow the output "
    "views to be modified inplace. You should replace the inplace operation by an out-of-place one.",
    FUNCTION: "This view was created inside a custom Function (or because an input was returned as-is) and the "
    "autograd logic to handle view+inplace would override the custom backward associated with the custom Function, "
    "leading to incorrect gradients. This behavior is forbidden. You can fix this by cloning the output of the custom "
    "Function.",
    NO_GRAD: "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by "
    "moving both the view and the inplace either both inside the no_grad block (if you don't want the inplace to be "
    "tracked) or both outside (if you want the inplace to be tracked).",
}


def _refuse_created(x: Tensor, what: str) -> None:
    """Refuse a recorded write that concerns a view which came about in one of these ways."""
    created = x.created
    if created is None:
        return
    if created is NO_GRAD:
        raise RuntimeError(
            f"A view was created in no_grad mode and {what} with grad mode enabled. {_FORBIDDEN[NO_GRAD]}"
        )
    made = f"Output {x.output_nr} of {plain_name(x.edge)}" if x.edge is not None else "A view"
    raise RuntimeError(f"{made} is a view and {what}. {_FORBIDDEN[created]}")


def rebase(x: Tensor, node: Any, x_edge: Any) -> None:
    """After a recorded write to x: `node` is what wrote, `x_edge` the edge that x had."""
    base = x.base
    if base is None:
        x.edge = node
        keep_retaining(x)
        return
    first = f"{node.op.tensors[0]}_edge" if hasattr(node, "op") else node.edges[0]
    base.edge = slices = CopySlices(base, x, node, first)
    node.__dict__["within"] = ref(slices)
    x.edge = as_strided_edge(x, base)
    x.view_version = x.version[0]
    keep_retaining(x)
    keep_retaining(base)


def keep_retaining(x: Tensor) -> None:
    """Let `retain_grad` follow the tensor to its new edge."""
    if x.retains_grad:
        x.__dict__.pop("_retains").remove()
        x.retain_grad()


def as_strided_edge(x: Tensor, base: Tensor) -> Any:
    """A new edge for a view, from its geometry within its base."""
    view = OPS["as_strided"].function(base, x.array.shape, element_strides(x.array), x.storage_offset())
    return view.edge


def renewed_edge(x: Tensor) -> Any:
    """The edge of a view after its memory was written to through its base or another view."""
    base = x.base
    assert base is not None
    if base.edge is None and (x.edge is None or x.edge.is_leaf):  # a leaf of its own stays one
        return x.edge
    if state.mode is None:
        _refuse_created(x, "its base or another view of its base has been modified inplace")
    if base.edge is None:
        x.edge = None
    else:
        mode, grad = state.mode, state.grad
        state.switch(None)
        state.grad = True
        try:
            x.edge = as_strided_edge(x, base)
        finally:
            state.switch(mode)
            state.grad = grad
    x.view_version = x.version[0]
    return x.edge


class _Catcher(Node):
    """Stands for the view's former edge while a CopySlices node runs what wrote to the view."""

    __slots__ = ("stands_for",)

    def __init__(self, stands_for: Any) -> None:
        self.key, self.grad, self.owned, self.hooks = 0, None, False, None
        self.stands_for = stands_for


class CopySlices(Node):
    """The base's node after a write to a view: the writer's gradient for the view's part, the rest as it is."""

    __slots__ = ("base_edge", "catcher", "geometry", "view", "writer")
    edges = ("base_edge",)

    def __init__(self, base: Tensor, view: Tensor, writer: Any, first_edge: str):
        self.key, self.grad, self.owned, self.hooks = next_key(), None, False, None
        self.base_edge, self.writer = base.edge, writer
        a, b = view.array, base.array
        self.geometry = b.shape, b.strides
        self.view = a.shape, a.strides, (view.storage_offset() - base.storage_offset()) * a.dtype.itemsize
        former = getattr(writer, first_edge, None)
        self.catcher = _Catcher(former)
        if former is not None:  # else the writer kept nothing for this gradient
            setattr(writer, first_edge, self.catcher)

    def name(self) -> str:
        return "torch::autograd::CopySlices"

    @property
    def next_functions(self) -> Any:
        rest = [f for f in self.writer.next_functions if f[0] is not self.catcher]
        return ((self.base_edge, 0), *rest)

    def run(self, g: Any, heap: Any, keep: bool) -> None:
        shape, strides = self.geometry
        if g.__class__ is not ndarray:
            from minitorch.autograd.engine import without_recording

            without_recording(self._run_tensors, wrap(g), heap, keep, True)
            return
        result = _with_strides(shape, strides, g.dtype)
        result[...] = g
        part = restrided(result, *self.view)
        self._through_writer(part.copy(), heap, keep, False)
        caught = self.catcher.grad
        part[...] = 0 if caught is None else caught
        self.catcher.grad = None
        if self.base_edge is not None:
            deliver(self.base_edge, result, True, heap)

    def successors(self) -> list[Any]:
        return [self.base_edge, self.writer]

    def written_edge(self, array: Any) -> Any:
        """The edge of the view as it was after the write; `array` is the view's."""
        shape, strides = self.geometry
        base = aliased(restrided(array, shape, strides, -self.view[2]), [0], self)
        return as_strided_edge(wrap(array), base)

    def run_tensors(self, g: Any, heap: Any, keep: bool) -> None:
        self._run_tensors(g, heap, keep, False)

    def _run_tensors(self, g: Tensor, heap: Any, keep: bool, as_arrays: bool) -> None:
        size = g.array.dtype.itemsize
        base = self.geometry[0], tuple(s // size for s in self.geometry[1])
        place = self.view[0], tuple(s // size for s in self.view[1]), self.view[2] // size
        part = OPS["strided_part"].function(g, base, place)
        self._through_writer(part.array if as_arrays else part, heap, keep, not as_arrays)
        caught, self.catcher.grad = self.catcher.grad, None
        if caught is None:
            caught = OPS["mul"].function(part, 0.0)
        elif as_arrays:
            caught = wrap(caught)
        result = OPS["strided_written"].function(g, caught, base, place)
        if self.base_edge is not None:
            deliver(self.base_edge, result.array if as_arrays else result, True, heap)

    def _through_writer(self, g: Any, heap: Any, keep: bool, tensors: bool) -> None:
        scratch: list[Any] = []
        g = [g] if isinstance(self.writer, MultiNode) else g
        (self.writer.run_tensors if tensors else self.writer.run)(g, scratch, keep)
        for entry in scratch:
            if entry[1] is not self.catcher:
                heappush(heap, entry)


def _with_strides(shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of these strides with memory of its own."""
    extent = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) // dtype.itemsize
    return restrided(np.empty(max(extent, 1), dtype), shape, strides)


# torch's words where it casts the result to no other dtype
EXACT_OUT = {
    **dict.fromkeys(
        "gather take_along_dim tril triu diag diagonal scatter scatter_add index_add scatter_reduce index_reduce "
        "index_copy argmax argmin max_dim min_dim alias_copy as_strided_copy detach_copy diagonal_copy expand_copy "
        "permute_copy select_copy slice_copy split_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy "
        "unsqueeze_copy view_copy mm bmm addmm addmv baddbmm softmax_dim log_softmax_dim linalg_cross slice_scatter "
        "linalg_inv linalg_solve linalg_det linalg_slogdet linalg_lu linalg_lu_factor linalg_lu_solve linalg_cholesky "
        "linalg_ldl_factor linalg_ldl_factor_ex linalg_ldl_solve "
        "linalg_qr linalg_svd linalg_svdvals linalg_eigh linalg_eigvalsh linalg_vector_norm renorm sort_dim "
        "msort topk_dim".split(),
        "Expected out tensor to have dtype {cpp_made}, but got {cpp_have} instead",
    ),
    **dict.fromkeys(
        "neg abs sign sgn ceil floor trunc round round_decimals frac conj_physical hardshrink".split(),
        "Found dtype {have} but expected {made}",
    ),
    **dict.fromkeys(("dot", "vdot"), "result dtype {have} does not match input dtype {made}"),
    **dict.fromkeys(("quantile", "nanquantile"), "quantile() out tensor must be same dtype as the input tensor"),
    **dict.fromkeys(
        ("linalg_multi_dot", "chain_matmul"),
        "multi_dot(): expected out tensor to have dtype {cpp_made} but got {cpp_have}",
    ),
    "logcumsumexp": "expected scalar_type {made} but found {have}",
    "mv": "addmv input tensors must have the same dtype, but got {have}, {made}, and {made}",
    "addbmm": "self and mat2 must have the same dtype, but got {have} and {made}",
    "linalg_norm": "linalg.norm expected out tensor dtype {made} but got: {have}",
    "linalg_matrix_norm": "linalg.matrix_norm expected out tensor dtype {made} but got: {have}",
    "linalg_solve_triangular": "expected scalar type {made} but found {have}",
    "linalg_vecdot": "linalg.vecdot: Expected out of dtype{made} but found {have}",
    "tensordot": "tensordot: Expected the output tensor to have dtype {made}, but got an output tensor with dtype "
    "{have}",
    "heaviside": "heaviside is not yet implemented for tensors with different dtypes.",
    "nan_to_num": "nan_to_num: dtype of out: {have} should be same as input: {made}",
    "ormqr": "torch.ormqr: Expected input and result to have the same dtype, but input has dtype{made} and result has "
    "dtype {have}",
    "histc": "torch.histogram: input tensor and hist tensor should have the same dtype, but got input {cpp_made} and "
    "hist {cpp_have}",
    "narrow_copy": "Expected self.dtype() == output.dtype() to be true, but got false.  (Could this error message be "
    "improved?  If so, please report an enhancement request to PyTorch.)",
    "index_select": "index_select(): self and result must have the same scalar type",
    "masked_read": "masked_select(): self and result must have the same scalar type",
    "take": "take(): self and out expected to have the same dtype, but got self.dtype = {made} and out.dtype = {have}",
    **dict.fromkeys(
        ("amax", "amin"),
        "Expected the dtype for input and out to match, but got {made} for input's dtype and {have} for out's dtype.",
    ),
    "choose": "Expected out type to be {made} but got {have}",
    "nonzero_rows": "nonzero: Expected out tensor to have scalar type {made} but got scalar type{have}",
}


IN_DTYPE_OF_OUT = frozenset(("sum", "cumsum", "cumprod"))  # what torch computes in the dtype of `out=`


def for_out(op: Any, out: Any) -> Any:
    """The function of a record whose result goes to `out=`: one that the mode may choose."""
    choose = getattr(state.mode, "for_out", None)
    function = op.function if choose is None else choose(op)
    if op.name == "mean":
        return lambda input, *args, dtype: function(input, *args, dtype=_dtype_of_mean(out, input, dtype))
    if op.name not in IN_DTYPE_OF_OUT:
        return function
    return lambda *args, dtype: function(*args, dtype=dtype_of_out(out, dtype))


def dtype_of_out(out: Any, dtype: Any) -> Any:
    """The dtype of the tensor `out=`, which must be `dtype=` if that is given."""
    if not isinstance(out, Tensor):
        return dtype  # refused when the result is there
    if dtype is not None and numpy_dtype(dtype) != out.array.dtype:
        made, have = CPP_NAMES[numpy_dtype(dtype).name], CPP_NAMES[out.array.dtype.name]
        raise RuntimeError(f"Expected out tensor to have dtype {made}, but got {have} instead")
    return out.dtype


def _dtype_of_mean(out: Any, input: Tensor, dtype: Any) -> Any:
    """The same where only floats will do."""
    from minitorch._dtype import FLOATS, get_default_dtype

    from .check import C_NAMES, c_name
    from .reductions import mean_dtype

    mean_dtype("mean", input.array, dtype)
    chosen = dtype_of_out(out, dtype)
    if isinstance(out, Tensor) and out.array.dtype not in FLOATS:
        made = C_NAMES[get_default_dtype().numpy.name]  # torch divides the sum that is in `out` already
        raise RuntimeError(f"result type {made} can't be cast to the desired output type {c_name(out.array)}")
    return chosen


def into(out: Tensor, op: Any, result: Any, *operands: Any) -> Any:
    """`out=`: copy the result into it, resized if need be; torch's rules for dtype, gradient and overlap."""

    if isinstance(result, tuple):
        _check_outs(getattr(op, "public_name", op.name), out, len(result))
        written = [into(o, op, r, *operands) for o, r in zip(out, result, strict=True)]
        return type(result)(*written) if hasattr(result, "_fields") else tuple(written)
    if not isinstance(out, Tensor):
        name = getattr(op, "public_name", op.name)
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type_name(out)}")
    if hasattr(state.mode, "refuse_out"):
        state.mode.refuse_out(op, out, result)
    if state.mode is not NO_GRAD and (out.requires_grad or result.requires_grad):
        raise recorded_out(op.name)
    for i, other in enumerate(operands):  # gather's index may be all of `out`, but not a part of it
        check_overlap(out, other, apart=op.name in APART and not (i and op.name == "gather"))
    have, made = out.array, result.array
    if have.dtype != made.dtype:
        _refuse_out_dtype(op.name, have.dtype.name, made.dtype.name)
    if CATEGORY[made.dtype] > CATEGORY[have.dtype]:
        raise RuntimeError(
            f"result type {C_NAMES[made.dtype.name]} can't be cast to the desired output type "
            f"{C_NAMES[have.dtype.name]}"
        )
    if have.shape != made.shape:
        if isinstance(have, ndarray):
            refuse_growth(have, (out.storage_offset() + made.size) * have.itemsize)
        if have.size:
            warn(
                f"An output with one or more elements was resized since it had shape {list(have.shape)}, which does "
                f"not match the required output shape {list(made.shape)}. This behavior is deprecated, and in a future "
                "PyTorch release outputs will not be resized unless they have zero elements. You can explicitly "
                "reuse an out tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
                UserWarning,
            )
        out._lie_over(converted(made, have.dtype) if isinstance(made, ndarray) else made.astype(have.dtype))
    else:
        check_not_overlapping(out)
        backend(out.device).write(have, made)
    out.version[0] += 1
    return out


def _check_outs(name: str, out: Any, count: int) -> None:
    """Refuse an `out=` of several results that is not as many tensors."""
    if not isinstance(out, (tuple, list)):
        raise TypeError(f"{name}(): argument 'out' must be tuple of Tensors, not {type_name(out)}")
    if len(out) != count:
        raise TypeError(f"expected tuple of {count} elements but got {len(out)}")
    for i, o in enumerate(out):
        if not isinstance(o, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 'out', but got {type_name(o)}")


def _refuse_out_dtype(name: str, have: str, made: str) -> None:
    text = EXACT_OUT.get(name)
    if text is not None:
        raise RuntimeError(
            text.format(have=C_NAMES[have], made=C_NAMES[made], cpp_have=CPP_NAMES[have], cpp_made=CPP_NAMES[made])
        )
