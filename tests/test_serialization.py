"""Files: what real torch saves we load, what we save it loads; damaged and hostile ones end in an error."""

import copy
import gc
import io
import operator
import os
import pickle
import warnings
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from compare import array_of, assert_same_mistake
from saved_files import model, saved

import minitorch
from minitorch.serialization import _archive

DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool uint16 uint32 uint64".split()


def numbers(t, dtype, *shape):
    return (t.arange(int(np.prod(shape))) % 5 - 1).reshape(shape).to(getattr(t, dtype))


OBJECTS = {
    **{f"tensor of {d}": (lambda t, d=d: numbers(t, d, 3, 4)) for d in DTYPES},
    "number": lambda t: t.tensor(2.5),
    "empty": lambda t: t.zeros(2, 0, 3),
    "transposed": lambda t: numbers(t, "float32", 3, 4).T,
    "row of a matrix": lambda t: numbers(t, "float64", 3, 4)[1],
    "steps": lambda t: numbers(t, "float64", 12)[2:11:3],
    "expanded": lambda t: t.ones(1, 3).expand(4, 3),
    "requires grad": lambda t: t.ones(2, requires_grad=True),
    "parameter": lambda t: t.nn.Parameter(t.ones(2)),
    "frozen parameter": lambda t: t.nn.Parameter(t.ones(2), requires_grad=False),
    "buffer": lambda t: t.nn.Buffer(t.ones(2)),
    "meta": lambda t: t.ones(2, 3, device="meta"),
    "sparse": lambda t: t.eye(3).to_sparse(),
    "plain data": lambda t: {"a": [1, 2.5, None, True], ("b", 1): {3, 4}, "c": b"\x00\xff", "d": "text", "e": 10**30},
    "ordered": lambda t: OrderedDict([("z", 1), ("a", t.ones(1))]),
    "counter": lambda t: Counter("abba"),
    "size": lambda t: t.Size([2, 3]),
    "dtypes": lambda t: [t.float16, t.bool, t.int64],
    "device": lambda t: t.device("cpu"),
    "layout": lambda t: t.strided,
    "bytearray": lambda t: bytearray(b"abc"),
    "complex": lambda t: 1 + 2j,
    "state of a model": lambda t: model(t).state_dict(),
    "state of an optimizer": lambda t: trained(t)[1].state_dict(),
    "checkpoint": lambda t: {
        "model": trained(t)[0].state_dict(),
        "optimizer": trained(t)[1].state_dict(),
        "epoch": 3,
        "rng": t.get_rng_state(),
    },
}


def trained(t):
    m = model(t)
    optimizer = t.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        m(t.ones(2, 1, 4, 4)).sum().backward()
        optimizer.step()
    return m, optimizer


