"""Functions of an op other than its plain one, in the form that an interceptor's `call(op, args)` gets."""

from typing import Any

from .op import Op
from .public import FUNCTIONS


class InPlace:
    """The in-place twin in the form an interceptor calls."""

    def __init__(self, op: Op):
        self.op = op
        self.name = op.name + "_"

    def function(self, *args: Any) -> Any:
        return FUNCTIONS[self.name](*args)


class Positional:
    """An op with keyword-only arguments in the form an interceptor calls."""

    def __init__(self, op: Op):
        self.op, self.name = op, op.name

    def function(self, *args: Any) -> Any:
        first = len(args) - len(self.op.keyword_only)
        return self.op.function(*args[:first], **dict(zip(self.op.keyword_only, args[first:], strict=True)))
