"""Data sets of pictures in folders: what minitorch.vision.datasets finds and reads is what torchvision does."""

import shutil
import tarfile
from pathlib import Path

import dataset_files as files
import numpy as np
import pytest
import torch
import torchvision.datasets as theirs_datasets
from dataset_files import BOTH, as_text, assert_same, assert_same_error, plain
from PIL import Image

import minitorch.vision.datasets as ours_datasets


@pytest.fixture
def any_checksum(monkeypatch):
    """Both libraries take tiny files for the real ones."""
    for datasets in BOTH:
        monkeypatch.setattr(datasets.utils, "check_md5", lambda *args, **kwargs: True)


# ---------------------------------------------------------------------- folders
def test_image_folder_is_torchvisions(tmp_path):
    files.write_folders(tmp_path)
    (tmp_path / "ant" / "notes.txt").write_text("no picture")
    attributes = ["samples", "imgs", "targets", "classes", "class_to_idx", "extensions"]
    assert_same("ImageFolder", tmp_path, attributes=attributes)
    assert_same("ImageFolder", str(tmp_path), target_transform=as_text, attributes=attributes)
    assert_same("ImageFolder", str(tmp_path), is_valid_file=lambda path: "deeper" in path, attributes=attributes)


def test_dataset_folder_is_torchvisions(tmp_path):
    files.write_folders(tmp_path, suffix=".BIN.png")

    def size_of(path):
        return Path(path).stat().st_size

    assert_same("DatasetFolder", tmp_path, loader=size_of, extensions=(".bin.png",), attributes=["samples", "classes"])


def test_empty_classes_are_torchvisions(tmp_path):
    files.write_folders(tmp_path)
    (tmp_path / "cat").mkdir()
    assert_same_error("ImageFolder", tmp_path)
    assert_same("ImageFolder", tmp_path, allow_empty=True, attributes=["classes", "samples"])
    assert_same_error("ImageFolder", tmp_path / "cat")
    assert_same_error("DatasetFolder", tmp_path, loader=str, extensions=(".txt",))
    assert_same_error("DatasetFolder", tmp_path, loader=str)
    assert_same_error("ImageFolder", tmp_path / "missing")


def test_dataset_folders_hooks_may_be_overridden(tmp_path):
    files.write_folders(tmp_path)

    class One(ours_datasets.ImageFolder):
        def find_classes(self, directory):
            return ["bee"], {"bee": 5}

    assert One(tmp_path).targets == [5, 5]
    with pytest.raises(ValueError, match="The class_to_idx parameter cannot be None"):
        One.make_dataset(tmp_path, None, extensions=(".png",))


def test_functions_of_the_folder_module_are_torchvisions(tmp_path):
    files.write_folders(tmp_path)
    ours, theirs = (datasets.folder for datasets in BOTH)
    assert ours.IMG_EXTENSIONS == theirs.IMG_EXTENSIONS
    for name in ("a.PNG", "b.txt", "c.webp", "d"):
        assert ours.is_image_file(name) == theirs.is_image_file(name)
    assert ours.make_dataset(tmp_path, extensions=".png") == theirs.make_dataset(tmp_path, extensions=".png")
    picture = files.save_picture(tmp_path / "p.png", mode="L")
    assert plain(ours.default_loader(picture)) == plain(theirs.default_loader(picture))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nnonsense", b"text"])
def test_a_damaged_picture_is_named(tmp_path, content):
    files.write_folders(tmp_path)
    path = tmp_path / "ant" / "0.png"
    for damaged in (content, path.read_bytes()[:-30]):
        path.write_bytes(damaged)
        with pytest.raises((OSError, SyntaxError), match=str(path)):
            ours_datasets.ImageFolder(tmp_path)[0]


def write_imagenet(root):
    files.write_folders(root / "train", ("n01", "n02"), suffix=".JPEG")
    files.write_folders(root / "val", ("n01", "n02"), suffix=".JPEG")
    torch.save(({"n01": ("tench", "Tinca"), "n02": ("goldfish",)}, ["n01", "n02"]), root / "meta.bin")


def test_imagenets_folders_are_torchvisions(tmp_path):
    write_imagenet(tmp_path)
    attributes = ["classes", "class_to_idx", "wnids", "wnid_to_idx", "targets", "imgs", "root", "split_folder"]
    for split in ("train", "val"):
        assert_same("ImageNet", tmp_path, split=split, attributes=attributes)
    assert_same_error("ImageNet", tmp_path, split="test")


