"""The less common data sets of pictures, each on a few files of its own format, beside torchvision's."""

import bz2
import json

import dataset_files as files
import numpy as np
import pytest
import torchvision.datasets as theirs_datasets
from dataset_files import BOTH, as_text, assert_same, assert_same_error, plain
from scipy.io import savemat

import minitorch.vision.datasets as ours_datasets

# torchvision leaves files open until they are collected
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@pytest.fixture(autouse=True)
def any_checksum(monkeypatch):
    """Both libraries take tiny files for the real ones."""
    for datasets in BOTH:
        monkeypatch.setattr(datasets.utils, "check_md5", lambda *args, **kwargs: True)


def text(path, *lines):
    files.write(path, "".join(f"{line}\n" for line in lines).encode())


def test_caltech101_is_torchvisions(tmp_path):
    root = tmp_path / "caltech101"
    for name in ("BACKGROUND_Google", "Faces", "ant"):
        for i in (1, 2):
            files.save_picture(root / "101_ObjectCategories" / name / f"image_{i:04d}.jpg", seed=i)
    for folder in ("Faces_2", "ant"):
        for i in (1, 2):
            path = root / "Annotations" / folder / f"annotation_{i:04d}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            savemat(path, {"obj_contour": np.arange(4.0).reshape(2, 2) + i})
    attributes = ["categories", "annotation_categories", "index", "y", "target_type"]
    assert_same("Caltech101", tmp_path, attributes=attributes)
    assert_same("Caltech101", tmp_path, target_type=["category", "annotation"], transform=plain)
    assert_same_error("Caltech101", tmp_path, target_type="outline")
    assert_same_error("Caltech101", tmp_path / "missing")


def test_caltech256_is_torchvisions(tmp_path):
    root = tmp_path / "caltech256" / "256_ObjectCategories"
    for number, name in enumerate(["001.ak47", "002.flag"], 1):
        files.save_picture(root / name / f"{number:03d}_0001.jpg", mode="L")
        text(root / name / "notes.txt", "not counted")
    assert_same("Caltech256", tmp_path, attributes=["categories", "index", "y"], target_transform=as_text)


def test_celeba_is_torchvisions(tmp_path):
    root = tmp_path / "celeba"
    names = [f"{i:06d}.jpg" for i in range(1, 7)]
    for i, name in enumerate(names):
        files.save_picture(root / "img_align_celeba" / name, seed=i)
    text(root / "list_eval_partition.txt", *(f"{name} {i % 3}" for i, name in enumerate(names)))
    text(root / "identity_CelebA.txt", *(f"{name} {100 + i}" for i, name in enumerate(names)))
    text(root / "list_bbox_celeba.txt", "6", "image_id x_1 y_1 width height", *(f"{n}  1   2 3 4" for n in names))
    landmarks = " ".join(map(str, range(10)))
    text(root / "list_landmarks_align_celeba.txt", "6", "lefteye_x lefteye_y", *(f"{n} {landmarks}" for n in names))
    text(root / "list_attr_celeba.txt", "6", "Bald Young Smiling", *(f"{n} -1  1 -1" for n in names))
    kinds = ["attr", "identity", "bbox", "landmarks"]
    for split in ("train", "valid", "test", "all"):
        attributes = ["filename", "attr", "identity", "bbox", "landmarks_align", "attr_names"]
        assert_same("CelebA", tmp_path, split=split, target_type=kinds, attributes=attributes)
    assert_same("CelebA", tmp_path, target_type=[])
    assert_same_error("CelebA", tmp_path, split="none")
    assert_same_error("CelebA", tmp_path, target_type=[], target_transform=as_text)
    for datasets in BOTH:
        with pytest.raises(ValueError, match='Target type "age" is not recognized'):
            datasets.CelebA(tmp_path, target_type="age")[0]
    text(root / "identity_CelebA.txt", "000001.jpg nobody")
    with pytest.raises(ValueError, match=str(root / "identity_CelebA.txt")):
        ours_datasets.CelebA(tmp_path)


