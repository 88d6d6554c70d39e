"""The types that programs import from torch.jit.annotations; no compiler reads them."""

from typing import Any, Dict, List, Optional, Tuple, Union  # noqa: UP035  # the names are asked for

__all__ = [
    "Any",
    "BroadcastingList1",
    "BroadcastingList2",
    "BroadcastingList3",
    "Dict",
    "List",
    "Optional",
    "Tuple",
    "Union",
]

# as TorchScript reads them, a list of so many or one value for all of them: BroadcastingList2[int]
BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = list
