"""Downloads and archives of minitorch.vision.datasets: whole, resumed, refused, and always with the file's name."""

import bz2
import functools
import gzip
import http.server
import io
import lzma
import os
import sys
import tarfile
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import dataset_files as files
import pytest
import torchvision.datasets as theirs_datasets

import minitorch.vision.datasets as ours_datasets

ours, theirs = ours_datasets.utils, theirs_datasets.utils
CONTENT = bytes(range(256)) * 300


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; by the path's beginning also redirections, broken connections, and parts of files."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        kind, _, rest = self.path.lstrip("/").partition("/")
        if kind == "endless":
            self.redirect(f"/endless/{len(rest) * 'x'}x")
        elif kind == "moved":
            self.redirect(f"/{rest}")
        elif kind == "breaks":
            self.send(200, CONTENT, CONTENT[:50000])
        elif kind == "resumes":
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.send_error(416)
            else:
                self.send(206 if start else 200, CONTENT[start:])
        else:
            super().do_GET()

    def redirect(self, place):
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send(self, status, promised, sent=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(promised)))
        self.end_headers()
        self.wfile.write(promised if sent is None else sent)


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "file.bin").write_bytes(CONTENT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as running:
        running.requests, running.folder = [], folder
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def md5_of(content):
    import hashlib

    return hashlib.md5(content).hexdigest()


MD5 = md5_of(CONTENT)


@pytest.mark.parametrize("name", ["file.bin", "moved/file.bin", "moved/moved/file.bin"])
def test_a_file_is_downloaded_once(server, tmp_path, name):
    for _ in range(2):
        ours.download_url(f"{server.url}/{name}", tmp_path / "new" / "folder", md5=MD5)
        assert (tmp_path / "new" / "folder" / "file.bin").read_bytes() == CONTENT
        requests, server.requests = server.requests, []
    assert requests == []


def test_a_download_says_who_asks_as_torchvision_does(server, tmp_path, monkeypatch):
    asked = []
    urlopen = urllib.request.urlopen
    monkeypatch.setattr(urllib.request, "urlopen", lambda request: asked.append(request) or urlopen(request))
    ours.download_url(f"{server.url}/file.bin", tmp_path, "ours")
    theirs.download_url(f"{server.url}/file.bin", tmp_path, "theirs")
    assert {request.get_header("User-agent") for request in asked} == {"pytorch/vision"}
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_a_broken_download_is_continued(server, tmp_path):
    with pytest.raises(urllib.error.URLError, match="ended after 50000 of 76800 bytes"):
        ours.download_url(f"{server.url}/breaks/file.bin", tmp_path, md5=MD5)
    assert not (tmp_path / "file.bin").exists()
    ours.download_url(f"{server.url}/resumes/file.bin", tmp_path, md5=MD5)
    assert server.requests[-1] == ("/resumes/file.bin", "bytes=50000-")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.bin", "served"]


@pytest.mark.parametrize("path", ["file.bin", "resumes/file.bin"])
@pytest.mark.parametrize("part", [CONTENT[:100], CONTENT + b"x"])
def test_a_part_that_cannot_be_continued_is_begun_anew(server, tmp_path, path, part):
    (tmp_path / "file.bin.part").write_bytes(part)
    ours.download_url(f"{server.url}/{path}", tmp_path, md5=MD5)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_without_a_checksum_no_part_is_continued(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"of something else")
    ours.download_url(f"{server.url}/resumes/file.bin", tmp_path)
    assert server.requests == [("/resumes/file.bin", None)]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_in_torchvisions_words(server, tmp_path):
    for utils in (theirs, ours):
        with pytest.raises(RuntimeError, match="File not found or corrupted") as caught:
            utils.download_url(f"{server.url}/file.bin", tmp_path, md5="0" * 32)
    assert str(tmp_path / "file.bin") in str(caught.value) and "0" * 32 in str(caught.value)


def test_a_missing_file_is_an_http_error_that_says_where_to_place_it(server, tmp_path):
    with pytest.raises(urllib.error.HTTPError, match="HTTP Error 404: File not found") as caught:
        ours.download_url(f"{server.url}/nothing.bin", tmp_path, md5=MD5)
    assert f"place the file (md5 {MD5}) at {tmp_path / 'nothing.bin'}" in str(caught.value)


def test_without_a_network_the_error_says_where_to_place_the_file(tmp_path):
    with pytest.raises(urllib.error.URLError, match="Connection refused") as caught:
        ours.download_url("http://127.0.0.1:9/set.zip", tmp_path)
    assert f"place the file at {tmp_path / 'set.zip'}" in str(caught.value)


def test_redirections_end_somewhere(server, tmp_path):
    with pytest.raises((urllib.error.HTTPError, RecursionError)):
        ours.download_url(f"{server.url}/endless/x", tmp_path)


def test_progress_is_shown_with_and_without_tqdm(server, tmp_path, monkeypatch, capsys):
    ours.download_url(f"{server.url}/file.bin", tmp_path, "first")
    assert "100%" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    ours.download_url(f"{server.url}/file.bin", tmp_path, "second")
    assert capsys.readouterr().err.splitlines()[-1] == "100% of 76800 bytes"


def test_google_drives_files_need_gdown(tmp_path):
    for utils in (theirs, ours):
        with pytest.raises(RuntimeError, match="'gdown' is required") as caught:
            utils.download_file_from_google_drive("an id", tmp_path, "set.zip")
    assert f"place the file at {tmp_path / 'set.zip'}" in str(caught.value)


# ---------------------------------------------------------------------- data sets
@pytest.fixture
def mnist_mirror(server, monkeypatch):
    folder = files.write_mnist(server.folder, compressed=True)
    names = [name for name, _ in ours_datasets.MNIST.resources]
    resources = [(name, md5_of((folder / name).read_bytes())) for name in names]
    monkeypatch.setattr(ours_datasets.MNIST, "resources", resources)
    return f"{server.url}/MNIST/raw/"


def test_mnist_is_downloaded_from_the_mirror_that_has_it(server, tmp_path, monkeypatch, mnist_mirror):
    monkeypatch.setattr(ours_datasets.MNIST, "mirrors", [f"{server.url}/nowhere/", mnist_mirror])
    dataset = ours_datasets.MNIST(tmp_path / "data", download=True)
    expected = theirs_datasets.MNIST(server.folder)
    assert dataset.data.tolist() == expected.data.tolist() and dataset.targets.tolist() == expected.targets.tolist()
    server.requests.clear()
    ours_datasets.MNIST(tmp_path / "data", download=True)
    assert server.requests == []


def test_mnist_without_a_mirror_names_each_and_the_place(tmp_path, monkeypatch):
    mirrors = ["http://127.0.0.1:9/nowhere/", "http://127.0.0.1:9/"]
    messages = []
    for datasets in (ours_datasets, theirs_datasets):
        monkeypatch.setattr(datasets.MNIST, "mirrors", mirrors)
        with pytest.raises(RuntimeError) as caught:
            datasets.MNIST(tmp_path, download=True)
        messages.append([line for line in str(caught.value).splitlines() if line.startswith(("Error", "Tried"))])
    assert messages[0] == messages[1]
    with pytest.raises(RuntimeError, match=str(tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz")):
        ours_datasets.MNIST(tmp_path, download=True)


def test_files_placed_by_hand_are_taken(server, tmp_path, monkeypatch, mnist_mirror):
    monkeypatch.setattr(ours_datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    for name, _ in ours_datasets.MNIST.resources:
        files.write(tmp_path / "MNIST" / "raw" / name, (server.folder / "MNIST" / "raw" / name).read_bytes())
    assert len(ours_datasets.MNIST(tmp_path, download=True)) == 20


def test_cifar_is_downloaded_and_unpacked(server, tmp_path, monkeypatch):
    folder = files.write_cifar10(server.folder)
    archive = server.folder / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    monkeypatch.setattr(ours_datasets.CIFAR10, "url", f"{server.url}/{archive.name}")
    monkeypatch.setattr(ours, "check_md5", lambda *args: True)
    assert len(ours_datasets.CIFAR10(tmp_path / "data", download=True)) == 20


# ---------------------------------------------------------------------- archives
def tar_bytes(mode, *members):
    """A tar of (name, content) pairs and of TarInfos."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return stream.getvalue()


def zip_bytes(*members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


MEMBERS = [("a/b.txt", b"one"), ("a/c/d.txt", b"two" * 1000), ("e.txt", b"")]
ARCHIVES = {
    "x.tar": tar_bytes("w", special("folder", tarfile.DIRTYPE), *MEMBERS),
    "x.tar.gz": tar_bytes("w:gz", *MEMBERS),
    "x.tgz": tar_bytes("w:gz", *MEMBERS),
    "x.tbz2": tar_bytes("w:bz2", *MEMBERS),
    "x.tar.xz": tar_bytes("w:xz", *MEMBERS),
    "x.zip": zip_bytes(("folder/", b""), *MEMBERS),
    "x.txt.gz": gzip.compress(b"alone"),
    "x.bz2": bz2.compress(b"alone"),
    "x.xz": lzma.compress(b"alone"),
}


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter:DeprecationWarning")
@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_are_unpacked_as_by_torchvision(tmp_path, name):
    archive = tmp_path / name
    archive.write_bytes(ARCHIVES[name])
    for utils, folder in ((ours, tmp_path / "ours"), (theirs, tmp_path / "theirs")):
        folder.mkdir()
        result = utils.extract_archive(archive, folder)
        assert isinstance(result, Path)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs") != {}
    beside = tmp_path / "beside" / name
    files.write(beside, ARCHIVES[name])
    assert isinstance(ours.extract_archive(str(beside), remove_finished=True), str)
    assert not beside.exists()
    assert contents(beside.parent) == contents(tmp_path / "ours")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.tar", tar_bytes("w", ("../out.txt", b"x"))),
        ("x.tar", tar_bytes("w", ("a/../../out.txt", b"x"))),
        ("x.tar", tar_bytes("w", ("/out.txt", b"x"))),
        ("x.tar", tar_bytes("w", special("link", tarfile.SYMTYPE, ".."), ("link/out.txt", b"x"))),
        ("x.tar", tar_bytes("w", special("link", tarfile.LNKTYPE, "../out.txt"))),
        ("x.tar", tar_bytes("w", special("pipe", tarfile.FIFOTYPE))),
        ("x.zip", zip_bytes(("../out.txt", b"x"))),
        ("x.zip", zip_bytes(("/out.txt", b"x"))),
    ],
)
def test_archives_that_reach_out_of_their_folder_are_refused(tmp_path, name, content):
    archive = files.write(tmp_path / name, content)
    with pytest.raises(RuntimeError) as caught:
        ours.extract_archive(archive, tmp_path / "inside" / "deep")
    assert str(caught.value).startswith(f"{archive}: its member ")
    assert [p for p in tmp_path.rglob("*") if p.is_file() or p.is_symlink()] == [archive]


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_truncated_archive_is_named_and_leaves_no_half_of_a_file(tmp_path, name):
    archive = files.write(tmp_path / name, ARCHIVES[name][: len(ARCHIVES[name]) // 3 + 1])
    with pytest.raises(Exception, match=str(archive)):
        ours.extract_archive(archive, tmp_path / "new")
    assert not any(path.suffix != ".part" for path in (tmp_path / "new").glob("x*"))


@pytest.mark.parametrize("name", ["noending", "x.rar"])
def test_unknown_endings_are_refused_in_torchvisions_words(tmp_path, name):
    messages = []
    for utils in (ours, theirs):
        with pytest.raises(RuntimeError) as caught:
            utils.extract_archive(tmp_path / name)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_decompressing_what_is_not_compressed_is_refused(tmp_path):
    for utils in (ours, theirs):
        with pytest.raises(RuntimeError, match=r"Couldn't detect a compression from suffix \.zip\."):
            utils._decompress(tmp_path / "x.zip")


def test_unpacking_after_a_download_takes_names_and_folders(server, tmp_path):
    (server.folder / "x.zip").write_bytes(ARCHIVES["x.zip"])
    ours.download_and_extract_archive(
        f"{server.url}/x.zip", tmp_path / "d", extract_root=tmp_path / "e", filename="y.zip", remove_finished=True
    )
    assert (tmp_path / "e" / "a" / "b.txt").read_bytes() == b"one"
    assert list((tmp_path / "d").iterdir()) == []


# ---------------------------------------------------------------------- checksums, names, arguments
def test_checksums_and_lists_are_torchvisions(tmp_path):
    path = files.write(tmp_path / "a.png", CONTENT)
    (tmp_path / "folder.png").mkdir()
    for utils in (ours, theirs):
        assert utils.calculate_md5(path, chunk_size=7) == MD5
        assert utils.check_md5(path, MD5) and not utils.check_md5(path, "0")
        assert utils.check_integrity(path) and utils.check_integrity(path, MD5)
        assert not utils.check_integrity(path, "0") and not utils.check_integrity(tmp_path)
    for arguments in [(tmp_path,), (str(tmp_path), True)]:
        assert ours.list_dir(*arguments) == theirs.list_dir(*arguments) != []
    for arguments in [(tmp_path, ".png"), (str(tmp_path), (".png", ".jpg"), True)]:
        assert ours.list_files(*arguments) == theirs.list_files(*arguments) != []
    assert ours.iterable_to_str([1, "b"]) == theirs.iterable_to_str([1, "b"])


@pytest.mark.parametrize(
    "arguments",
    [("a",), ("a", "split", ("a",)), (1,), (1, "split"), ("c", "split", ("a", "b")), ("c", "s", "a", "Own")],
)
def test_verified_arguments_are_torchvisions(arguments):
    results = []
    for utils in (ours, theirs):
        try:
            results.append(utils.verify_str_arg(*arguments))
        except ValueError as e:
            results.append(str(e))
    assert results[0] == results[1]


def test_the_opener_that_a_program_installs_is_used(tmp_path, server, monkeypatch):
    monkeypatch.setattr(urllib.request, "_opener", None)
    opener = urllib.request.build_opener()
    opened = []
    monkeypatch.setattr(
        opener, "open", lambda *args: opened.append(args) or urllib.request.OpenerDirector.open(opener, *args)
    )
    urllib.request.install_opener(opener)
    ours.download_url(f"{server.url}/file.bin", os.fspath(tmp_path))
    assert len(opened) == 1
