"""Data sets of pictures: what minitorch.vision.datasets reads from the originals' files is what torchvision reads."""

import io
import pickle
import sys
from pathlib import Path

import dataset_files as files
import numpy as np
import pytest
import torch
import torchvision.datasets as theirs_datasets
import torchvision.transforms as theirs_transforms
from dataset_files import BOTH, as_text, assert_same, assert_same_error, plain

import minitorch
import minitorch.utils.data
import minitorch.vision.datasets as ours_datasets
import minitorch.vision.transforms as ours_transforms


@pytest.fixture
def any_checksum(monkeypatch):
    """Both libraries take tiny files for the real ones."""
    for datasets in BOTH:
        monkeypatch.setattr(datasets.utils, "check_md5", lambda *args, **kwargs: True)


# ---------------------------------------------------------------------- MNIST and its kin
@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
@pytest.mark.parametrize("train", [True, False])
def test_mnists_files_give_torchvisions_items(tmp_path, name, train):
    files.write_mnist(tmp_path, name)
    attributes = ["data", "targets", "classes", "class_to_idx", "train", "raw_folder", "processed_folder", "root"]
    assert_same(name, str(tmp_path), train=train, attributes=attributes)


def test_mnist_takes_a_path_and_transforms(tmp_path):
    files.write_mnist(tmp_path)

    def halved(picture):
        return picture.resize((14, 14))

    dataset = assert_same("MNIST", tmp_path, transform=halved, target_transform=as_text)
    assert dataset[3][0].size == (14, 14) and dataset[3][1] == "3"


def test_a_transform_replaced_later_is_used(tmp_path):
    files.write_mnist(tmp_path)
    dataset = ours_datasets.MNIST(tmp_path)
    dataset.transform = lambda picture: picture.size
    assert dataset[0][0] == (28, 28)


def test_mnist_checks_no_checksum_of_raw_files(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a checksum was computed")

    files.write_mnist(tmp_path)
    monkeypatch.setattr(ours_datasets.utils, "calculate_md5", refuse)
    assert len(ours_datasets.MNIST(tmp_path, download=True)) == 20


@pytest.mark.parametrize("old", ["train_labels", "test_labels", "train_data", "test_data"])
def test_mnists_former_names_warn(tmp_path, old):
    files.write_mnist(tmp_path)
    for datasets in BOTH:
        dataset = datasets.MNIST(tmp_path)
        with pytest.warns(UserWarning, match=f"{old} has been renamed {'data' if 'data' in old else 'targets'}"):
            value = getattr(dataset, old)
        assert value is (dataset.data if "data" in old else dataset.targets)


def test_mnist_reads_the_processed_files_of_old(tmp_path):
    folder = tmp_path / "MNIST" / "processed"
    folder.mkdir(parents=True)
    for file in ("training.pt", "test.pt"):
        torch.save((torch.zeros(3, 28, 28, dtype=torch.uint8), torch.arange(3)), folder / file)
    assert_same("MNIST", tmp_path, attributes=["data", "targets"])


@pytest.mark.parametrize("split", ["byclass", "bymerge", "balanced", "letters", "digits", "mnist"])
def test_emnists_splits_are_torchvisions(tmp_path, split):
    for part in ("train", "test"):
        prefix = tmp_path / "EMNIST" / "raw" / f"emnist-{split}-{part}"
        files.write(Path(f"{prefix}-images-idx3-ubyte"), files.idx_bytes(files.noise(4, 28, 28)))
        files.write(Path(f"{prefix}-labels-idx1-ubyte"), files.idx_bytes(np.arange(4, dtype=np.uint8)))
    assert_same("EMNIST", tmp_path, split=split, train=False, attributes=["classes", "class_to_idx", "images_file"])


@pytest.mark.parametrize("options", [{}, {"train": False}, {"compat": False}, {"what": "nist"}, {"what": "test10k"}])
def test_qmnist_has_torchvisions_subsets(tmp_path, options):
    for part in ("qmnist-train", "qmnist-test", "xnist"):
        folder = tmp_path / "QMNIST" / "raw"
        files.write(folder / f"{part}-images-idx3-ubyte", files.idx_bytes(files.noise(4, 28, 28)))
        files.write(folder / f"{part}-labels-idx2-int", files.idx_bytes(np.arange(32, dtype=np.int32).reshape(4, 8)))
    assert_same("QMNIST", tmp_path, attributes=["data", "targets"], **options)


@pytest.mark.parametrize("dtype", sorted(files.IDX_CODES))
def test_idx_files_of_every_type_are_read(tmp_path, dtype):
    array = np.array([[1, -2, 3], [100, 5, 6]]).astype(dtype)
    path = str(files.write(tmp_path / "file", files.idx_bytes(array)))
    ours, theirs = (datasets.mnist.read_sn3_pascalvincent_tensor(path) for datasets in BOTH)
    assert plain(ours) == plain(theirs)


GOOD = files.idx_bytes(files.noise(3, 28, 28))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (GOOD[:-1], "truncated"),
        (GOOD + b"x", "truncated or damaged"),
        (GOOD[:10], "truncated"),
        (b"", "not an idx file"),
        (b"\x1f\x8b\x08\x00" + GOOD, "not an idx file"),
        (b"\x00\x00\x08\x04" + GOOD[4:], "not an idx file"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "truncated"),
    ],
)
def test_a_damaged_idx_file_is_named(tmp_path, content, what):
    path = files.write_mnist(tmp_path) / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=what) as caught:
        ours_datasets.MNIST(tmp_path)
    assert str(path) in str(caught.value)


