"""Same as torch.functional: functions of torch under another path."""

import minitorch

_NAMES = (
    "align_tensors atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes broadcast_tensors cartesian_prod cdist "
    "chain_matmul einsum istft lu meshgrid norm pca_lowrank split stft svd_lowrank tensordot unique unique_consecutive "
    "unravel_index"
)
__all__ = [name for name in _NAMES.split() if hasattr(minitorch, name)]
globals().update({name: getattr(minitorch, name) for name in __all__})
