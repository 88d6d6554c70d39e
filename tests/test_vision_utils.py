"""minitorch.vision.utils: grids, files and drawings equal torchvision's, pixel for pixel."""

import io

import numpy as np
import pytest
import torch
import torchvision.utils as theirs
import vision_compare as vc
from PIL import Image

import minitorch
import minitorch.vision.utils as ours

PAIR = ((ours, minitorch), (theirs, torch))


def both(function, *arrays, tolerance=1e-6):
    """The function's results in both frameworks, on the arrays as tensors, held against each other."""
    results = [function(U, t, *[t.from_numpy(np.array(a)) for a in arrays]) for U, t in PAIR]
    vc.assert_same(*results, tolerance=tolerance)
    return results[0]


GRIDS = {
    "plain": dict(),
    "rows": dict(nrow=3, padding=1, pad_value=0.5),
    "normalize": dict(normalize=True),
    "normalize each": dict(normalize=True, scale_each=True, nrow=2),
    "range": dict(normalize=True, value_range=(-0.5, 0.8)),
}


@pytest.mark.parametrize(
    "shape", [(7, 3, 5, 6), (7, 1, 5, 6), (1, 3, 5, 6), (3, 5, 6), (1, 5, 6), (5, 6), (4, 2, 3, 3)]
)
@pytest.mark.parametrize("name", GRIDS)
def test_grid(name, shape, rng):
    both(lambda U, t, x: U.make_grid(x, **GRIDS[name]), rng.normal(size=shape).astype("float32"))


def test_grid_of_a_list_and_of_bytes(rng):
    both(lambda U, t, x: U.make_grid(list(x)), rng.random((3, 3, 4, 4), dtype=np.float32))
    both(lambda U, t, x: U.make_grid(x, pad_value=9), rng.integers(0, 255, (3, 3, 4, 4), dtype=np.uint8))


def test_grid_leaves_its_images_as_they_are():
    x = minitorch.rand(2, 3, 4, 4)
    before = x.clone()
    ours.make_grid(x, normalize=True)
    assert (x == before).all()


@pytest.mark.parametrize("file_format", ["png", "jpeg", "bmp"])
def test_saved_files_are_torchvisions(file_format, rng, tmp_path):
    x = rng.random((4, 3, 8, 9), dtype=np.float32) * 1.2 - 0.1
    files = []
    for U, t in PAIR:
        buffer = io.BytesIO()
        U.save_image(t.from_numpy(x), buffer, format=file_format, nrow=2)
        files.append(buffer.getvalue())
    assert files[0] == files[1]
    ours.save_image(minitorch.from_numpy(x), tmp_path / f"grid.{file_format}")
    with Image.open(tmp_path / f"grid.{file_format}") as image:
        assert image.size == (4 * 11 + 2, 12)


BOXES = np.array([[2, 3, 20, 25], [10, 5, 40, 30], [0, 0, 51, 39]])
DRAWN = {
    "plain": dict(),
    "one colour": dict(colors="red", width=3),
    "colours": dict(colors=["red", (0, 255, 7), "#00f0ff", "white"], fill=True),
    "labels": dict(labels=["a", "bc", "d"], colors="blue", width=2),
    "some labels": dict(labels=["a", None, "d"], label_colors=["red", "green", "white"]),
    "filled labels": dict(labels=["cat", "dog", "x"], fill_labels=True),
    "backgrounds": dict(labels=["cat", "dog", "x"], fill_labels=True, label_background_colors="yellow"),
}


@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("name", DRAWN)
def test_boxes(name, kind):
    image = vc.tensors(dtype=kind)[1].numpy()
    both(lambda U, t, x, b: U.draw_bounding_boxes(x, b, **DRAWN[name]), image, BOXES)


def test_boxes_on_grey_and_rotated_ones():
    grey = vc.tensors(channels=1)[1].numpy()
    both(lambda U, t, x, b: U.draw_bounding_boxes(x, b), grey, BOXES.astype("float32"))
    corners = np.array([[10, 5, 30, 9, 27, 30, 7, 26], [3, 3, 40, 3, 40, 20, 3, 20]])
    both(lambda U, t, x, b: U.draw_bounding_boxes(x, b, width=2, fill=True), vc.tensors()[1].numpy(), corners)


@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("colors", [None, "red", ["red", (1, 2, 3)]])
def test_masks(kind, colors):
    image = vc.tensors(dtype=kind)[1].numpy()
    masks = np.zeros((2, 40, 52), bool)
    masks[0, 5:20, 8:30] = masks[1, 15:30, 20:45] = True
    both(lambda U, t, x, m: U.draw_segmentation_masks(x, m, colors=colors), image, masks)
    both(lambda U, t, x, m: U.draw_segmentation_masks(x, m, 0.3, colors), image, masks[0])


