"""CUDA as a backend (see `_kernels/backend.py`): which module holds the kernels of which op.

A pointwise op's kernel is generated from its formula (`pointwise.py`). For every other op MODULES names a module of
this folder, whose function of the op's name is called as `function(inferred, *arrays, *others)`: `inferred` is the
(shape, dtype) of the result or a list of them, the rest are the op's arguments, tensors (arrays here) before others.
It returns a new array, or a tuple of them for an op with several outputs.
"""

import importlib
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np

from . import array, runtime
from .array import CudaArray

# module -> the ops (by their records' names) whose kernels it holds
MODULES: dict[str, str] = {
    "attention": "attention_gradients attention_in_blocks",
    "conv": "convolution_backward_weight convolution_forward convolution_transpose",
    "copy": (
        "basic_backward cat choose clone clone_channels_last constant_pad copy_from dense fill_with flip_dims "
        "masked_fill_into masked_zero repeat_sizes roll_dims select_backward shifted slice_backward spread to_copy "
        "tril triu underivable unsafe_view zero"
    ),
    "cross_entropy": "cross_entropy_backward cross_entropy_rows loss_weights",
    "ctc": "ctc_loss_backward ctc_loss_of_each",
    "rejection": "binomial_sample dirichlet_sample gamma_sample poisson_sample",
    "rng": (
        "bernoulli_sample fill_bernoulli fill_bernoulli_p fill_cauchy fill_exponential fill_geometric fill_log_normal "
        "fill_normal fill_random fill_random_below fill_random_between fill_random_from fill_uniform normal_both "
        "normal_mean normal_std"
    ),
    "scan": "cummax_dim cummin_dim cumprod cumsum cumsum_from_end linear_scan logcumsumexp",
    "softmax": "causal_softmax log_softmax_dim log_softmax_gradient softmax_dim softmax_gradient",
    "sort": "kthvalue_dim median_dim median_of_all mode_dim nanmedian_dim sort_dim topk_dim",
    "embedding": "embedding_backward embedding_backward_adjoint embedding_rows",
    "frexp": "mantissa_exponent",
    "gamma_slopes": "dirichlet_slope gamma_slope",
    "gemm": "addbmm addmm addmv baddbmm bmm dot euclidean_distances linear_2d mm mv",
    "index": (
        "gather gather_backward index_add_into index_copy_into index_fill_into index_select index_select_backward "
        "pick_in_planes rows_cleared rows_kept scatter_add_into scatter_cleared scatter_extreme scatter_into "
        "scatter_multiply_into scatter_one scatter_product take_one"
    ),
    "jacobi": "eigh_factors eigvalsh_values singular_values svd_factors",
    "ldl": "ldl_factors ldl_solve_matrices",
    "losses": "label_set mse_backward mse_reduced",
    "matrices": (
        "cholesky_factor cholesky_inverse_matrix cholesky_solve_matrices constant_beside determinant inverse_matrix "
        "linalghouseholderproduct_layout linalglusolve_layout linalgsolveex_layout log_determinant lu_factors "
        "ormqr_layout pivot_matrix solve_matrices solve_triangular_matrices"
    ),
    "matrix_functions": "count_above exponential pseudo_inverse",
    "normalization": (
        "batch_norm_gradients batch_norm_train channel_affine group_norm_rows layer_norm_gradients layer_norm_rows"
    ),
    "orthogonal": (
        "eigh_factors_factor factor geqrf_factors packed_factor qr_factors qr_factors_factor svd_factors_factor"
    ),
    "positions": (
        "index index_backward index_cleared index_put_into masked_read masked_scatter_backward masked_scatter_into "
        "take_flat"
    ),
    "padding": "bordered bordered_backward",
    "patches": "col2im im2col unfold_backward",
    "pool": (
        "adaptive_max_planes adaptive_max_volumes fractional_max_planes fractional_max_volumes max_pool_backward "
        "max_pool_planes max_pool_volumes unpool_planes unpool_volumes"
    ),
    "recurrent": "recurrent_gradients recurrent_layer",
    "resample": (
        "adaptive_avg_planes adaptive_avg_volumes avg_pool_planes avg_pool_volumes map_axes products_at "
        "upsample_bicubic2d upsample_bicubic2d_aa upsample_bilinear2d upsample_bilinear2d_aa upsample_lanczos2d_aa "
        "upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_nearest_exact1d "
        "upsample_nearest_exact2d upsample_nearest_exact3d upsample_trilinear3d weighted_gather weighted_scatter"
    ),
    "search": "bag_numbers bincount histc_bins is_among search_sorted unique_slices",
    "segments": "segments_reduced segments_reduced_backward",
    "selecting": "flat_nonzero nonzero_rows nonzero_rows_static",
    "views": (
        "as_strided_backward as_strided_read diag_embed diagonal_backward part_kept part_written part_zeroed "
        "strided_part strided_part_written strided_spread strided_written"
    ),
    "reduce": (
        "all amax amin any argmax argmin count_nonzero logsumexp_dims max_dim mean min_dim norm_of_vectors prod_dim "
        "sum sum_of_valid sum_to_size variance"
    ),
}