def test_cityscapes_is_torchvisions(tmp_path):
    for mode in ("gtFine", "gtCoarse"):
        for city in ("aachen", "bonn"):
            name = f"{city}_000000_000019"
            files.save_picture(tmp_path / "leftImg8bit" / "train" / city / f"{name}_leftImg8bit.png")
            target = tmp_path / mode / "train" / city
            for kind in ("instanceIds", "labelIds", "color"):
                files.save_picture(target / f"{name}_{mode}_{kind}.png", mode="L", seed=len(kind))
            text(target / f"{name}_{mode}_polygons.json", json.dumps({"objects": [city]}))
    kinds = ["instance", "semantic", "color", "polygon"]
    assert_same("Cityscapes", tmp_path, target_type=kinds, attributes=["images", "targets", "classes", "mode"])
    assert_same("Cityscapes", tmp_path, mode="coarse", target_type="polygon")
    assert_same_error("Cityscapes", tmp_path, split="test")
    assert_same_error("Cityscapes", tmp_path, split="test", mode="coarse")
    assert_same_error("Cityscapes", tmp_path, mode="fein")
    assert_same_error("Cityscapes", tmp_path, target_type="depth")


def test_clevr_counts_objects_as_torchvision_does(tmp_path):
    root = tmp_path / "clevr" / "CLEVR_v1.0"
    for split in ("train", "test"):
        for i in (1, 0):
            files.save_picture(root / "images" / split / f"{i}.png", seed=i)
    scenes = [{"image_filename": f"{i}.png", "objects": [{}] * (3 + i)} for i in range(2)]
    text(root / "scenes" / "CLEVR_train_scenes.json", json.dumps({"scenes": scenes}))
    assert_same("CLEVRClassification", tmp_path, attributes=["_labels"])
    assert_same("CLEVRClassification", tmp_path, split="test")
    assert_same_error("CLEVRClassification", tmp_path / "missing")


def test_country211_and_eurosat_are_torchvisions(tmp_path):
    files.write_folders(tmp_path / "country211" / "valid", ("AD", "AE"))
    files.write_folders(tmp_path / "eurosat" / "2750", ("Forest", "River"))
    for name, options in (("Country211", {"split": "valid"}), ("EuroSAT", {})):
        assert_same(name, tmp_path, attributes=["classes", "class_to_idx", "samples", "root"], **options)
        assert_same_error(name, tmp_path / "missing")


def test_dtd_is_torchvisions(tmp_path):
    root = tmp_path / "dtd" / "dtd"
    for name in ("dotted/a.jpg", "banded/b.jpg"):
        files.save_picture(root / "images" / name)
    text(root / "labels" / "val2.txt", "dotted/a.jpg", "banded/b.jpg")
    assert_same(
        "DTD", tmp_path, split="val", partition=2, attributes=["classes", "class_to_idx", "_labels", "_image_files"]
    )
    assert_same_error("DTD", tmp_path, split="all")
    assert_same_error("DTD", tmp_path / "missing")


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv", "train.csv", "test.csv"])
def test_fer2013_is_torchvisions(tmp_path, name):
    pixels = [" ".join(map(str, files.noise(48 * 48).tolist())) for _ in range(3)]
    usages = ["Training", "PublicTest", "Training"]
    lines = {
        "fer2013.csv": ["emotion,pixels,Usage"] + [f"{i},{p},{u}" for i, (p, u) in enumerate(zip(pixels, usages))],
        "icml_face_data.csv": ["emotion, Usage, pixels"]
        + [f"{i},{u},{p}" for i, (p, u) in enumerate(zip(pixels, usages))],
        "train.csv": ["emotion,pixels"] + [f"{i},{p}" for i, p in enumerate(pixels)],
        "test.csv": ["pixels", *pixels],
    }
    text(tmp_path / "fer2013" / name, *lines[name])
    for split in ("train", "test"):
        if name in ("train.csv", "test.csv") and split not in name:
            assert_same_error("FER2013", tmp_path, split=split)
        else:
            assert_same("FER2013", tmp_path, split=split)


