"""What the writer is given, as NumPy arrays: numbers, tensors, images in any order of dimensions, figures."""

import math
from typing import Any

import numpy as np

__all__ = ["as_image", "as_video", "figure_to_image", "grid_of", "make_np"]


def make_np(x: Any) -> np.ndarray:
    """A number, array or tensor as an array; bfloat16 becomes float16."""
    import minitorch

    if isinstance(x, np.ndarray):
        return x
    if np.isscalar(x):
        return np.array([x])
    if isinstance(x, minitorch.Tensor):
        x = x.detach().cpu()
        return x.half().numpy() if x.dtype is minitorch.bfloat16 else x.numpy()
    raise NotImplementedError(f"Got {type(x)}, but numpy array or torch tensor are expected.")


def grid_of(images: np.ndarray, columns: int = 8) -> np.ndarray:
    """Images N C H W side by side, as one image of three channels, C H W.

    >>> grid_of(np.ones((5, 1, 2, 3)), columns=2).shape
    (3, 6, 6)
    """
    if images.ndim == 4 and images.shape[1] == 1:
        images = np.concatenate([images] * 3, 1)
    if images.ndim != 4 or images.shape[1] != 3:
        raise AssertionError("Input should be a 4D numpy array with 3 channels")
    n, c, h, w = images.shape
    columns = min(n, columns)
    rows = math.ceil(n / columns)
    filled = np.zeros((rows * columns, c, h, w), images.dtype)
    filled[:n] = images
    return filled.reshape(rows, columns, c, h, w).transpose(2, 0, 3, 1, 4).reshape(c, rows * h, columns * w)


def as_image(array: np.ndarray, dataformats: str) -> np.ndarray:
    """An image whose dimensions `dataformats` names, such as "CHW", as H W C; a batch becomes a grid."""
    if len(set(dataformats)) != len(dataformats):
        raise AssertionError(
            f"You can not use the same dimension shorthand twice.             input_format: {dataformats}"
        )
    if array.ndim != len(dataformats):
        raise AssertionError(
            "size of input tensor and input format are different.         tensor shape: "
            f"{array.shape}, input_format: {dataformats}"
        )
    letters = dataformats.upper()
    if len(letters) == 4:
        return grid_of(array.transpose([letters.find(c) for c in "NCHW"])).transpose(1, 2, 0)
    if len(letters) == 2:
        return np.stack([array.transpose([letters.find(c) for c in "HW"])] * 3, 2)
    array = array.transpose([letters.find(c) for c in "HWC"])
    return np.concatenate([array] * 3, 2) if array.shape[2] == 1 else array


def as_video(array: np.ndarray) -> np.ndarray:
    """Videos N T C H W side by side, as one, T H W C; their number is filled up to a power of two."""
    n, t, c, h, w = array.shape
    array = np.float32(array) / 255.0 if array.dtype == np.uint8 else array
    filled = np.zeros((1 << (n - 1).bit_length(), t, c, h, w), array.dtype)
    filled[:n] = array
    rows = 1 << ((n.bit_length() - 1) // 2)
    columns = len(filled) // rows
    return filled.reshape(rows, columns, t, c, h, w).transpose(2, 0, 4, 1, 5, 3).reshape(t, rows * h, columns * w, c)


def figure_to_image(figures: Any, close: bool = True) -> np.ndarray:
    """A matplotlib figure, or a list of them, as pixels C H W, or N C H W."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def drawn(figure: Any) -> np.ndarray:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[:, :, :3].transpose(2, 0, 1)
        if close:
            plt.close(figure)
        return pixels

    return np.stack([drawn(f) for f in figures]) if isinstance(figures, list) else drawn(figures)
