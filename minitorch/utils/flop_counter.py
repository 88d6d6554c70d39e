"""Same path as torch.utils.flop_counter, of which programs can make the counter, but not count."""

from typing import Any, NoReturn

__all__ = ["FlopCounterMode"]


class FlopCounterMode:
    """In torch, counts the multiplications and additions of what runs within it; here `with` refuses it.

    >>> from minitorch.utils.flop_counter import FlopCounterMode
    >>> FlopCounterMode(display=False).get_total_flops()
    0
    """

    def __init__(
        self,
        mods: Any = None,
        depth: int = 2,
        display: bool = True,
        custom_mapping: dict[Any, Any] | None = None,
    ) -> None:
        self.depth, self.display = depth, display

    def get_total_flops(self) -> int:
        """0, as in torch before anything was counted."""
        return 0

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """No counts, as in torch before anything was counted."""
        return {"Global": {}}

    def __enter__(self) -> NoReturn:
        raise NotImplementedError("FlopCounterMode is not supported by minitorch, which has no torch.ops.aten to count")

    def __exit__(self, *error: Any) -> None:
        pass
