"""Small data sets in the originals' formats and places, and how the two libraries are compared on them."""

import gzip
import json
import pickle

import numpy as np
import pytest
import torch
import torchvision.datasets as theirs_datasets
from PIL import Image

import minitorch
import minitorch.vision.datasets as ours_datasets

RNG_SEED = 7


def noise(*shape):
    return np.random.default_rng(RNG_SEED).integers(0, 256, shape, dtype=np.uint8)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def save_picture(path, height=8, width=6, seed=0, mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


IDX_CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def idx_bytes(array):
    """An array in the format of MNIST's files."""
    header = bytes([0, 0, IDX_CODES[array.dtype.name], array.ndim])
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_mnist(root, name="MNIST", train=20, test=10, compressed=False):
    folder = root / name / "raw"
    for part, count in (("train", train), ("t10k", test)):
        files = {"images-idx3": noise(count, 28, 28), "labels-idx1": np.arange(count, dtype=np.uint8) % 10}
        for kind, array in files.items():
            content = idx_bytes(array)
            path = folder / f"{part}-{kind}-ubyte"
            write(path, content)
            if compressed:
                write(path.with_name(path.name + ".gz"), gzip.compress(content, mtime=0))
    return folder


def write_cifar10(root, count=4, protocol=2):
    folder = root / "cifar-10-batches-py"
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for number, name in enumerate(names):
        batch = {
            "batch_label": name,
            "labels": [(number + i) % 10 for i in range(count)],
            "data": np.roll(noise(count, 3072), number),
            "filenames": [f"{i}.png" for i in range(count)],
        }
        write(folder / name, pickle.dumps(batch, protocol))
    meta = {"num_cases_per_batch": count, "label_names": list("abcdefghij"), "num_vis": 3072}
    write(folder / "batches.meta", pickle.dumps(meta, protocol))
    return folder


def write_cifar100(root, count=4):
    folder = root / "cifar-100-python"
    for name in ("train", "test"):
        batch = {"fine_labels": list(range(count)), "coarse_labels": [0] * count, "data": noise(count, 3072)}
        write(folder / name, pickle.dumps(batch, 2))
    write(folder / "meta", pickle.dumps({"fine_label_names": [f"class {i}" for i in range(100)]}, 2))
    return folder


def write_stl10(root, count=3):
    folder = root / "stl10_binary"
    for name in ("train", "test", "unlabeled"):
        write(folder / f"{name}_X.bin", noise(count, 3, 96, 96).tobytes())
        write(folder / f"{name}_y.bin", bytes(range(1, count + 1)))
    write(folder / "class_names.txt", b"airplane\nbird\ncar\n")
    write(folder / "fold_indices.txt", b"0 2 \n1 \n" + b"2 \n" * 8)
    return folder


def write_svhn(root, count=5):
    from scipy.io import savemat

    labels = (np.arange(count, dtype=np.uint8) + 7)[:, None]
    for name in ("train", "test", "extra"):
        savemat(root / f"{name}_32x32.mat", {"X": noise(32, 32, 3, count), "y": labels})


def write_folders(root, classes=("ant", "bee"), count=2, suffix=".png"):
    for number, name in enumerate(classes):
        for i in range(count):
            save_picture(root / name / ("deeper" if i else "") / f"{i}{suffix}", seed=10 * number + i)
    return root


def write_voc(root, year="2012"):
    folder = root / "VOCdevkit" / f"VOC{year}"
    names = ["2007_000001", "2007_000002"]
    for kind in ("Main", "Segmentation"):
        for split in ("train", "val", "trainval", "test"):
            write(folder / "ImageSets" / kind / f"{split}.txt", "\n".join(names).encode() + b"\n")
    for i, name in enumerate(names):
        save_picture(folder / "JPEGImages" / f"{name}.jpg", seed=i)
        save_picture(folder / "SegmentationClass" / f"{name}.png", seed=i, mode="P")
        box = "<object><name>dog</name><bndbox><xmin>1</xmin><xmax>4</xmax></bndbox><part></part></object>"
        write(
            folder / "Annotations" / f"{name}.xml",
            f"<annotation><folder>VOC</folder>{box * (i + 1)}<segmented> 0 </segmented></annotation>".encode(),
        )
    return folder


def write_coco(root):
    for i in (3, 1, 2):
        save_picture(root / "images" / f"{i}.jpg", seed=i)
    annotations = [
        {"id": 10 * n, "image_id": i, "category_id": n, "bbox": [0, 1, 2, 3], "area": 6.0 * n, "iscrowd": n // 4,
         "segmentation": [[0, 0, 2, 2, 0, 2]], "caption": f"caption {n}"}
        for n, i in ((1, 3), (2, 1), (3, 1), (4, 3))
    ]  # fmt: skip
    content = {
        "info": {"year": 2017},
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": 8, "width": 6} for i in (3, 1, 2)],
        "annotations": annotations,
        "categories": [
            {"id": n, "name": f"name {n}", "supercategory": "even" if n % 2 == 0 else "odd"} for n in (1, 2, 3, 4)
        ],
    }
    write(root / "instances.json", json.dumps(content).encode())
    return root / "images", root / "instances.json"


# ---------------------------------------------------------------------- comparing
BOTH = (ours_datasets, theirs_datasets)


def as_text(target):
    """A transform that torchvision can print, unlike a class."""
    return str(target)


def plain(value):
    """Tensors, arrays and pictures as what can be compared, with their types."""
    if isinstance(value, torch.Tensor | minitorch.Tensor):
        return "tensor", str(value.dtype), value.tolist()
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.tolist()
    if isinstance(value, Image.Image):
        return "picture", value.mode, value.size, value.tobytes()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [plain(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return type(value), value


def assert_same(name, *args, attributes=(), **kwargs):
    """Both libraries' data sets print alike and have the same items and attributes; returns ours."""
    ours, theirs = (getattr(datasets, name)(*args, **kwargs) for datasets in BOTH)
    assert repr(ours) == repr(theirs)
    assert len(ours) == len(theirs) > 0
    for attribute in attributes:
        assert plain(getattr(ours, attribute)) == plain(getattr(theirs, attribute)), attribute
    for i in range(len(theirs)):
        assert plain(ours[i]) == plain(theirs[i])
    return ours


def assert_same_error(name, *args, **kwargs):
    """Both libraries refuse with the same class and first line; returns our message."""
    errors = []
    for datasets in BOTH:
        with pytest.raises(Exception) as caught:
            getattr(datasets, name)(*args, **kwargs)
        errors.append(caught)
    ours, theirs = errors
    assert ours.type.__name__ == theirs.type.__name__
    assert str(ours.value).splitlines()[0] == str(theirs.value).splitlines()[0]
    return str(ours.value)
