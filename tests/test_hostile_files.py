"""Files that somebody tampered with end in an error, take no memory and run no code."""

import io
import os
import pickle
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from saved_files import model, saved

import minitorch


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/minitorch_was_here",)


def archive_of(pickled, storages=(), root="archive"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(f"{root}/data.pkl", pickled)
        for key, data in storages:
            z.writestr(f"{root}/data/{key}", data)
        z.writestr(f"{root}/version", "3\n")
    return io.BytesIO(out.getvalue())


def tensor_pickle(*, size=(2,), stride=(1,), offset=0, count=2, key="0", dtype="FloatStorage"):
    class Storage:
        def __init__(self):
            self.id = ("storage", getattr(torch, dtype), key, "cpu", count)

    class P(pickle.Pickler):
        def persistent_id(self, obj):
            return obj.id if isinstance(obj, Storage) else None

        def reducer_override(self, obj):
            if isinstance(obj, Tensor):
                return torch._utils._rebuild_tensor_v2, (Storage(), offset, size, stride, False, OrderedDict())
            return NotImplemented

    class Tensor:
        pass

    out = io.BytesIO()
    P(out, 2).dump(Tensor())
    return out.getvalue()


HOSTILE = {
    "runs a command": archive_of(pickle.dumps(Evil(), 2)),
    "runs a command, no archive": io.BytesIO(pickle.dumps(Evil(), 2)),
    "reaches beyond its storage": archive_of(tensor_pickle(size=(3,)), [("0", b"\0" * 8)]),
    "begins beyond its storage": archive_of(tensor_pickle(offset=2), [("0", b"\0" * 8)]),
    "steps backwards": archive_of(tensor_pickle(stride=(-1,)), [("0", b"\0" * 8)]),
    "negative size": archive_of(tensor_pickle(size=(-2,)), [("0", b"\0" * 8)]),
    "negative offset": archive_of(tensor_pickle(offset=-1), [("0", b"\0" * 8)]),
    "huge steps": archive_of(tensor_pickle(stride=(2**62,)), [("0", b"\0" * 8)]),
    "size and stride of different lengths": archive_of(tensor_pickle(size=(1, 2)), [("0", b"\0" * 8)]),
    "says more than there is": archive_of(tensor_pickle(count=10**12), [("0", b"\0" * 8)]),
    "storage missing": archive_of(tensor_pickle(key="1"), [("0", b"\0" * 8)]),
    "path out of the archive": archive_of(tensor_pickle(key="../../../etc/passwd"), [("0", b"\0" * 8)]),
    "huge bytearray": archive_of(b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x3f."),
    "huge string": archive_of(b"\x80\x02X\xff\xff\xff\x7fab."),
    "bytearray by number": archive_of(b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R."),
    "calls a number": archive_of(b"\x80\x02K\x01)R."),
    "builds a tensor's attributes": archive_of(b"\x80\x02ctorch\nTensor\n}X\x01\x00\x00\x00aK\x01sb."),
    "getattr": archive_of(b"\x80\x02cbuiltins\ngetattr\n."),
    "import by dots": archive_of(b"\x80\x04\x8c\x08builtins\x8c\x0cdict.fromkeys\x93."),
    "no stop": archive_of(b"\x80\x02K\x01"),
    "empty pickle": archive_of(b""),
    "extension": archive_of(b"\x80\x02\x82\x01."),
    "requires_grad of a string": archive_of(
        tensor_pickle().replace(b"\x89", b"X\x01\x00\x00\x00a"), [("0", b"\0" * 8)]
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_ends_in_an_error(name):
    HOSTILE[name].seek(0)
    with pytest.raises((pickle.UnpicklingError, RuntimeError, EOFError)):
        minitorch.load(HOSTILE[name])
    assert not os.path.exists("/tmp/minitorch_was_here")


def test_a_huge_memo_index_takes_no_memory():
    assert minitorch.load(archive_of(b"\x80\x02Nr\xff\xff\xff\x7f.")) is None


def test_compressed_records_are_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("archive/data.pkl", b"0" * 10**7)
    assert len(out.getvalue()) < 20000
    with pytest.raises(RuntimeError, match="archive"):
        minitorch.load(io.BytesIO(out.getvalue()))


def test_a_flipped_bit_in_a_tensor_is_seen():
    data = bytearray(saved(minitorch, minitorch.zeros(1000)).getvalue())
    place = data.index(b"\0" * 3000) + 1500
    data[place] ^= 1
    with pytest.raises(RuntimeError, match="checksum"):
        minitorch.load(io.BytesIO(bytes(data)))


def mutations(data, count, seed):
    """The file with bytes flipped, cut out, doubled or overwritten, or its end cut off."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        new = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            at, n = int(rng.integers(len(new))), int(rng.integers(1, 9))
            how = rng.integers(6)
            if how == 0:
                new[at] ^= 1 << int(rng.integers(8))
            elif how == 1:
                new[at : at + n] = bytes(rng.integers(0, 256, n, dtype=np.uint8))
            elif how == 2:
                del new[at : at + n]
            elif how == 3:
                new[at:at] = new[at : at + n]
            elif how == 4:
                new[at : at + n] = b"\xff" * n
            else:
                del new[at:]
            if not new:
                break
        yield bytes(new)


def fuzz(count, seed=0):
    """Loads mutated files of every format; the counts of what came of them."""
    state = {"a": np.arange(6.0), "b": np.ones((2, 3), np.float32)}

    def contents(t):
        return {k: t.from_numpy(v.copy()) for k, v in state.items()} | {"c": [1, "x", {2}], "m": model(t).state_dict()}

    files = [
        saved(torch, contents(torch)).getvalue(),
        saved(minitorch, contents(minitorch)).getvalue(),
        saved(torch, contents(torch), _use_new_zipfile_serialization=False).getvalue(),
    ]
    outcomes = Counter()
    for i, file in enumerate(files):
        for data in mutations(file, count // len(files) + 1, seed + i):
            try:
                loaded = minitorch.load(io.BytesIO(data))
            except (pickle.UnpicklingError, RuntimeError, EOFError):
                outcomes["error"] += 1
            else:
                outcomes["loaded"] += 1
                # a zip file has checksums: what it gives is what was saved
                if i < 2:
                    for key, value in state.items():
                        np.testing.assert_array_equal(loaded[key].numpy(), value)
    return outcomes


def test_mutated_files_end_in_errors():
    outcomes = fuzz(300)
    assert outcomes["error"] > 100 and sum(outcomes.values()) >= 300


@pytest.mark.slow
def test_many_mutated_files_end_in_errors():
    outcomes = fuzz(4000, seed=1)
    assert outcomes["error"] > 1000 and sum(outcomes.values()) >= 4000
