"""The files of an embedding, as TensorBoard's projector reads them."""

import math
import os
from typing import Any

import numpy as np
from tensorboard.plugins.projector.projector_config_pb2 import EmbeddingInfo

from ._arrays import grid_of, make_np


def write_files(folder: str, mat: np.ndarray, metadata: Any, label_img: Any, metadata_header: Any) -> None:
    """Write the vectors, what is known of each, and a square of their pictures."""
    if metadata is not None:
        if mat.shape[0] != len(metadata):
            raise AssertionError("#labels should equal with #data points")
        _write(folder, "metadata.tsv", _table(metadata, metadata_header).encode())
    if label_img is not None:
        if mat.shape[0] != label_img.shape[0]:
            raise AssertionError("#images should equal with #data points")
        _write(folder, "sprite.png", _sprite(make_np(label_img)))
    if mat.ndim != 2:
        raise AssertionError("mat should be 2D, where mat.size(0) is the number of data points")
    rows = ["\t".join(str(v.item()) for v in row) + "\n" for row in mat]
    _write(folder, "tensors.tsv", "".join(rows).encode())


def _write(folder: str, name: str, content: bytes) -> None:
    with open(os.path.join(folder, name), "wb") as f:
        f.write(content)


def _table(metadata: Any, header: Any) -> str:
    if not header:
        lines = [str(entry) for entry in metadata]
    elif len(header) != len(metadata[0]):
        raise AssertionError("len of header must be equal to the number of columns in metadata")
    else:
        lines = ["\t".join(map(str, row)) for row in [header, *metadata]]
    return "\n".join(lines) + "\n"


def _sprite(images: np.ndarray) -> bytes:
    from io import BytesIO

    from PIL import Image

    grid = grid_of(images, math.ceil(len(images) ** 0.5)).transpose(1, 2, 0)
    square = np.zeros((grid.shape[1], grid.shape[1], 3))
    square[: grid.shape[0]] = grid
    with BytesIO() as f:
        Image.fromarray(np.uint8((square * 255).clip(0, 255))).save(f, format="PNG")
        return f.getvalue()


def description(subdir: str, metadata: Any, label_img: Any, global_step: int, tag: str) -> EmbeddingInfo:
    """What the projector is told of the files."""
    info = EmbeddingInfo()
    info.tensor_name = f"{tag}:{str(global_step).zfill(5)}"
    info.tensor_path = os.path.join(subdir, "tensors.tsv")
    if metadata is not None:
        info.metadata_path = os.path.join(subdir, "metadata.tsv")
    if label_img is not None:
        info.sprite.image_path = os.path.join(subdir, "sprite.png")
        info.sprite.single_image_dim.extend([label_img.shape[3], label_img.shape[2]])
    return info
