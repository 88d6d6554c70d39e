"""What `checkpoint(debug=True)` writes down: the operations of both runs of a function, with the user's lines."""

from typing import Any

from minitorch.autograd._lines import described, here
from minitorch.autograd.grad_mode import state

_TEXT = """An error happened while unpacking tensors; dumping logs of latest computation
because you passed `debug=True` to `torch.utils.checkpoint.checkpoint()`.

Operations executed during the original forward:

{first}

Operations executed during recomputation:

{second}

The first line of the two lists that differs is where the runs parted."""


class OperationLog:
    """A context in which the calls of all operations are written down."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __enter__(self) -> "OperationLog":
        self.lines.clear()
        state.interceptors = (*state.interceptors, self)
        state.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        state.interceptors = tuple([i for i in state.interceptors if i is not self])
        state.refresh()

    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        place = described(*here())
        with state.below(self):
            out = op.function(*args)
        inputs = ", ".join([_short(a) for a in args])
        results = ", ".join([_short(o) for o in (out if isinstance(out, (tuple, list)) else (out,))])
        name = getattr(op, "public_name", op.name)
        self.lines.append(f"{results} = {name}({inputs})  {place}")
        return out


def _short(value: Any) -> str:
    """A tensor by dtype and shape, as `float32[2, 3]`."""
    from minitorch._tensor import Tensor

    return f"{value.dtype.name}{list(value.shape)}" if isinstance(value, Tensor) else repr(value)


def both_runs(first: OperationLog, second: OperationLog) -> str:
    """The message that shows what the two runs did."""
    return _TEXT.format(first="\n".join(first.lines), second="\n".join(second.lines))
