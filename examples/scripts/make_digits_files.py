"""Write scikit-learn's handwritten digits as files of MNIST and of CIFAR-10, for scripts that read those.

    python examples/scripts/make_digits_files.py data

There are 1,797 digits of 8x8 pixels. In MNIST's files they are 28x28 pixels and grey, in CIFAR-10's 32x32 pixels, each
in a colour of its own. Four fifths are for training. Formats and names are the originals'; checksums are not.
"""

import argparse
import pathlib
import pickle

import numpy as np
from sklearn.datasets import load_digits

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def enlarge(pictures, factor):
    """Every pixel becomes a square of factor x factor."""
    return pictures.repeat(factor, axis=1).repeat(factor, axis=2)


def write_idx(path, array):
    """MNIST's format: two zero bytes, 8 for bytes, the number of dimensions, each dimension in four bytes, the data."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


def write_mnist(root, pictures, labels, split):
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    large = np.pad(enlarge(pictures, 3), ((0, 0), (2, 2), (2, 2)))
    for part, rows in (("train", slice(split)), ("t10k", slice(split, None))):
        write_idx(folder / f"{part}-images-idx3-ubyte", large[rows])
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels[rows])


def write_cifar10(root, pictures, labels, split):
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(0).uniform(0.3, 1.0, (len(pictures), 3, 1, 1))
    coloured = (enlarge(pictures, 4)[:, None] * colours).astype(np.uint8).reshape(len(pictures), -1)
    rows = np.array_split(np.arange(split), 5) + [np.arange(split, len(pictures))]
    for name, part in zip([f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"], rows, strict=True):
        batch = {"data": coloured[part], "labels": labels[part].tolist()}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": NAMES}, protocol=2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=pathlib.Path, help="the folder to write to")
    root = parser.parse_args().root
    digits = load_digits()
    pictures = (digits.images * 255 / 16).astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    split = len(labels) * 4 // 5
    write_mnist(root, pictures, labels, split)
    write_cifar10(root, pictures, labels, split)
    print(
        f"{split} digits to train on and {len(labels) - split} to test with: {root}/MNIST, {root}/cifar-10-batches-py"
    )


if __name__ == "__main__":
    main()