def test_pictures_in_the_place_of_labels_are_refused_in_torchvisions_words(tmp_path):
    path = files.write_mnist(tmp_path) / "train-labels-idx1-ubyte"
    path.write_bytes(GOOD)
    assert str(path) in assert_same_error("MNIST", tmp_path)
    path.write_bytes(files.idx_bytes(np.zeros(3, np.int32)))
    assert str(path) in assert_same_error("MNIST", tmp_path)


# ---------------------------------------------------------------------- CIFAR
@pytest.mark.parametrize("protocol", range(6))
def test_cifar10_reads_batches_of_every_protocol(tmp_path, any_checksum, protocol):
    files.write_cifar10(tmp_path, protocol=protocol)
    for train in (True, False):
        assert_same("CIFAR10", tmp_path, train=train, attributes=["data", "targets", "classes", "class_to_idx"])


def test_cifar10_reads_batches_written_by_python_2(tmp_path, any_checksum):
    folder = files.write_cifar10(tmp_path)
    data = files.noise(1, 3072).tobytes()
    batch = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05"
        b"(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + len(data).to_bytes(4, "little") + data + b"tbU\x06labelsq\x08]q\x09K\x06au."
    )
    for path in folder.glob("*_batch*"):
        path.write_bytes(batch)
    dataset = assert_same("CIFAR10", tmp_path, attributes=["data", "targets"])
    assert dataset.targets == [6] * 5


def test_cifar100_is_torchvisions(tmp_path, any_checksum):
    files.write_cifar100(tmp_path)
    for train in (True, False):
        assert_same("CIFAR100", tmp_path, train=train, attributes=["data", "targets", "classes", "class_to_idx"])


def test_cifars_labels_may_be_numpys_numbers(tmp_path, any_checksum):
    folder = files.write_cifar10(tmp_path)
    batch = {"data": files.noise(2, 3072), "labels": list(np.array([4, 5]))}
    (folder / "test_batch").write_bytes(pickle.dumps(batch))
    assert_same("CIFAR10", tmp_path, train=False, attributes=["data", "targets"])


