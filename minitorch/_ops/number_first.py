"""torch's old order of arguments, numbers before tensors: `x.add_(0.1, y)`, `x.addcmul_(0.1, y, z)`.

Optimizers of 2017 to 2020 are written so; torch still takes it, with one warning. What comes after the positional
arguments of today is collected in `old`, and the call is made once more in today's order.
"""

from typing import Any

from minitorch.autograd._warnings import warn_once

from .public import FUNCTIONS

# ops, what they scale the tensors behind the number with, and the places of numbers, in functions and in methods
ONE_NUMBER = {"add": ("alpha", 2), "sub": ("alpha", 2), "addcmul": ("value", 3), "addcdiv": ("value", 3)}
TWO_NUMBERS = frozenset(("addmm", "addmv", "addr", "addbmm", "baddbmm"))
WITH_OLD_ORDER = TWO_NUMBERS | ONE_NUMBER.keys()


def in_new_order(name: str, given: tuple[Any, ...], **named: Any) -> Any:
    """The result of a call with more positional arguments than tensors; torch's TypeError if it fits no old order."""
    numbers = [i for i, value in enumerate(given) if value.__class__ in (int, float, bool)]
    tensors = [value for i, value in enumerate(given) if i not in numbers]
    op = name.removesuffix("_")
    if op in ONE_NUMBER:
        word, count = ONE_NUMBER[op]
        if len(given) != count + 1 or numbers[:1] != [1]:
            raise _refused(name, given, count)
        named[word], operands = given[1], (given[0], *given[2:])
    else:
        if len(tensors) != 3 or numbers not in ([0], [1], [0, 2], [1, 2]):
            raise _refused(name, given, 3)
        named["beta"], operands = given[numbers[0]], tuple(tensors)
        if len(numbers) == 2:
            named["alpha"] = given[numbers[1]]
    words = ", ".join(sorted(set(named) - {"out"}))
    warn_once(f"{op}() with numbers before tensors is deprecated: give {words} by name, after the tensors")
    return FUNCTIONS[name](*operands, **{word: value for word, value in named.items() if value is not None})


def _refused(name: str, given: tuple[Any, ...], count: int) -> TypeError:
    return TypeError(f"{name}() takes {count} positional arguments but {len(given)} were given")
