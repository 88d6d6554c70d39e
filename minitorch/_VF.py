"""Same as torch._VF: torch's functions of tensors, as layers written for PyTorch call them."""

from ._ops.namespaces import TORCH

globals().update(TORCH)
