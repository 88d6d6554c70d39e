"""The old names of what is in `minitorch.hub`."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`hub` builds on this package, so it is imported only when it is needed."""
    from minitorch import hub

    if name in ("load_url", "load_state_dict_from_url"):
        return hub.load_state_dict_from_url
    if name == "tqdm":
        return hub.tqdm
    raise AttributeError(f"module 'minitorch.utils.model_zoo' has no attribute {name!r}")
