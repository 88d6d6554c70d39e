"""The name of a value's type as error messages give it."""

from typing import Any


def typename(obj: Any) -> str:
    """Same as torch.typename: a tensor's legacy type name, else the type's dotted path.

    >>> typename(3), typename([])
    ('int', 'list')
    """
    from minitorch._tensor import Tensor  # utils sits below the tensor core in import order

    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(obj, "__module__", "") or ""
    return kind.__qualname__ if module in ("", "builtins") else f"{module}.{kind.__qualname__}"
