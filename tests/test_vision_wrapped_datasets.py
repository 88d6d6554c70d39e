"""wrap_dataset_for_transforms_v2: wrapped samples, kinds of tensors included, are torchvision's."""

import copy
import pickle
import sys
import types

import dataset_files as files
import numpy as np
import pytest
import torch
import torchvision.datasets as theirs_datasets
import torchvision.transforms.v2 as theirs_v2
from dataset_files import BOTH, plain

import minitorch
import minitorch.vision.datasets as ours_datasets
import minitorch.vision.transforms.v2 as ours_v2


def said(value):
    """A sample as what can be compared: with the class of every tensor, and what boxes say of themselves."""
    if isinstance(value, torch.Tensor | minitorch.Tensor):
        says = [str(getattr(value, name, None)) for name in ("format", "canvas_size", "clamping_mode")]
        return type(value).__name__, says, str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: said(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [said(item) for item in value]
    return plain(value)


def refusal(call):
    with pytest.raises(Exception) as caught:
        call()
    return caught.type.__name__, str(caught.value).split(".")[0]


def assert_same_wrapped(name, *args, target_keys=None, **kwargs):
    ours, theirs = (
        datasets.wrap_dataset_for_transforms_v2(getattr(datasets, name)(*args, **kwargs), target_keys)
        for datasets in BOTH
    )
    assert isinstance(ours, getattr(ours_datasets, name))
    assert type(ours).__name__ == type(theirs).__name__ and len(ours) == len(theirs) > 0
    for i in range(len(theirs)):
        assert said(ours[i]) == said(theirs[i])
    return ours


def assert_same_refusal(name, *args, target_keys=None, **kwargs):
    ours, theirs = (
        refusal(
            lambda datasets=datasets: datasets.wrap_dataset_for_transforms_v2(
                getattr(datasets, name)(*args, **kwargs), target_keys
            )
        )
        for datasets in BOTH
    )
    assert ours[0] == theirs[0]
    return ours[1], theirs[1]


@pytest.fixture
def coco(tmp_path, monkeypatch):
    """COCO's files, and a package pycocotools that reads them for torchvision and draws every mask alike."""
    coco = types.ModuleType("pycocotools.coco")
    coco.COCO = ours_datasets.coco.COCO
    drawing = types.ModuleType("pycocotools.mask")
    drawing.frPyObjects = lambda outline, height, width: [outline, height, width]
    drawing.merge = lambda drawn: drawn
    drawing.decode = lambda drawn: np.full(drawn[1:], len(drawn[0]), np.uint8)
    package = types.ModuleType("pycocotools")
    package.coco, package.mask = coco, drawing
    for module in (package, coco, drawing):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return files.write_coco(tmp_path)


def write_voc(root):
    folder = files.write_voc(root)
    for path in (folder / "Annotations").iterdir():
        text = path.read_text().replace("<xmax>4</xmax>", "<ymin>2</ymin><xmax>4</xmax><ymax>7</ymax>")
        path.write_text(text)


def write_kitti(root):
    for part in ("training", "testing"):
        files.save_picture(root / "Kitti" / "raw" / part / "image_2" / "000000.png")
        lines = ["Car 0.00 1 -1.5 1 2 3 4 1.5 1.6 3.9 -7 1 20 0.25", "Tram 0.5 0 1 0 0 2 2 1 1 3 -7 1 20 0.5"]
        files.write(root / "Kitti" / "raw" / part / "label_2" / "000000.txt", "\n".join(lines).encode())


def test_pictures_with_a_class_stay_as_they_are(tmp_path):
    files.write_folders(tmp_path)
    assert_same_wrapped("ImageFolder", tmp_path)
    assert_same_refusal("ImageFolder", tmp_path, target_keys="all")


@pytest.mark.parametrize("target_keys", [None, "all", ["labels"], ("annotation", "boxes")])
def test_boxes_of_voc_are_torchvisions(tmp_path, target_keys):
    write_voc(tmp_path)
    assert_same_wrapped("VOCDetection", tmp_path, target_keys=target_keys)


def test_masks_of_voc_are_torchvisions(tmp_path):
    write_voc(tmp_path)
    assert_same_wrapped("VOCSegmentation", tmp_path)


@pytest.mark.parametrize("target_keys", [None, "all", ["bbox", "area"]])
def test_annotations_of_coco_are_torchvisions(coco, target_keys):
    assert_same_wrapped("CocoDetection", *coco, target_keys=target_keys)
    assert_same_wrapped("CocoCaptions", *coco)


def test_masks_of_coco_without_pycocotools_name_it(tmp_path):
    dataset = ours_datasets.CocoDetection(*files.write_coco(tmp_path))
    wrapped = ours_datasets.wrap_dataset_for_transforms_v2(dataset, ["masks"])
    with pytest.raises(NotImplementedError, match="pip install pycocotools"):
        wrapped[0]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("target_keys", [None, "all"])
def test_boxes_of_kitti_are_torchvisions(tmp_path, train, target_keys):
    write_kitti(tmp_path)
    assert_same_wrapped("Kitti", tmp_path, train=train, target_keys=target_keys)


def test_targets_of_cityscapes_are_torchvisions(tmp_path):
    name = "bonn_000000_000019"
    files.save_picture(tmp_path / "leftImg8bit" / "train" / "bonn" / f"{name}_leftImg8bit.png")
    for kind in ("instanceIds", "labelIds"):
        files.save_picture(tmp_path / "gtFine" / "train" / "bonn" / f"{name}_gtFine_{kind}.png", mode="L")
    for kinds in ("instance", "semantic", ["instance", "semantic"]):
        assert_same_wrapped("Cityscapes", tmp_path, target_type=kinds)
    assert_same_refusal("Cityscapes", tmp_path, target_type=["semantic", "color"])


def test_what_cannot_be_wrapped_is_refused_as_torchvision_does(tmp_path):
    write_voc(tmp_path)
    ours, theirs = assert_same_refusal("FakeData")
    assert ours == theirs
    ours, theirs = assert_same_refusal("VOCDetection", tmp_path, target_keys=["boxes", "names"])
    assert ours == theirs
    ours, theirs = assert_same_refusal("VOCDetection", tmp_path, target_keys=3)
    assert ours == theirs
    for datasets in BOTH:
        with pytest.raises(TypeError, match="meant for subclasses of `torchvision"):
            datasets.wrap_dataset_for_transforms_v2([1, 2])


def test_transforms_move_picture_and_boxes_together(tmp_path):
    write_voc(tmp_path)
    results = []
    for datasets, v2 in ((ours_datasets, ours_v2), (theirs_datasets, theirs_v2)):
        both = v2.Compose([v2.ToImage(), v2.RandomHorizontalFlip(1.0), v2.Resize((16, 18))])
        wrapped = datasets.wrap_dataset_for_transforms_v2(datasets.VOCDetection(tmp_path, transforms=both))
        results.append([said(sample) for sample in wrapped])
    assert results[0] == results[1]


def test_copies_and_pickles_are_wrapped_again(tmp_path):
    write_voc(tmp_path)
    dataset = ours_datasets.VOCDetection(tmp_path, transform=str)
    wrapped = ours_datasets.wrap_dataset_for_transforms_v2(dataset, "all")
    for again in (pickle.loads(pickle.dumps(wrapped)), copy.copy(wrapped)):
        assert said(again[1][1]) == said(wrapped[1][1]) and isinstance(again[1][0], str)
    assert wrapped.images == dataset.images
