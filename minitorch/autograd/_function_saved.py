"""One tensor that a user-defined Function saved for its backward."""

from collections.abc import Callable
from typing import Any

from . import engine
from .node import modified_error


class Saved:
    """One tensor that forward saved: an output without its wrapper, which would make a cycle through the node."""

    def __init__(self, t: Any, output: int | None):
        self.tensor = t if output is None else None
        self.array, self.cell, self.version, self.output = t.array, t.version, t.version[0], output
        self.packed: Any = None

    def register_hooks(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        """Keep pack_hook(tensor) instead of the tensor; unpack_hook makes a tensor of it again."""
        from .graph import Packed

        if self.packed is not None:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of "
                "hooks is allowed at a time."
            )
        t = self.tensor
        edge = t.edge if t is not None else None
        self.packed = Packed(engine.wrap(self.array) if t is None else t, pack_hook, unpack_hook), edge
        self.tensor = self.array = None

    def unpack(self, node: Any) -> Any:
        node = None if node is None else node()
        edge = None if self.output is None or node is None else node.output_edge(self.output)
        if self.packed is not None:
            packed, former = self.packed
            t = packed.unpack()
            edge = edge or former
            return t if t.edge is edge else _aliased(t.array, t.version, edge)
        if self.cell[0] != self.version:
            saver = f"save_for_backward kept it for {node.name() if node is not None else 'a Function'}"
            raise RuntimeError(modified_error(self.array, "", self.cell, self.version, saver, node))
        return self.tensor if self.output is None else _aliased(self.array, self.cell, edge)


def _aliased(array: Any, version: Any, edge: Any) -> Any:
    t = engine.wrap(array)
    t.version, t.edge = version, edge
    return t