POINTS = np.array([[[5, 6], [20, 30], [40, 10]], [[1, 1], [50, 38], [25, 20]]])


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_keypoints(kind):
    image = vc.tensors(dtype=kind)[1].numpy()
    both(lambda U, t, x, p: U.draw_keypoints(x, p, [(0, 1), (1, 2)], "blue", 3, 2), image, POINTS)
    shown = np.array([[1, 0, 1], [1, 1, 1]], bool)
    both(lambda U, t, x, p, v: U.draw_keypoints(x, p, [(0, 1), (0, 2)], (9, 8, 7), visibility=v), image, POINTS, shown)


def test_flow(rng):
    flow = rng.normal(size=(3, 2, 12, 15)).astype("float32")
    image = both(lambda U, t, x: U.flow_to_image(x).int(), flow[0])
    assert image.shape == (3, 12, 15)
    both(lambda U, t, x: U.flow_to_image(x), flow)
    both(lambda U, t, x: U.flow_to_image(x), flow * 0)


WRONG = {
    "grid of a number": lambda U, t: U.make_grid(3),
    "grid of numbers": lambda U, t: U.make_grid([3]),
    "grid range": lambda U, t: U.make_grid(t.zeros(2, 3, 2, 2), normalize=True, value_range=[0, 1]),
    "box image": lambda U, t: U.draw_bounding_boxes(3, t.zeros(1, 4)),
    "box dtype": lambda U, t: U.draw_bounding_boxes(t.zeros(3, 2, 2, dtype=t.int32), t.zeros(1, 4)),
    "box batch": lambda U, t: U.draw_bounding_boxes(t.zeros(1, 3, 2, 2), t.zeros(1, 4)),
    "box channels": lambda U, t: U.draw_bounding_boxes(t.zeros(2, 2, 2), t.zeros(1, 4)),
    "box order": lambda U, t: U.draw_bounding_boxes(t.zeros(3, 2, 2), t.tensor([[1, 0, 0, 1]])),
    "box labels": lambda U, t: U.draw_bounding_boxes(t.zeros(3, 2, 2), t.zeros(1, 4), labels=["a", "b"]),
    "box colors": lambda U, t: U.draw_bounding_boxes(t.zeros(3, 2, 2), t.zeros(2, 4), colors=["red"]),
    "box color": lambda U, t: U.draw_bounding_boxes(t.zeros(3, 2, 2), t.zeros(2, 4), colors=(1, 2)),
    "box color type": lambda U, t: U.draw_bounding_boxes(t.zeros(3, 2, 2), t.zeros(2, 4), colors=3),
    "mask image": lambda U, t: U.draw_segmentation_masks(3, t.zeros(1, 2, 2)),
    "mask channels": lambda U, t: U.draw_segmentation_masks(t.zeros(1, 2, 2), t.zeros(1, 2, 2)),
    "mask dtype": lambda U, t: U.draw_segmentation_masks(t.zeros(3, 2, 2), t.zeros(1, 2, 2)),
    "mask size": lambda U, t: U.draw_segmentation_masks(t.zeros(3, 2, 2), t.zeros(1, 2, 3, dtype=t.bool)),
    "mask dimensions": lambda U, t: U.draw_segmentation_masks(t.zeros(3, 2, 2), t.zeros(2, dtype=t.bool)),
    "points": lambda U, t: U.draw_keypoints(t.zeros(3, 2, 2), t.zeros(1, 2)),
    "visibility": lambda U, t: U.draw_keypoints(t.zeros(3, 2, 2), t.zeros(1, 2, 2), visibility=t.zeros(2)),
    "visibilities": lambda U, t: U.draw_keypoints(t.zeros(3, 2, 2), t.zeros(1, 2, 2), visibility=t.zeros(2, 2)),
    "flow dtype": lambda U, t: U.flow_to_image(t.zeros(2, 2, 2, dtype=t.float64)),
    "flow shape": lambda U, t: U.flow_to_image(t.zeros(3, 2, 2)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_call_raises_torchvisions_error(name):
    vc.assert_same_error(lambda: WRONG[name](ours, minitorch), lambda: WRONG[name](theirs, torch))


def test_nothing_to_draw_warns_and_returns_the_image():
    image = minitorch.zeros(3, 4, 4)
    with pytest.warns(UserWarning, match="boxes doesn't contain any box"):
        assert ours.draw_bounding_boxes(image, minitorch.zeros(0, 4)) is image
    with pytest.warns(UserWarning, match="masks doesn't contain any mask"):
        assert ours.draw_segmentation_masks(image, minitorch.zeros(0, 4, 4, dtype=minitorch.bool)) is image
    with pytest.warns(UserWarning, match="'font_size' will be ignored"):
        ours.draw_bounding_boxes(image, minitorch.zeros(1, 4), font_size=3)
