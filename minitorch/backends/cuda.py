"""Same as torch.backends.cuda: settings of kernels on GPUs."""

from contextlib import AbstractContextManager
from typing import Any

from minitorch._switches import Switches, replaced
from minitorch.nn.attention import SDPBackend

__all__ = ["SDPBackend", "is_built", "matmul", "sdp_kernel"]

matmul = Switches(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
    allow_fp16_accumulation=False,
    fp32_precision="none",
)
_kernels = {"flash": True, "math": True, "mem_efficient": True, "cudnn": True}


def is_built() -> bool:
    """Whether there is a CUDA backend and a GPU for it."""
    from minitorch.cuda import is_available

    return is_available()


def _define(kind: str) -> None:
    def enable(enabled: bool) -> None:
        _kernels[kind] = enabled

    def enabled() -> bool:
        return _kernels[kind]

    enable.__doc__ = "Allow or forbid a kernel of attention on GPUs."
    enabled.__doc__ = "Whether a kernel of attention on GPUs is allowed."
    globals().update({f"enable_{kind}_sdp": enable, f"{kind}_sdp_enabled": enabled})


for _kind in _kernels:
    _define(_kind)


def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> AbstractContextManager[Any]:
    """A context in which other kernels of attention on GPUs are allowed."""
    allowed = {"flash": enable_flash, "math": enable_math, "mem_efficient": enable_mem_efficient, "cudnn": enable_cudnn}
    return replaced(_kernels, **allowed)
