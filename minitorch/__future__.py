"""Same as torch.__future__: what conversions of modules do to their parameters."""

__all__ = [
    "get_overwrite_module_params_on_conversion",
    "get_swap_module_params_on_conversion",
    "set_overwrite_module_params_on_conversion",
    "set_swap_module_params_on_conversion",
]

_overwrite_module_params_on_conversion = False
_swap_module_params_on_conversion = False


def set_overwrite_module_params_on_conversion(value: bool) -> None:
    """Say whether `module.to()` and its like give a module new parameters, and leave the old ones as they were."""
    global _overwrite_module_params_on_conversion
    _overwrite_module_params_on_conversion = value


def get_overwrite_module_params_on_conversion() -> bool:
    """Whether `module.to()` and its like give a module new parameters; by default they change those that it has."""
    return _overwrite_module_params_on_conversion


def set_swap_module_params_on_conversion(value: bool) -> None:
    """Say whether parameters stay the same objects in every conversion, and when a state_dict is assigned.

    >>> import minitorch as torch
    >>> set_swap_module_params_on_conversion(True)
    >>> with torch.device("meta"):
    ...     layer = torch.nn.Linear(2, 1)
    >>> weight = layer.weight
    >>> layer.to_empty(device="cpu").weight is weight
    True
    >>> set_swap_module_params_on_conversion(False)
    """
    global _swap_module_params_on_conversion
    _swap_module_params_on_conversion = value


def get_swap_module_params_on_conversion() -> bool:
    """Whether parameters stay the same objects in every conversion, by default only where torch's `.data` allows it."""
    return _swap_module_params_on_conversion
