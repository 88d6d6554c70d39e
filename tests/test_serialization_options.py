"""What holds for all saving and loading: checksums, files without their tensors' bytes, mapping, byte order."""

import mmap
import pickle
import zipfile

import numpy as np
import pytest
import torch

import minitorch
from minitorch.serialization import _archive

SIDES = [(minitorch, torch), (torch, minitorch), (minitorch, minitorch)]  # who saves, who loads


def read(t, path, **options):
    return t.load(path, **options).tolist()


@pytest.mark.parametrize(("writer", "reader"), SIDES)
def test_without_checksums_none_is_written_and_none_looked_for(writer, reader, tmp_path):
    file = tmp_path / "f"
    assert writer.serialization.get_crc32_options() is True
    writer.serialization.set_crc32_options(False)
    try:
        writer.save(writer.arange(3), file)
        assert writer.serialization.get_crc32_options() is False
    finally:
        writer.serialization.set_crc32_options(True)
    assert {e.CRC for e in zipfile.ZipFile(file).infolist()} == {0}
    assert file.read_bytes()[14:18] == bytes(4)
    assert read(reader, file) == [0, 1, 2]


@pytest.mark.parametrize(("writer", "reader"), SIDES)
def test_within_skip_data_zeros_are_saved_that_may_be_written_over(writer, reader, tmp_path):
    file = tmp_path / "f"
    with writer.serialization.skip_data():
        writer.save(writer.tensor([3, 5]), file)
    assert read(reader, file) == [0, 0]
    with open(file, "r+b") as stream:
        stream.seek(_archive.Reader(stream)._place("data/0")[0])
        stream.write(np.array([7, 9]).tobytes())
    assert read(reader, file) == [7, 9]


def test_within_skip_data_tensors_are_loaded_without_their_bytes(tmp_path):
    minitorch.save({"x": minitorch.ones(2, 3, dtype=minitorch.float64)}, tmp_path / "f")
    with minitorch.serialization.skip_data():
        loaded = minitorch.load(tmp_path / "f")["x"]
    assert loaded.shape == (2, 3)
    assert loaded.dtype is minitorch.float64
    assert minitorch.load(tmp_path / "f")["x"].sum() == 6


@pytest.mark.parametrize("t", [minitorch, torch])
def test_a_mapping_is_shared_with_its_file_where_that_is_set(t, tmp_path):
    file, options = tmp_path / "f", t.serialization
    t.save(t.zeros(2), file)
    t.load(file, mmap=True)[0] = 1
    assert read(t, file) == [0, 0]
    assert options.get_default_mmap_options() == mmap.MAP_PRIVATE
    with options.set_default_mmap_options(mmap.MAP_SHARED):
        assert options.get_default_mmap_options() == mmap.MAP_SHARED
        t.load(file, mmap=True)[0] = 1
    assert options.get_default_mmap_options() == mmap.MAP_PRIVATE
    # written over as this file is, its checksum is out of date, which torch does not look at
    assert t.load(file, mmap=True).tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"expected mmap\.MAP_PRIVATE or mmap\.MAP_SHARED, but got 5"):
        options.set_default_mmap_options(5)


@pytest.mark.parametrize("t", [minitorch, torch])
@pytest.mark.parametrize("order", [None, "NATIVE", "LITTLE", "BIG"])
def test_files_without_a_byte_order_are_read_in_the_default_one(t, order, tmp_path):
    t.save(t.tensor([1, 256], dtype=t.int16), tmp_path / "whole", _disable_byteorder_record=True)
    with zipfile.ZipFile(tmp_path / "whole") as whole, zipfile.ZipFile(tmp_path / "f", "w") as archive:
        for name in whole.namelist():
            if name != "whole/byteorder":
                archive.writestr(name, whole.read(name))
    options = t.serialization
    assert options.get_default_load_endianness() is None
    options.set_default_load_endianness(order and options.LoadEndianness[order])
    try:
        assert options.get_default_load_endianness() is (order and options.LoadEndianness[order])
        swapped = order == "BIG"
        assert read(t, tmp_path / "f") == ([256, 1] if swapped else [1, 256])
    finally:
        options.set_default_load_endianness(None)
    with pytest.raises(TypeError, match="Invalid argument type in function set_default_load_endianness"):
        options.set_default_load_endianness("big")


@pytest.mark.parametrize("t", [minitorch, torch])
def test_a_byte_order_that_there_is_not_is_refused(t, tmp_path):
    with zipfile.ZipFile(tmp_path / "f", "w") as archive:
        for name, data in (("f/data.pkl", pickle.dumps(1, 2)), ("f/byteorder", b"middle"), ("f/version", b"3\n")):
            archive.writestr(name, data)
    with pytest.raises(ValueError, match="Unknown endianness type: middle"):
        t.load(tmp_path / "f")


@pytest.mark.parametrize("t", [minitorch, torch])
def test_options_of_saving_and_loading_by_name(t, tmp_path):
    config = __import__(f"{t.__name__}.utils.serialization.config", fromlist=["config"])
    with config.patch({"save.storage_alignment": 4096, "load.mmap": True}):
        t.save(t.arange(3), tmp_path / "f")
        assert read(t, tmp_path / "f") == [0, 1, 2]
    assert (config.save.storage_alignment, config.load.mmap) == (64, False)
    assert zipfile.ZipFile(tmp_path / "f").read("f/.storage_alignment") == b"4096"
    assert (tmp_path / "f").read_bytes().index(np.arange(3).tobytes()) % 4096 == 0
    for section, name in ((config.save, "x"), (config.load, "x"), (config, "x")):
        with pytest.raises(AttributeError, match="x does not exist"):
            setattr(section, name, 1)


def test_options_that_are_not_supported_are_refused():
    from minitorch.utils.serialization import config

    with pytest.raises(NotImplementedError, match=r"load.calculate_storage_offsets is not supported"):
        config.load.calculate_storage_offsets = True
    config.load.calculate_storage_offsets = False
