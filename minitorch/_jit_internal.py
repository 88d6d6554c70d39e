"""The marks that modules copied from PyTorch import from torch._jit_internal; no compiler reads them."""

from typing import Any, Final

from .jit import export, ignore, is_scripting, unused
from .jit.annotations import BroadcastingList1, BroadcastingList2, BroadcastingList3, Dict, List, Optional, Tuple, Union

__all__ = [
    "Any", "BroadcastingList1", "BroadcastingList2", "BroadcastingList3", "Dict", "Final", "List", "Optional", "Tuple",
    "Union", "boolean_dispatch", "export", "ignore", "is_scripting", "unused",
]  # fmt: skip

# a mark of a function: it stays as it is
_copy_to_script_wrapper = _overload = _overload_method = unused


def boolean_dispatch(
    arg_name: str, arg_index: int, default: bool, if_true: Any, if_false: Any, module_name: str, func_name: str
) -> Any:
    """One function of two, by the argument `arg_name`, which has the place `arg_index`."""

    def function(*args: Any, **kwargs: Any) -> Any:
        flag = args[arg_index] if arg_index < len(args) else kwargs.get(arg_name, default)
        return (if_true if flag else if_false)(*args, **kwargs)

    function.__module__, function.__name__ = module_name, func_name
    function.__doc__ = if_true.__doc__ or if_false.__doc__
    return function