@pytest.mark.parametrize("level", ["variant", "family", "manufacturer"])
def test_fgvc_aircraft_is_torchvisions(tmp_path, level):
    data = tmp_path / "fgvc-aircraft-2013b" / "data"
    text(data / {"variant": "variants.txt", "family": "families.txt"}.get(level, "manufacturers.txt"), "DC 3", "A 380")
    text(data / f"images_{level}_val.txt", "0001 A 380", "0002 DC 3")
    for name in ("0001", "0002"):
        files.save_picture(data / "images" / f"{name}.jpg")
    options = {"split": "val", "annotation_level": level}
    assert_same("FGVCAircraft", str(tmp_path), attributes=["classes", "_labels", "_image_files"], **options)
    assert_same_error("FGVCAircraft", tmp_path / "missing")


def test_flowers102_is_torchvisions(tmp_path):
    root = tmp_path / "flowers-102"
    for i in (1, 2, 3):
        files.save_picture(root / "jpg" / f"image_{i:05d}.jpg", seed=i)
    savemat(root / "setid.mat", {"trnid": [[3, 1]], "valid": [[2, 1]], "tstid": [[1, 2, 3]]})
    savemat(root / "imagelabels.mat", {"labels": [[77, 1, 5]]})
    for split in ("train", "val", "test"):
        assert_same("Flowers102", tmp_path, split=split, attributes=["_labels", "_image_files", "classes"])
    assert_same_error("Flowers102", tmp_path / "missing")


def test_food101_is_torchvisions(tmp_path):
    root = tmp_path / "food-101"
    listed = {"sushi": ["sushi/2", "sushi/1"], "pho": ["pho/3"]}
    text(root / "meta" / "train.json", json.dumps(listed))
    for paths in listed.values():
        for path in paths:
            files.save_picture(root / "images" / f"{path}.jpg")
    assert_same("Food101", tmp_path, attributes=["classes", "class_to_idx", "_labels", "_image_files"])
    assert_same_error("Food101", tmp_path / "missing")


def test_gtsrb_is_torchvisions(tmp_path):
    root = tmp_path / "gtsrb"
    files.write_folders(root / "GTSRB" / "Training", ("00000", "00001"), suffix=".ppm")
    for name in ("00000.ppm", "00001.ppm"):
        files.save_picture(root / "GTSRB" / "Final_Test" / "Images" / name)
    text(root / "GT-final_test.csv", "Filename;Width;ClassId", "00001.ppm;6;16", "00000.ppm;6;1")
    for split in ("train", "test"):
        assert_same("GTSRB", tmp_path, split=split, attributes=["_samples"])
    assert_same_error("GTSRB", tmp_path / "missing")


def test_imagenette_is_torchvisions(tmp_path):
    files.write_folders(tmp_path / "imagenette2-160" / "val", ("n03445777", "n01440764"), suffix=".jpeg")
    attributes = ["wnids", "wnid_to_idx", "classes", "class_to_idx"]
    assert_same("Imagenette", tmp_path, split="val", size="160px", attributes=attributes)
    assert ours_datasets.Imagenette._WNID_TO_CLASS == theirs_datasets.Imagenette._WNID_TO_CLASS
    assert_same_error("Imagenette", tmp_path / "missing")


def test_kitti_is_torchvisions(tmp_path):
    root = tmp_path / "Kitti" / "raw"
    for part in ("training", "testing"):
        for name in ("000000", "000001"):
            files.save_picture(root / part / "image_2" / f"{name}.png")
            text(root / part / "label_2" / f"{name}.txt", "Car 0.00 1 -1.5 1 2 3 4 1.5 1.6 3.9 -7 1 20 0.25")
    for train in (True, False):
        assert_same("Kitti", tmp_path, train=train, attributes=["images", "targets"])
    assert_same_error("Kitti", tmp_path / "missing")