# kernels written by hand count in 32 bits, and a thread that steps over the end of a row must not overflow either
MOST = (1 << 31) - (1 << 12)
COUNT_IN_64 = ("copy", "reduce", "rng", "selecting")
COUNT_ROWS = ("attention", "cross_entropy", "gemm", "softmax")  # places in 64 bits, each dimension in 32

_MODULE_OF = {op: module for module, ops in MODULES.items() for op in ops.split()}


class CudaBackend:
    """The backend of one GPU; None: of whichever is current."""

    def __init__(self, index: int | None):
        self.index = index

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> CudaArray:
        """An uninitialised array on the device."""
        return array.empty(shape, dtype, self.index)

    def filled(self, shape: tuple[int, ...], value: Any, dtype: np.dtype) -> CudaArray:
        """An array full of one number."""
        return array.filled(shape, value, dtype, self.index)

    def from_host(self, host: np.ndarray, non_blocking: bool = False) -> CudaArray:
        """A copy of a NumPy array on the device."""
        return array.from_host(host, self.index, non_blocking)

    def from_device(self, a: CudaArray) -> CudaArray:
        """A copy of another GPU's array."""
        source = a if a.flags.c_contiguous else a.copy()
        made = array.empty(a.shape, a.dtype, self.index)
        runtime.copy_between(made, source, a.nbytes)
        return made

    def write(self, dest: CudaArray, source: Any) -> None:
        """Copy an array of any device, broadcast and converted, into one on this."""
        from .copy import write

        if not isinstance(source, CudaArray):
            source = array.from_host(source, dest.device.index)
        write(dest, source)

    def run(self, op: Any, inferred: Any, arrays: list[Any], others: list[Any], dest: Any = None) -> Any:
        """Run an op's kernel on the device of its operands; a pointwise one writes to `dest` if that is safe."""
        index, before = self.index, runtime.current_index()
        for a in arrays:
            if a.__class__ is CudaArray:
                index = a.memory.device.index
                break
        kernel = _found.get(op) or kernel_of(op)
        if dest is not None:
            kernel = partial(kernel, dest=dest)
        if index is None or index == before:
            return kernel(inferred, *arrays, *others)
        runtime.set_index(index)
        try:
            return kernel(inferred, *arrays, *others)
        finally:
            runtime.set_index(before)

    def can_update(self, arrays: tuple[CudaArray, ...]) -> bool:
        """Whether `update` takes a parameter with this gradient and these states."""
        from .optim import fits

        return fits(arrays)

    def update(self, formula: Any, absent: frozenset[str], entries: list[Any], numbers: list[float]) -> None:
        """An optimizer's step over all parameters of one dtype on a device, in one launch: see `optim.run`."""
        from .optim import run

        run(formula, absent, entries, numbers)


@cache
def at(index: int | None) -> CudaBackend:
    """The backend of a GPU."""
    return CudaBackend(index)


def kernel_of(op: Any) -> Any:
    """The function that launches an op's kernels."""
    found = _found.get(op)
    if found is None:
        found = _found[op] = _find(op)
    return found


_found: dict[Any, Any] = {}


def _find(op: Any) -> Any:
    if op.kind == "pointwise":
        from .pointwise import run

        n = len(op.tensors)

        def pointwise(inferred: Any, *operands: Any, dest: Any = None) -> Any:
            return run(op, inferred, operands[:n], operands[n:], dest)

        return pointwise
    module = _MODULE_OF.get(op.name)
    if module is None:
        raise NotImplementedError(
            f"{op.name}() is not implemented for device 'cuda' by minitorch: compute it on the "
            "CPU, x.cpu(), and move the result back"
        )
    function = getattr(importlib.import_module(f".{module}", __package__), op.name)
    if module in COUNT_IN_64:
        return function
    return _limited(op.name, function, max if module in COUNT_ROWS else prod)


def _limited(name: str, function: Any, extent: Any) -> Any:
    """The function, where `extent` of every shape can be counted in 32 bits; an error elsewhere."""

    def limited(inferred: Any, *operands: Any) -> Any:
        results = inferred if isinstance(inferred, list) else () if inferred is None else (inferred,)
        for shape in [*[a.shape for a in operands if a.__class__ is CudaArray], *[shape for shape, _ in results]]:
            if shape and extent(shape) > MOST and 0 not in shape:
                raise NotImplementedError(
                    f"{name}() is not implemented for device 'cuda' by minitorch for a tensor as large as "
                    f"{list(shape)}: its kernel counts in 32 bits; work on parts of the tensor"
                )
        return function(inferred, *operands)

    return limited
