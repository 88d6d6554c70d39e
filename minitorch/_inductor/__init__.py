"""The settings of torch._inductor, which programs set around `torch.compile`; functions are left as they are."""

from . import config

__all__ = ["config"]