@pytest.fixture
def lfw(tmp_path):
    root = tmp_path / "lfw-py"
    for person in ("Ann_A", "Bob_B"):
        for i in (1, 2, 3):
            files.save_picture(root / "lfw_funneled" / person / f"{person}_{i:04d}.jpg", seed=i)
    files.write(root / "lfw-funneled.tgz", b"")
    text(root / "lfw-names.txt", "Ann_A\t3", "Bob_B\t3")
    text(root / "people.txt", "2", "1", "Ann_A\t2", "2", "Bob_B\t1", "Ann_A\t1")
    text(root / "peopleDevTest.txt", "1", "Bob_B\t3")
    pairs = ["Ann_A\t1\t2", "Ann_A\t1\tBob_B\t3"]
    text(root / "pairs.txt", "2\t1", *pairs, *pairs)
    text(root / "pairsDevTest.txt", "1", *pairs)
    return tmp_path


@pytest.mark.parametrize("split", ["10fold", "test"])
def test_lfw_is_torchvisions(lfw, split):
    assert_same("LFWPeople", str(lfw), split=split, attributes=["data", "targets", "class_to_idx"])
    assert_same("LFWPairs", lfw, split=split, transform=plain, attributes=["data", "targets", "pair_names"])
    assert_same_error("LFWPeople", lfw, split="train")
    assert_same_error("LFWPairs", lfw, download=True)
    assert_same_error("LFWPairs", lfw, image_set="deep")


def test_moving_mnist_is_torchvisions(tmp_path):
    (tmp_path / "MovingMNIST").mkdir()
    np.save(tmp_path / "MovingMNIST" / "mnist_test_seq.npy", files.noise(20, 3, 8, 8))
    for options in ({}, {"split": "train"}, {"split": "test", "split_ratio": 15}, {"transform": len}):
        if "transform" in options:
            options = {"transform": lambda frames: len(frames)}
            assert [ours_datasets.MovingMNIST(tmp_path, **options)[0]] == [20]
        else:
            assert_same("MovingMNIST", tmp_path, attributes=["data"], **options)
    assert_same_error("MovingMNIST", tmp_path, split_ratio=20)
    assert_same_error("MovingMNIST", tmp_path, split_ratio="2")
    assert_same_error("MovingMNIST", tmp_path / "missing")


@pytest.mark.parametrize("background", [True, False])
def test_omniglot_is_torchvisions(tmp_path, background):
    name = "images_background" if background else "images_evaluation"
    root = tmp_path / "omniglot-py"
    files.write(root / f"{name}.zip", b"")
    for character in ("Greek/character01", "Greek/character02", "Latin/character01"):
        for i in (1, 2):
            files.save_picture(root / name / character / f"{i}.png", seed=i, mode="1")
    assert_same("Omniglot", tmp_path, background=background, attributes=["_characters", "_flat_character_images"])
    assert_same_error("Omniglot", tmp_path, background=not background)


def test_oxford_pets_are_torchvisions(tmp_path):
    root = tmp_path / "oxford-iiit-pet"
    rows = ["Abyssinian_100 1 1 1", "american_bulldog_7 2 2 1"]
    text(root / "annotations" / "trainval.txt", *rows)
    for row in rows:
        name = row.split()[0]
        files.save_picture(root / "images" / f"{name}.jpg")
        files.save_picture(root / "annotations" / "trimaps" / f"{name}.png", mode="L")
    kinds = ["category", "binary-category", "segmentation"]
    attributes = ["classes", "class_to_idx", "bin_classes", "bin_class_to_idx", "_labels", "_bin_labels"]
    for chosen in (kinds, "category", []):
        assert_same("OxfordIIITPet", tmp_path, target_types=chosen, attributes=attributes)
    assert_same_error("OxfordIIITPet", tmp_path, target_types="breed")
    assert_same_error("OxfordIIITPet", tmp_path / "missing")