def test_imagenets_archives_are_unpacked_as_torchvision_does(tmp_path, any_checksum):
    from scipy.io import savemat

    def pack(archive, folder):
        with tarfile.open(archive, "w:gz" if archive.suffix == ".gz" else "w") as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, path.name)

    root = tmp_path / "ours"
    kit = tmp_path / "kit" / "ILSVRC2012_devkit_t12" / "data"
    kit.mkdir(parents=True)
    kind = [("ID", "i4"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("children", "i4")]
    rows = [(1, "n01", "tench, Tinca", "", 0), (2, "n02", "goldfish", "", 0), (3, "n03", "fish", "", 2)]
    savemat(kit / "meta.mat", {"synsets": np.array(rows, dtype=kind)})
    (kit / "ILSVRC2012_validation_ground_truth.txt").write_text("2\n1\n2\n")
    root.mkdir()
    pack(root / "ILSVRC2012_devkit_t12.tar.gz", tmp_path / "kit")
    for wnid in ("n01", "n02"):
        files.save_picture(tmp_path / wnid / "a.JPEG")
        (tmp_path / "classes").mkdir(exist_ok=True)
        pack(tmp_path / "classes" / f"{wnid}.tar", tmp_path / wnid)
    pack(root / "ILSVRC2012_img_train.tar", tmp_path / "classes")
    for i in range(3):
        files.save_picture(tmp_path / "pictures" / f"val_{i}.JPEG", seed=i)
    pack(root / "ILSVRC2012_img_val.tar", tmp_path / "pictures")
    shutil.copytree(root, tmp_path / "theirs")
    for split in ("train", "val"):
        ours = ours_datasets.ImageNet(root, split)
        theirs = theirs_datasets.ImageNet(tmp_path / "theirs", split)
        assert ours.classes == theirs.classes and ours.targets == theirs.targets
        relative = [[Path(path).relative_to(d.root) for path, _ in d.imgs] for d in (ours, theirs)]
        assert relative[0] == relative[1]
    assert theirs_datasets.imagenet.load_meta_file(root) == ours_datasets.imagenet.load_meta_file(root)


# ---------------------------------------------------------------------- boxes and masks
@pytest.mark.parametrize("name", ["VOCDetection", "VOCSegmentation"])
def test_voc_is_torchvisions(tmp_path, name):
    files.write_voc(tmp_path)
    files.write_voc(tmp_path, "2007")
    listed = "annotations" if name == "VOCDetection" else "masks"
    assert_same(name, tmp_path, attributes=["images", "targets", listed, "url", "md5", "filename"])
    assert_same(name, tmp_path, year="2007", image_set="test", attributes=["url", "md5", "filename"])
    assert_same(name, tmp_path, image_set="val", transforms=lambda picture, target: (target, picture.size))
    assert_same(name, tmp_path, transform=lambda picture: picture.size, target_transform=lambda target: plain(target))
    assert_same_error(name, tmp_path, image_set="test")
    assert_same_error(name, tmp_path, year="2013")
    assert_same_error(name, tmp_path, year="2010")


def test_a_damaged_annotation_is_named(tmp_path):
    path = files.write_voc(tmp_path) / "Annotations" / "2007_000001.xml"
    path.write_text("<annotation><object>")
    with pytest.raises(SyntaxError, match=str(path)):
        ours_datasets.VOCDetection(tmp_path)[0]


def test_coco_gives_pictures_with_their_annotations(tmp_path):
    folder, annotations = files.write_coco(tmp_path)
    dataset = ours_datasets.CocoDetection(folder, annotations)
    assert dataset.ids == [1, 2, 3]
    assert [[a["id"] for a in target] for _, target in dataset] == [[20, 30], [], [10, 40]]
    assert plain(dataset[2][0]) == plain(Image.open(folder / "3.jpg").convert("RGB"))
    captions = ours_datasets.CocoCaptions(str(folder), str(annotations), transform=lambda picture: picture.size)
    assert captions[2] == ((6, 8), ["caption 1", "caption 4"])
    with pytest.raises(ValueError, match="Index must be of type integer, got "):
        dataset["1"]


def test_coco_looks_up_ids(tmp_path):
    coco = ours_datasets.coco.COCO(files.write_coco(tmp_path)[1])
    assert coco.getAnnIds() == [10, 20, 30, 40]
    assert coco.getAnnIds(imgIds=[3, 1], catIds=[2, 4]) == [40, 20]
    assert coco.getAnnIds(imgIds=1, areaRng=[6, 13]) == [20]
    assert coco.getAnnIds(iscrowd=1) == [40]
    assert coco.getCatIds(catNms=["name 3"]) == [3] and coco.getCatIds(supNms="even") == [2, 4]
    assert sorted(coco.getImgIds()) == [1, 2, 3] and coco.getImgIds(catIds=[1, 4]) == [3]
    assert coco.loadCats([1])[0]["name"] == "name 1" and coco.loadImgs(2)[0]["file_name"] == "2.jpg"
    with pytest.raises(NotImplementedError, match="annToMask needs pycocotools"):
        coco.annToMask(coco.loadAnns(10)[0])


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_annotation_file_of_coco_is_named(tmp_path, content):
    _, path = files.write_coco(tmp_path)
    path.write_text(content)
    with pytest.raises(ValueError, match=str(path)):
        ours_datasets.CocoDetection(tmp_path, path)
