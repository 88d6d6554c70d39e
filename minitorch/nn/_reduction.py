"""Same as torch.nn._reduction."""

from minitorch._ops.loss_reduction import get_enum, legacy_get_enum, legacy_get_string

__all__ = ["get_enum", "legacy_get_enum", "legacy_get_string"]
