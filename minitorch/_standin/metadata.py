"""What `importlib.metadata` is told of torch and torchvision; apart, as few programs ask and its import takes time."""

import pathlib
from importlib.metadata import Distribution as Base
from typing import Any

import minitorch


class Distribution(Base):
    """The metadata of a package that minitorch stands in for: its name and version."""

    def __init__(self, name: str, version: str) -> None:
        self._text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"

    def read_text(self, filename: str) -> str | None:
        """The text of a file of metadata: there is METADATA alone."""
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> pathlib.Path:
        """Where a file of the package would lie."""
        return pathlib.Path(minitorch.__file__).parent / path