def assert_equal(ours, theirs):
    if isinstance(theirs, (torch.Tensor, minitorch.Tensor)):
        assert type(ours).__name__ == type(theirs).__name__ or theirs.is_sparse
        assert str(ours.dtype) == str(theirs.dtype)
        assert ours.requires_grad == theirs.requires_grad
        assert ours.is_sparse == theirs.is_sparse
        assert tuple(ours.shape) == tuple(theirs.shape)
        assert ours.device.type == theirs.device.type
        if theirs.is_sparse:
            ours, theirs = ours.to_dense(), theirs.to_dense()
        else:
            assert ours.stride() == theirs.stride()
        if not theirs.is_meta:
            wide = theirs.is_floating_point() and theirs.itemsize == 2
            ours, theirs = (x.detach().float() if wide else x for x in (ours, theirs))
            np.testing.assert_array_equal(array_of(ours), array_of(theirs))
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        assert type(ours).__name__ == type(theirs).__name__
        for key in theirs:
            assert_equal(ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert type(ours).__name__ == type(theirs).__name__
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            assert_equal(a, b)
    elif isinstance(
        theirs, (torch.dtype, torch.device, torch.layout, minitorch.dtype, minitorch.device, minitorch.layout)
    ):
        assert repr(ours) == repr(theirs)
    else:
        assert ours == theirs


@pytest.mark.parametrize("name", OBJECTS)
def test_torchs_file_is_loaded(name):
    theirs = OBJECTS[name](torch)
    assert_equal(minitorch.load(saved(torch, theirs)), theirs)


@pytest.mark.parametrize("name", OBJECTS)
def test_torch_loads_our_file(name):
    assert_equal(OBJECTS[name](minitorch), torch.load(saved(minitorch, OBJECTS[name](minitorch))))


@pytest.mark.parametrize("name", OBJECTS)
def test_our_file_is_loaded(name):
    loaded = minitorch.load(saved(minitorch, OBJECTS[name](minitorch)))
    assert_equal(loaded, OBJECTS[name](minitorch))


@pytest.mark.parametrize("name", [n for n in OBJECTS if n not in ("meta", "uint16", "complex")])
def test_torchs_file_of_the_format_before_is_loaded(name):
    theirs = OBJECTS[name](torch)
    assert_equal(minitorch.load(saved(torch, theirs, _use_new_zipfile_serialization=False)), theirs)


@pytest.mark.parametrize("format", ["zip", "legacy", "ours"])
def test_views_share_memory_after_loading(format):
    t = minitorch if format == "ours" else torch
    x = numbers(t, "float64", 3, 4)
    options = {"_use_new_zipfile_serialization": False} if format == "legacy" else {}
    whole, row, column = minitorch.load(saved(t, [x, x[1], x[:, 2]], **options))
    whole.zero_()
    assert row.sum() == 0 and column.sum() == 0


def test_shared_memory_is_written_once():
    x = minitorch.zeros(1000)
    size = len(saved(minitorch, [x, x[:10], x.view(10, 100)]).getvalue())
    assert size < 4000 + 3000


def test_two_dtypes_of_one_memory_are_refused():
    for t in (torch, minitorch):
        x = t.zeros(4)
        with pytest.raises(RuntimeError, match="Cannot save multiple tensors or storages that view the same data"):
            saved(t, [x, x.view(t.int32)])


MODULES = {
    "layers": model,
    "lstm": lambda t: t.nn.LSTM(3, 4, 2),
    "transformer": lambda t: t.nn.TransformerEncoderLayer(8, 2, 16),
    "embedding": lambda t: t.nn.Embedding(5, 3, padding_idx=1),
    "containers": lambda t: t.nn.ModuleDict({"a": t.nn.ModuleList([t.nn.Linear(2, 2)]), "b": t.nn.GELU()}),
    "losses": lambda t: t.nn.ModuleList([t.nn.CrossEntropyLoss(t.ones(3)), t.nn.CTCLoss()]),
}


@pytest.mark.parametrize("name", MODULES)
def test_whole_modules_go_both_ways(name):
    for save, load in ((torch, minitorch), (minitorch, torch), (minitorch, minitorch)):
        save.manual_seed(0)
        module = MODULES[name](save)
        loaded = load.load(saved(save, module), weights_only=False)
        assert isinstance(loaded, load.nn.Module)
        assert repr(loaded) == repr(module)
        a, b = loaded.state_dict(), module.state_dict()
        assert list(a) == list(b)
        for key in b:
            np.testing.assert_array_equal(array_of(a[key]), array_of(b[key]))
        copy.deepcopy(loaded).train().eval()


def test_a_loaded_module_computes_as_the_saved_one():
    theirs = model(torch).eval()
    ours = minitorch.load(saved(torch, theirs), weights_only=False)
    x = np.random.default_rng(0).standard_normal((2, 1, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(
        array_of(ours(minitorch.from_numpy(x))), array_of(theirs(torch.from_numpy(x))), rtol=1e-5, atol=1e-6
    )


# ---------------------------------------------------------------------- arguments
@pytest.mark.parametrize(
    "where",
    ["cpu", minitorch.device("cpu"), {"cpu": "cpu"}, {"cuda:0": "cpu"}, lambda s, loc: s, lambda s, loc: None, None],
    ids=["name", "device", "dict", "other dict", "function", "function of none", "none"],
)
def test_map_location_to_memory(where):
    assert minitorch.load(saved(torch, torch.ones(2)), map_location=where).tolist() == [1, 1]


def test_map_location_to_meta():
    ours = minitorch.load(saved(torch, torch.ones(2, 3)), map_location="meta")
    assert ours.is_meta and tuple(ours.shape) == (2, 3)


def test_map_location_gets_storage_and_name():
    seen = []
    minitorch.load(saved(torch, torch.ones(3)), map_location=lambda storage, name: seen.append((len(storage), name)))
    assert seen == [(12, "cpu")]


def test_map_location_restores_by_default_in_a_function():
    def where(storage, name):
        assert minitorch.serialization.location_tag(storage) == name == "cpu"
        return minitorch.serialization.default_restore_location(storage, "cpu")

    assert minitorch.load(saved(torch, torch.ones(2)), map_location=where).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
        minitorch.load(
            saved(torch, torch.ones(2)),
            map_location=lambda s, _: minitorch.serialization.default_restore_location(s, "cuda:0"),
        )


def test_tensors_of_a_gpu_need_a_map_location():
    buffer = saved(torch, torch.ones(2))
    data = buffer.getvalue().replace(b"X\x03\x00\x00\x00cpu", b"X\x03\x00\x00\x00gpu")
    with pytest.raises(RuntimeError):
        minitorch.load(io.BytesIO(_with_right_checksums(data)))


def _with_right_checksums(data):
    """The archive with its records as they are now."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            start = entry.header_offset
            name, extra = (int.from_bytes(data[start + i : start + i + 2], "little") for i in (26, 28))
            begin = start + 30 + name + extra
            new.writestr(entry.filename, data[begin : begin + entry.file_size])
    return out.getvalue()


def test_a_path_and_a_file(tmp_path):
    for f in (tmp_path / "x.pt", str(tmp_path / "y.pt")):
        minitorch.save({"a": minitorch.ones(2)}, f)
        assert torch.load(f)["a"].tolist() == [1, 1]
        assert minitorch.load(f)["a"].tolist() == [1, 1]
    with open(tmp_path / "z.pt", "wb") as f:
        minitorch.save(minitorch.ones(2), f)
    with open(tmp_path / "z.pt", "rb") as f:
        assert minitorch.load(f).tolist() == [1, 1]
    assert sorted(os.listdir(tmp_path)) == ["x.pt", "y.pt", "z.pt"]


def test_a_file_that_was_written_to_before(tmp_path):
    with open(tmp_path / "x", "wb") as f:
        f.write(b"header")
        minitorch.save(minitorch.ones(2), f)
    with open(tmp_path / "x", "rb") as f:
        assert f.read(6) == b"header"
        assert minitorch.load(f).tolist() == [1, 1]


def test_mmap_shares_the_files_memory(tmp_path):
    path = tmp_path / "x.pt"
    minitorch.save({"a": minitorch.arange(1000.0), "h": minitorch.ones(3, dtype=minitorch.bfloat16)}, path)
    loaded = minitorch.load(path, mmap=True)
    assert loaded["a"].sum() == 499500
    loaded["a"].zero_()  # the file stays as it is
    assert minitorch.load(path)["a"].sum() == 499500
    assert torch.load(path, mmap=True)["a"].sum() == 499500
    assert loaded["h"].tolist() == [1, 1, 1]


def test_records_begin_at_multiples_of_64(tmp_path):
    data = saved(minitorch, [minitorch.ones(3), minitorch.ones(5)]).getvalue()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            start = entry.header_offset
            name, extra = (int.from_bytes(data[start + i : start + i + 2], "little") for i in (26, 28))
            assert (start + 30 + name + extra) % 64 == 0


def test_an_interrupted_save_leaves_the_old_file(tmp_path):
    class Fails:
        def __reduce__(self):
            raise KeyboardInterrupt

    path = tmp_path / "x.pt"
    minitorch.save(1, path)
    with pytest.raises(KeyboardInterrupt):
        minitorch.save([minitorch.ones(3), Fails()], path)
    assert minitorch.load(path) == 1
    assert os.listdir(tmp_path) == ["x.pt"]


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.save({}, "/nonexistent/folder/x.pt"),
        lambda t: t.save({}, 3),
        lambda t: t.load(3),
        lambda t: t.load("/nonexistent.pt"),
        lambda t: t.load(io.BytesIO(b"PK\3\4 and no more")),
        lambda t: t.load(saved(t, 1), mmap=True),
        lambda t: t.load(saved(t, Custom())),
        lambda t: t.load(saved(t, t.nn.Linear(1, 1))),
    ],
    ids="folder number load-number no-file no-zip mmap class module".split(),
)
def test_errors_are_torchs(call):
    errors = []
    for t in (minitorch, torch):
        with pytest.raises(Exception) as e:
            call(t)
        errors.append(e.value)
    ours, theirs = errors
    assert type(ours) is type(theirs)
    # after the colon torch names the parts of the library that it reads zip files with
    assert str(ours).split("\n")[0].split("archive:")[0] == str(theirs).split("\n")[0].split("archive:")[0]


class Custom:
    def __init__(self):
        self.x = 3

    def __eq__(self, other):
        return type(self) is type(other) and self.x == other.x

    __hash__ = None


def test_an_empty_file_has_ended():
    with pytest.raises(EOFError):
        minitorch.load(io.BytesIO())


def test_allowed_classes():
    file = saved(minitorch, Custom())
    assert minitorch.serialization.get_unsafe_globals_in_checkpoint(file) == [f"{__name__}.Custom"]
    with minitorch.serialization.safe_globals([Custom]):
        file.seek(0)
        assert minitorch.load(file) == Custom()
        assert Custom in minitorch.serialization.get_safe_globals()
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="Custom was not an allowed global"):
        minitorch.load(file)
    minitorch.serialization.add_safe_globals([minitorch.nn.Linear, set, OrderedDict])
    try:
        loaded = minitorch.load(saved(torch, torch.nn.Linear(2, 2)))
        assert isinstance(loaded, minitorch.nn.Linear)
    finally:
        minitorch.serialization.clear_safe_globals()
    assert minitorch.serialization.get_safe_globals() == []


@pytest.mark.parametrize("records", [3, 60])
def test_long_files_are_read_by_two_threads(tmp_path, records):
    """Of few long records and of many: a thread must not wait for another's record, nor for its own."""
    path, each = tmp_path / "long.pt", 40_000_000 // records // 8
    theirs = {str(i): torch.full((each,), i, dtype=torch.int64) for i in range(records)}
    torch.save(theirs, path)
    assert path.stat().st_size > _archive.LONG
    for _ in range(3):
        ours = minitorch.load(path)
        assert [(t.numel(), t[0].item(), t[-1].item()) for t in ours.values()] == [(each, i, i) for i in range(records)]


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        (["NO_"], {}),
        (["NO_"], {"weights_only": True}),
        ([""], {"weights_only": False}),
        (["", "NO_"], {}),
        ([], {"pickle_module": pickle}),
        ([], {"pickle_module": pickle, "weights_only": True}),
        ([""], {"pickle_module": pickle}),
    ],
)
def test_what_may_run_code_is_decided_as_by_torch(variables, options, monkeypatch):
    file = saved(torch, torch.nn.ReLU)  # a class: allowed only if the file may run code
    for name in variables:
        monkeypatch.setenv(f"TORCH_FORCE_{name}WEIGHTS_ONLY_LOAD", "1")

    def outcome(ns):
        file.seek(0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = ns.load(file, **options).__name__
            except Exception as e:
                result = type(e), str(e).split("\n")[0][:60]
        return result, [(w.category, str(w.message)) for w in caught]

    assert outcome(minitorch) == outcome(torch)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_functions_are_saved_under_torchs_names_and_may_be_allowed(activation):
    names = (
        "modules.activation.MultiheadAttention modules.container.ModuleList modules.dropout.Dropout "
        "modules.linear.Linear modules.linear.NonDynamicallyQuantizableLinear modules.normalization.LayerNorm "
        f"modules.transformer.TransformerEncoder modules.transformer.TransformerEncoderLayer functional.{activation}"
    ).split()
    x = np.random.default_rng(0).standard_normal((3, 1, 4)).astype(np.float32)
    for save, load in ((minitorch, minitorch), (torch, minitorch), (minitorch, torch)):
        layer = save.nn.TransformerEncoderLayer(4, 2, 8, activation=getattr(save.nn.functional, activation))
        encoder = save.nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
        file = saved(save, encoder)
        if load is torch:
            loaded = load.load(file, weights_only=False)
        else:
            with load.serialization.safe_globals([operator.attrgetter(name)(load.nn) for name in names]):
                loaded = load.load(file)
        expected = array_of(encoder(save.from_numpy(x)))
        np.testing.assert_allclose(array_of(loaded(load.from_numpy(x))), expected, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------------- wrong calls
class _Full(io.BytesIO):
    """A disk that is full soon."""

    def write(self, data):
        if self.tell() + len(data) > 100:
            raise OSError("No space left on device")
        return super().write(data)


@pytest.mark.parametrize("stream", [io.StringIO, _Full])
def test_a_save_that_fails_leaves_nothing_to_be_said_later(stream, capsys, only_new_garbage):
    for ns in (minitorch, torch):
        with pytest.raises((TypeError, OSError, RuntimeError)):
            ns.save({"weight": ns.ones(2)}, stream())
    gc.collect()
    assert capsys.readouterr().err == ""


def saved_one(ns):
    stream = io.BytesIO()
    ns.save(1, stream)
    stream.seek(0)
    return stream


def with_local_function(ns):
    model = ns.nn.Linear(2, 2)
    model.act = lambda x: x
    return model


MISTAKES = {
    "load with another argument": lambda ns: ns.load(saved_one(ns), foo=1),
    "load with another argument, trusted": lambda ns: ns.load(saved_one(ns), weights_only=False, foo=1),
    "load of text": lambda ns: ns.load(io.StringIO("text")),
    "save of a local function": lambda ns: ns.save(with_local_function(ns), io.BytesIO()),
    "pickle of a local function": lambda ns: pickle.dumps(with_local_function(ns)),
}


@pytest.mark.filterwarnings("ignore:pickle_load_args only works:UserWarning")
@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_end_as_in_torch(name):
    assert_same_mistake(MISTAKES[name])


def test_arguments_of_the_unpickler_are_for_files_that_are_trusted():
    for ns in (minitorch, torch):
        with pytest.warns(UserWarning, match="pickle_load_args only works if `weights_only=False`"):
            assert ns.load(saved_one(ns), encoding="latin1") == 1
