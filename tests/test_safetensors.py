"""minitorch.utils.safetensors against safetensors.torch: files both ways, shared memory, errors."""

import numpy as np
import pytest
import safetensors.torch as theirs
import torch

import minitorch
from minitorch.utils import safetensors as ours

DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool".split()


def tensors(ns):
    """One of each dtype, with no elements and no dimensions too."""
    values = np.arange(6).reshape(2, 3) % 2
    made = {dtype: ns.tensor(values.tolist(), dtype=getattr(ns, dtype)) for dtype in DTYPES}
    return made | {"none": ns.zeros(0, 3), "scalar": ns.tensor(2.5)}


def assert_equal(mine, torchs):
    assert sorted(mine) == sorted(torchs)
    for name, t in torchs.items():
        m = mine[name]
        assert isinstance(m, minitorch.Tensor)
        assert (str(m.dtype), tuple(m.shape)) == (str(t.dtype), tuple(t.shape)), name
        assert m.tolist() == t.tolist(), name


def test_torch_reads_our_files_and_we_read_its_own(tmp_path):
    ours.save_file(tensors(minitorch), tmp_path / "ours", metadata={"by": "us"})
    theirs.save_file(tensors(torch), tmp_path / "theirs", metadata={"by": "them"})
    assert_equal(tensors(minitorch), theirs.load_file(tmp_path / "ours"))
    assert_equal(ours.load_file(tmp_path / "theirs"), tensors(torch))
    with ours.safe_open(tmp_path / "theirs") as f:
        assert f.metadata() == {"by": "them"}
        part = f.get_slice("bfloat16")
        assert part.get_shape() == [2, 3]
        assert part.get_dtype() == "BF16"
        assert part[1:, :2].tolist() == [[1.0, 0.0]]
    with ours.safe_open(tmp_path / "theirs", framework="np") as f:
        assert isinstance(f.get_tensor("int16"), np.ndarray)


def test_bytes_go_both_ways():
    assert_equal(tensors(minitorch), theirs.load(ours.save(tensors(minitorch))))
    assert_equal(ours.load(theirs.save(tensors(torch))), tensors(torch))


def test_what_was_loaded_can_be_written_to_and_outlives_the_file(tmp_path):
    ours.save_file({"x": minitorch.ones(3)}, tmp_path / "f")
    x = ours.load_file(tmp_path / "f")["x"]
    (tmp_path / "f").write_bytes(b"")
    x.add_(1)
    assert x.tolist() == [2.0, 2.0, 2.0]


def tied(ns):
    model = ns.nn.Sequential(ns.nn.Linear(2, 3), ns.nn.Linear(2, 3))
    model[1].weight = model[0].weight
    return model


def test_models_with_tied_weights_go_both_ways(tmp_path):
    for mine, (write, writer), (read, reader) in (
        (True, (ours, minitorch), (theirs, torch)),
        (False, (theirs, torch), (ours, minitorch)),
    ):
        model, other = tied(writer), tied(reader)
        write.save_model(model, tmp_path / "model")
        assert read.load_model(other, tmp_path / "model") == (set(), [])
        for p, q in zip(model.parameters(), other.parameters(), strict=True):
            assert p.tolist() == q.tolist()
        with ours.safe_open(tmp_path / "model") as f:
            assert f.metadata() == {"1.weight": "0.weight"}, mine


def test_load_model_names_what_is_missing_and_unexpected(tmp_path):
    ours.save_file({"weight": minitorch.zeros(3, 2), "extra": minitorch.zeros(1)}, tmp_path / "f")
    messages = []
    for files, ns in ((ours, minitorch), (theirs, torch)):
        with pytest.raises(RuntimeError) as error:
            files.load_model(ns.nn.Linear(2, 3), tmp_path / "f")
        messages.append(str(error.value))
        assert files.load_model(ns.nn.Linear(2, 3), tmp_path / "f", strict=False) == ({"bias"}, ["extra"])
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda ns: [ns.zeros(2)],
        lambda ns: {"a": 1},
        lambda ns: {"a": ns.eye(2).to_sparse()},
        lambda ns: {"a": ns.zeros(3, 2).t()},
        lambda ns: (lambda x: {"a": x, "b": x[1:]})(ns.zeros(4)),
    ],
    ids=["list", "number", "sparse", "strided", "shared"],
)
def test_what_the_format_lacks_is_refused_with_torchs_class(make):
    classes = []
    for files, ns in ((ours, minitorch), (theirs, torch)):
        with pytest.raises(Exception) as error:
            files.save(make(ns))
        classes.append(type(error.value))
    assert classes[0] is classes[1]


def test_pieces_of_one_storage_that_do_not_overlap_are_saved(tmp_path):
    for files, ns in ((ours, minitorch), (theirs, torch)):
        x = ns.arange(6.0)
        files.save_file({"a": x[:3], "b": x[3:]}, tmp_path / "f")
        assert ours.load_file(tmp_path / "f")["b"].tolist() == [3.0, 4.0, 5.0]


@pytest.mark.parametrize("damage", ["truncated", "header", "empty"])
def test_damaged_files_are_refused(tmp_path, damage):
    data = ours.save({"a": minitorch.ones(100)})
    spoiled = {"truncated": data[:-8], "header": b"\xff" * 8 + data[8:], "empty": b""}[damage]
    (tmp_path / "f").write_bytes(spoiled)
    with pytest.raises(Exception, match=r"(?i)header|incomplete|metadata|small"):
        ours.load_file(tmp_path / "f")
    with pytest.raises(Exception, match=r"(?i)header|incomplete|metadata|small"):
        ours.load(spoiled)
