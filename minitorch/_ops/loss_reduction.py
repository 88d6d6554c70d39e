"""Ways to reduce a loss, and the two arguments that named them before `reduction` did."""

from minitorch.autograd._warnings import warn

CODES = {"none": 0, "mean": 1, "sum": 2}


def get_enum(reduction: str) -> int:
    """0 for "none", 1 for "mean", 2 for "sum". Raises ValueError for others.

    >>> get_enum("mean")
    1
    """
    if reduction == "elementwise_mean":
        warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.")
        reduction = "mean"
    if reduction not in CODES:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return CODES[reduction]


def legacy_get_string(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> str:
    """The reduction that the deprecated `size_average` and `reduce` mean; None stands for True.

    >>> legacy_get_string(False, None, emit_warning=False)
    'sum'
    """
    if reduce is not None and not reduce:
        reduction = "none"
    elif size_average is None or size_average:
        reduction = "mean"
    else:
        reduction = "sum"
    if emit_warning:
        warn(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.")
    return reduction


def legacy_get_enum(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> int:
    """The code of `legacy_get_string`.

    >>> legacy_get_enum(False, None, emit_warning=False)
    2
    """
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