class Malicious:
    def __reduce__(self):
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"data": Malicious(), "labels": []}),
        pickle.dumps({"data": np.array([None, 1]), "labels": [1]}),
        b"cos\nsystem\n(S'touch ran'\ntR.",
        b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.",  # would take two gigabytes
        b"\x80\x02K\x01r\xff\xff\xff\xff.",  # an index into the memo
        b"",
        pickle.dumps({"data": files.noise(1, 3072), "labels": [1]})[:-40],
        pickle.dumps([1]),
        pickle.dumps({"labels": [1]}),
        pickle.dumps({"data": files.noise(1, 3072), "labels": [1, 2]}),
    ],
)
def test_a_bad_batch_is_named_and_runs_nothing(tmp_path, any_checksum, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = files.write_cifar10(tmp_path) / "test_batch"
    path.write_bytes(content)
    with pytest.raises(RuntimeError) as caught:
        ours_datasets.CIFAR10(tmp_path, train=False)
    assert str(caught.value).startswith(str(path))
    assert not Path("ran").exists()


def test_cifar_with_another_checksum_is_not_read(tmp_path):
    files.write_cifar10(tmp_path)
    assert_same_error("CIFAR10", tmp_path)


def test_patched_checksums_are_looked_up_when_used(tmp_path, monkeypatch):
    folder = files.write_cifar10(tmp_path)
    monkeypatch.setattr(ours_datasets.cifar, "check_integrity", lambda path, md5=None: Path(path).exists())
    assert len(ours_datasets.CIFAR10(tmp_path)) == 20
    monkeypatch.undo()
    sums = {path.name: ours_datasets.utils.calculate_md5(path) for path in folder.iterdir()}
    for attribute in ("train_list", "test_list"):
        listed = [[name, sums[name]] for name, _ in getattr(ours_datasets.CIFAR10, attribute)]
        monkeypatch.setattr(ours_datasets.CIFAR10, attribute, listed)
    meta = {**ours_datasets.CIFAR10.meta, "md5": sums["batches.meta"]}
    monkeypatch.setattr(ours_datasets.CIFAR10, "meta", meta)
    assert len(ours_datasets.CIFAR10(tmp_path)) == 20


# ---------------------------------------------------------------------- other arrays
@pytest.mark.parametrize("split", ["train", "test", "extra"])
def test_svhn_is_torchvisions(tmp_path, any_checksum, split):
    files.write_svhn(tmp_path)
    dataset = assert_same("SVHN", tmp_path, split=split, attributes=["data", "labels", "split"])
    assert dataset.labels.tolist() == [7, 8, 9, 0, 11]


def test_svhn_says_that_scipy_is_missing(tmp_path, any_checksum, monkeypatch):
    files.write_svhn(tmp_path)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(ImportError, match="pip install scipy"):
        ours_datasets.SVHN(tmp_path)


def test_a_damaged_mat_file_is_named(tmp_path, any_checksum):
    files.write_svhn(tmp_path)
    path = tmp_path / "train_32x32.mat"
    for content in (b"not one", path.read_bytes()[:300]):
        path.write_bytes(content)
        with pytest.raises(Exception, match=str(path)):
            ours_datasets.SVHN(tmp_path)


@pytest.mark.parametrize("split", ["train", "train+unlabeled", "unlabeled", "test"])
@pytest.mark.parametrize("folds", [None, 0])
def test_stl10_is_torchvisions(tmp_path, any_checksum, split, folds):
    files.write_stl10(tmp_path)
    if folds == 0:  # torchvision parses the file in a way of which NumPy warns
        pytest.importorskip("numpy", "2.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "fromstring", lambda text, dtype, sep: np.array(text.split(sep)[:-1], dtype))
        assert_same("STL10", tmp_path, split=split, folds=folds, attributes=["data", "labels", "classes"])


def test_stl10s_wrong_arguments_are_refused_in_torchvisions_words(tmp_path, any_checksum):
    files.write_stl10(tmp_path)
    assert_same_error("STL10", tmp_path, folds=10)
    assert_same_error("STL10", tmp_path, folds="1")
    assert_same_error("STL10", tmp_path, split="valid")


def test_stl10s_truncated_pictures_are_named(tmp_path, any_checksum):
    path = files.write_stl10(tmp_path) / "train_X.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RuntimeError, match="truncated") as caught:
        ours_datasets.STL10(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("options", [{}, {"size": 3, "image_size": (1, 5, 7), "random_offset": 4}])
def test_fake_datas_noise_is_torchvisions(options):
    options = {"size": 2, "image_size": (3, 9, 9), **options}
    states = []
    for library in (minitorch, torch):
        library.manual_seed(5)
        states.append(library.get_rng_state().tolist())
    assert_same("FakeData", **options)
    assert minitorch.get_rng_state().tolist() == states[0]
    with pytest.raises(IndexError, match="FakeData index out of range"):
        ours_datasets.FakeData(size=2)[2]


# ---------------------------------------------------------------------- all of them
@pytest.mark.parametrize(
    "name", ["MNIST", "FashionMNIST", "KMNIST", "QMNIST", "CIFAR10", "CIFAR100", "SVHN", "STL10", "VOCDetection"]
)
def test_a_missing_data_set_is_refused_in_torchvisions_words(tmp_path, name):
    assert_same_error(name, tmp_path)
    assert_same_error(name, str(tmp_path / "missing"))


def test_missing_archives_of_imagenet_are_named(tmp_path):
    assert "ILSVRC2012_devkit_t12.tar.gz" in assert_same_error("ImageNet", tmp_path)


def test_transforms_of_both_kinds_are_refused_in_torchvisions_words(tmp_path):
    assert_same_error("VisionDataset", tmp_path, transforms=str, transform=str)


def test_printed_transforms_are_torchvisions(tmp_path):
    class Lines:
        def __repr__(self):
            return "Lines(\n    1\n)"

    files.write_mnist(tmp_path)
    assert_same("MNIST", tmp_path, train=False, transform=None, target_transform=None)
    ours, theirs = (d.MNIST(tmp_path, transform=Lines(), target_transform=Lines()) for d in BOTH)
    assert repr(ours) == repr(theirs)
    assert repr(ours.transforms) == repr(theirs.transforms)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_torchvisions_batches(tmp_path, workers):
    files.write_mnist(tmp_path)
    batches = []
    for library, datasets, transforms in (
        (minitorch, ours_datasets, ours_transforms),
        (torch, theirs_datasets, theirs_transforms),
    ):
        library.manual_seed(3)
        transform = transforms.Compose(
            [transforms.RandomCrop(28, padding=2), transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
        )
        dataset = datasets.MNIST(tmp_path, transform=transform)
        loader = library.utils.data.DataLoader(dataset, batch_size=8, shuffle=True, num_workers=workers)
        batches.append([(pictures.numpy().copy(), labels.tolist()) for pictures, labels in loader])
    assert len(batches[0]) == 3
    for (ours, our_labels), (theirs, their_labels) in zip(*batches, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        assert our_labels == their_labels


def test_data_sets_are_pickled(tmp_path):
    files.write_mnist(tmp_path)
    dataset = pickle.load(io.BytesIO(pickle.dumps(ours_datasets.MNIST(tmp_path))))
    assert plain(dataset[1]) == plain(ours_datasets.MNIST(tmp_path)[1])