def test_rendered_sst2_and_sun397_are_torchvisions(tmp_path):
    files.write_folders(tmp_path / "rendered-sst2" / "valid", ("negative", "positive"))
    assert_same("RenderedSST2", tmp_path, split="val", attributes=["classes", "class_to_idx", "_samples"])
    for name in ("a/abbey/sun_1.jpg", "h/house/indoor/sun_2.jpg"):
        files.save_picture(tmp_path / "SUN397" / name)
    text(tmp_path / "SUN397" / "ClassName.txt", "/a/abbey", "/h/house/indoor")
    assert_same("SUN397", tmp_path, attributes=["classes", "class_to_idx", "_labels", "_image_files"])
    for name in ("RenderedSST2", "SUN397"):
        assert_same_error(name, tmp_path / "missing")


def test_sbu_is_torchvisions(tmp_path):
    files.write(tmp_path / "SBUCaptionedPhotoDataset.tar.gz", b"")
    text(tmp_path / "dataset" / "SBU_captioned_photo_dataset_urls.txt", "http://a/1.jpg", "http://a/2.jpg")
    text(tmp_path / "dataset" / "SBU_captioned_photo_dataset_captions.txt", "gone", "still there ")
    files.save_picture(tmp_path / "dataset" / "2.jpg")
    assert_same("SBU", tmp_path, attributes=["photos", "captions"])
    assert_same_error("SBU", tmp_path / "missing", download=False)


def test_semeion_is_torchvisions(tmp_path):
    rows = [
        " ".join(f"{p % 2}.0000" for p in files.noise(256)) + " " + " ".join("01"[i == j] for j in range(10))
        for i in (3, 7)
    ]
    text(tmp_path / "semeion.data", *rows)
    assert_same("SEMEION", tmp_path, attributes=["data", "labels"])
    assert_same_error("SEMEION", tmp_path / "missing", download=False)
    text(tmp_path / "semeion.data", "1.0 zero")
    with pytest.raises(ValueError, match=str(tmp_path / "semeion.data")):
        ours_datasets.SEMEION(tmp_path)


@pytest.mark.parametrize("split", ["train", "test"])
def test_stanford_cars_are_torchvisions(tmp_path, split):
    root = tmp_path / "stanford_cars"
    kind = [("class", "i4"), ("fname", "O")]
    path = root / ("devkit/cars_train_annos.mat" if split == "train" else "cars_test_annos_withlabels.mat")
    (root / "devkit").mkdir(parents=True)
    savemat(path, {"annotations": np.array([(2, "1.jpg"), (1, "2.jpg")], dtype=kind)})
    savemat(root / "devkit" / "cars_meta.mat", {"class_names": np.array(["AM Hummer", "Audi"], dtype=object)})
    for name in ("1.jpg", "2.jpg"):
        files.save_picture(root / f"cars_{split}" / name)
    assert_same("StanfordCars", tmp_path, split=split, attributes=["classes", "class_to_idx", "_samples"])
    assert_same_error("StanfordCars", tmp_path, download=True)
    assert_same_error("StanfordCars", tmp_path / "missing")


@pytest.mark.parametrize("train", [True, False])
def test_usps_is_torchvisions(tmp_path, train):
    values = np.linspace(-1, 1, 256)
    lines = [f"{label} " + " ".join(f"{i}:{v:.4f}" for i, v in enumerate(values, 1)) for label in (1, 10)]
    path = files.write(tmp_path / ("usps.bz2" if train else "usps.t.bz2"), bz2.compress("\n".join(lines).encode()))
    assert_same("USPS", tmp_path, train=train, attributes=["data", "targets"])
    assert_same_error("USPS", tmp_path, train=not train)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(EOFError, match=str(path)):
        ours_datasets.USPS(tmp_path, train=train)


def test_all_of_torchvisions_names_are_there_or_said_to_be_missing():
    for name in theirs_datasets.__all__:
        if name in ours_datasets.__all__:
            assert isinstance(getattr(ours_datasets, name), type) == isinstance(getattr(theirs_datasets, name), type)
        else:
            with pytest.raises(NotImplementedError, match=f"torchvision.datasets.{name} is not supported"):
                getattr(ours_datasets, name)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        ours_datasets.Nothing  # noqa: B018
