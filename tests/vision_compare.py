"""Pictures for the tests of minitorch.vision, and what one framework makes of them held against the other."""

import random
import warnings

import numpy as np
import torch
from PIL import Image

import minitorch


def array(height, width, channels=3, seed=0):
    """Bytes (H, W, C) of a picture: waves of colour with some noise, a white and a black corner."""
    y, x = np.mgrid[:height, :width].astype(float)
    waves = [np.sin(x * (0.15 + 0.05 * c) + seed) + np.cos(y * (0.11 + 0.04 * c)) for c in range(channels)]
    noise = np.random.default_rng(seed).normal(0.0, 12.0, (height, width, channels))
    pixels = np.clip(128 + 60 * np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)
    pixels[:3, :3], pixels[-2:, -2:] = 255, 0
    return pixels


def picture(height=40, width=52, mode="RGB", seed=0):
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 3)
    pixels = array(height, width, channels, seed)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels[..., :3])
    return image if image.mode == mode else image.convert(mode)


def tensors(height=40, width=52, channels=3, dtype="uint8", batch=None, seed=0):
    """The same image as a tensor of minitorch and of torch."""
    pixels = array(height, width, channels, seed).transpose(2, 0, 1)
    if batch is not None:
        pixels = np.stack([np.roll(pixels, 3 * i, 1) for i in range(batch)])
    values = pixels.astype(dtype) / 255 if dtype.startswith("float") else pixels.astype(dtype)
    return minitorch.from_numpy(values.copy().astype(dtype)), torch.from_numpy(values.copy().astype(dtype))


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)
    minitorch.manual_seed(seed)
    torch.manual_seed(seed)


def as_arrays(value):
    """A result's arrays: of a picture, a tensor, or a tuple, list or dict of these."""
    if isinstance(value, dict):
        return [a for key in value for a in as_arrays(value[key])]
    if isinstance(value, (tuple, list)):
        return [a for item in value for a in as_arrays(item)]
    if isinstance(value, (minitorch.Tensor, torch.Tensor)):
        return [value.detach().numpy()]
    return [np.asarray(value)]


def assert_same(ours, theirs, levels=0, share=1.0, tolerance=1e-6):
    """Equal shapes and dtypes; integers equal, or off by `levels` in at most a `share` of the places; floats close."""
    ours, theirs = as_arrays(ours), as_arrays(theirs)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs):
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype
        if mine.dtype.kind == "f":
            np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)
        else:
            off = np.abs(mine.astype(np.int64) - other.astype(np.int64))
            assert off.max(initial=0) <= levels
            assert (off > 0).mean() <= share


def assert_same_error(ours, theirs, kinds=(Exception,)):
    """Both calls raise the same class with the same first line."""
    errors = []
    for call in (ours, theirs):
        try:
            call()
        except kinds as error:
            errors.append(
                (
                    type(error),
                    str(error).replace("minitorch", "torch").splitlines()[:1],
                )
            )
        else:
            errors.append((None, []))
    assert errors[1][0] is not None, "torchvision accepts this"
    assert errors[0] == errors[1]


def numbers(model):
    return {name: value.detach().numpy() for name, value in model.state_dict().items()}


def warned(function):
    """What a call returns, and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function()
    return result, [(w.category, str(w.message)) for w in caught]
