"""`torch.hub` against servers of our own: nothing here leaves the machine."""

import hashlib
import http.server
import inspect
import io
import pathlib
import subprocess
import sys
import threading
import warnings
import zipfile
from urllib.error import HTTPError, URLError

import pytest
import torch

import minitorch
from minitorch import hub
from minitorch.utils import model_zoo

DATA = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(DATA).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; cuts the connection after `server.cut` bytes; heeds a Range if `server.ranges`."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        data = self.server.files.get(self.path)
        if data is None:
            return self.send_error(404)
        start = 0
        if self.server.ranges and (wanted := self.headers.get("Range")):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start : self.server.cut])
        return None

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        server.files, server.asked, server.cut, server.ranges = {"/data.bin": DATA}, [], None, True
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(hub, "_hub_dir", None)
    return tmp_path / "hub"


def checkpoint():
    """A state_dict's file, as torch writes it."""
    file = io.BytesIO()
    torch.save({"weight": torch.arange(6.0).reshape(2, 3)}, file)
    return file.getvalue()


# ---------------------------------------------------------------- names
@pytest.mark.parametrize("name", torch.hub.__all__)
def test_signatures_are_torchs(name):
    theirs, ours = (inspect.signature(getattr(module, name)) for module in (torch.hub, hub))
    assert [(p.name, p.default, p.kind) for p in ours.parameters.values()] == [
        (p.name, p.default, p.kind) for p in theirs.parameters.values()
    ]


def test_all_names_torchs():
    assert sorted(hub.__all__) == sorted(torch.hub.__all__)
    assert minitorch.hub is hub and minitorch.utils.model_zoo is model_zoo
    assert model_zoo.load_url is hub.load_state_dict_from_url and model_zoo.tqdm is hub.tqdm


def test_the_folder_is_torchs(monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "_hub_dir", None)
    for variables in ({}, {"XDG_CACHE_HOME": "/x"}, {"XDG_CACHE_HOME": "/x", "TORCH_HOME": "~/y"}):
        for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert hub.get_dir() == torch.hub.get_dir()
    hub.set_dir(tmp_path)
    assert hub.get_dir() == str(tmp_path)


def test_the_old_variable_is_warned_of(monkeypatch, home):
    monkeypatch.setenv("TORCH_HUB", "1")
    for module in (torch.hub, hub):
        with pytest.warns(UserWarning, match="TORCH_HUB is deprecated, please use env TORCH_HOME instead"):
            module.get_dir()


# ---------------------------------------------------------------- downloads
def test_a_file_arrives_and_nothing_else(server, tmp_path):
    hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"), DIGEST[:8], progress=False)
    assert (tmp_path / "a").read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_a_file_url_is_copied(tmp_path):
    (tmp_path / "from").write_bytes(DATA)
    hub.download_url_to_file((tmp_path / "from").as_uri(), str(tmp_path / "to"), progress=False)
    assert (tmp_path / "to").read_bytes() == DATA


def test_a_wrong_hash_is_refused_in_torchs_words(server, tmp_path):
    messages = []
    for module in (torch.hub, hub):
        with pytest.raises(RuntimeError) as error:
            module.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"), "00000000", progress=False)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert not list(tmp_path.iterdir())


def test_a_cut_download_is_continued(server, tmp_path):
    server.cut = 100_000
    with pytest.raises(URLError, match="cut after 100000 of 512000 bytes"):
        hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"), DIGEST, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial"]
    server.cut = None
    hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"), DIGEST, progress=False)
    assert server.asked == [("/data.bin", None), ("/data.bin", "bytes=100000-")]
    assert (tmp_path / "a").read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_server_that_cannot_continue_sends_all(server, tmp_path):
    server.ranges = False
    (tmp_path / "a.partial").write_bytes(DATA[:1000])
    hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"), DIGEST, progress=False)
    assert (tmp_path / "a").read_bytes() == DATA


def test_what_was_kept_may_be_whole_already(server, tmp_path):
    (tmp_path / "a.partial").write_bytes(DATA)
    hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"), DIGEST, progress=False)
    assert (tmp_path / "a").read_bytes() == DATA


def test_what_was_kept_of_another_file_is_not_used_twice(server, tmp_path):
    (tmp_path / "a.partial").write_bytes(b"x" * 1000)
    with pytest.raises(RuntimeError, match="invalid hash value"):
        hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"), DIGEST, progress=False)
    hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"), DIGEST, progress=False)
    assert (tmp_path / "a").read_bytes() == DATA


def test_without_a_hash_nothing_is_kept(server, tmp_path):
    server.cut = 1000
    with pytest.raises(URLError, match="cut after"):
        hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"), progress=False)
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_named(server, tmp_path):
    with pytest.raises(HTTPError, match=f"HTTP Error 404: Not Found, for {server.url}/none"):
        hub.download_url_to_file(f"{server.url}/none", str(tmp_path / "a"), progress=False)
    assert not list(tmp_path.iterdir())


def test_no_network_says_where_a_copy_is_looked_for(home, server):
    url = f"http://127.0.0.1:{server.server_port}/x-00.pth"
    server.shutdown()
    server.server_close()
    with pytest.raises(
        URLError, match=f"{url} cannot be reached; a copy put at {home}/checkpoints/x-00.pth would be used"
    ):
        hub.load_state_dict_from_url(url)


def test_progress_is_shown_without_tqdm(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hub, "tqdm", hub._Progress)
    hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "a"))
    shown = capsys.readouterr().err
    assert shown.startswith("\r25.6%") and shown.endswith("100.0%\n")
    hub.download_url_to_file(f"{server.url}/data.bin", str(tmp_path / "b"), progress=False)
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------- state_dicts
def test_a_state_dict_is_downloaded_once(home, server, capsys):
    data = checkpoint()
    name = f"net-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    server.files[f"/{name}?x=1"] = data
    for _ in range(2):
        state = hub.load_state_dict_from_url(f"{server.url}/{name}?x=1", progress=False, check_hash=True)
        assert state["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert len(server.asked) == 1
    assert capsys.readouterr().out == f'Downloading: "{server.url}/{name}?x=1" to {home}/checkpoints/{name}\n'


def test_what_torch_downloaded_is_found(home, server):
    server.files["/net.pth"] = checkpoint()
    torch.hub.load_state_dict_from_url(f"{server.url}/net.pth", progress=False)
    state = hub.load_state_dict_from_url("http://elsewhere/net.pth", map_location="cpu", weights_only=True)
    assert state["weight"].shape == (2, 3)


def test_a_file_name_may_be_given(home, tmp_path, server):
    server.files["/net.pth"] = checkpoint()
    hub.load_state_dict_from_url(f"{server.url}/net.pth", str(tmp_path / "m"), progress=False, file_name="other.pth")
    assert (tmp_path / "m" / "other.pth").exists()


def test_a_zipped_file_is_unpacked(home, server):
    inner, outer = io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.ones(2)}, inner, _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("inner.pth", inner.getvalue())
    server.files["/net.zip"] = outer.getvalue()
    for module in (torch.hub, hub):
        with pytest.warns(FutureWarning, match="Falling back to the old format < 1.6"):
            assert module.load_state_dict_from_url(f"{server.url}/net.zip", progress=False)["a"].tolist() == [1, 1]


@pytest.mark.parametrize("name", ["../out.pth", "/out.pth", "a/../../out.pth", "C:/out.pth", "..\\out.pth"])
def test_a_member_that_leads_out_is_refused(home, server, name):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    server.files["/net.zip"] = data.getvalue()
    for module in (torch.hub, hub):
        with warnings.catch_warnings(), pytest.raises(ValueError, match="Archive entry"):
            warnings.simplefilter("ignore")
            module.load_state_dict_from_url(f"{server.url}/net.zip", progress=False)


# ---------------------------------------------------------------- repositories
HUBCONF = '''
dependencies = ["json"]
from helper import two

def net(a, b=1):
    """A net."""
    return a, b, two

def _hidden():
    pass
'''


def write_repository(folder):
    folder.mkdir()
    (folder / "hubconf.py").write_text(HUBCONF)
    (folder / "helper.py").write_text("two = 2\n")


@pytest.fixture
def forgotten():
    yield
    sys.modules.pop("helper", None)


def test_a_folder_is_loaded(tmp_path, forgotten):
    write_repository(tmp_path / "repo")
    before = list(sys.path)
    assert hub.load(str(tmp_path / "repo"), "net", 5, b=6, source="local") == (5, 6, 2)
    assert sys.path == before


@pytest.mark.parametrize(
    ("conf", "model", "source"),
    [
        ("", "net", "local"),
        ("net = 3", "net", "local"),
        ("dependencies = ['no_such_a', 'json', 'no_such_b']", "net", "local"),
        ("", 3, "local"),
        ("", "net", "gitlab"),
    ],
)
def test_errors_are_torchs(tmp_path, conf, model, source):
    (tmp_path / "hubconf.py").write_text(conf)
    messages = []
    for module in (torch.hub, hub):
        with pytest.raises((RuntimeError, ValueError)) as error:
            module.load(str(tmp_path), model, source=source)
        messages.append((type(error.value), str(error.value)))
    assert messages[0] == messages[1]


@pytest.fixture
def github(server, monkeypatch):
    """A repository `me/repo` with the branch main and the tag v1."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("me-repo-abc/", "")
        archive.writestr("me-repo-abc/hubconf.py", HUBCONF)
        archive.writestr("me-repo-abc/helper.py", "two = 2\n")
    branches, tags = b'[{"name": "main", "commit": {"sha": "0123abc"}}]', b'[{"name": "v1", "commit": {"sha": "77"}}]'
    api = "/repos/me/repo"
    server.files.update(
        {
            "/me/repo/tree/main/": b"",
            "/me/repo/zipball/main": data.getvalue(),
            "/me/repo/zipball/v1": data.getvalue(),
            f"{api}/branches?per_page=100&page=1": branches,
            f"{api}/branches?per_page=100&page=2": b"[]",
            f"{api}/tags?per_page=100&page=1": tags,
            f"{api}/tags?per_page=100&page=2": b"[]",
        }
    )
    monkeypatch.setattr(hub, "_GITHUB", server.url)
    monkeypatch.setattr(hub, "_GITHUB_API", server.url)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    return server


def test_a_repository_is_downloaded_once(home, github, forgotten, capsys):
    assert hub.load("me/repo", "net", 1, trust_repo=True) == (1, 1, 2)
    assert "Downloading" in capsys.readouterr().out
    assert hub.load("me/repo:main", "net", 2) == (2, 1, 2)
    assert capsys.readouterr().err == f"Using cache found in {home}/me_repo_main\n"
    assert sum("zipball" in path for path, _ in github.asked) == 1
    assert hub.list("me/repo:main", verbose=False) == ["net"]
    assert hub.help("me/repo:main", "net") == "A net."
    assert sorted(path.name for path in home.iterdir()) == ["me_repo_main", "trusted_list"]
    assert (home / "trusted_list").read_text() == "me_repo\n"


def test_a_tag_and_a_commit_are_found_and_a_fork_is_not(home, github, forgotten):
    assert hub.load("me/repo:v1", "net", 1, trust_repo=True) == (1, 1, 2)
    hub._validate_not_a_forked_repo("me", "repo", "0123")
    with pytest.raises(ValueError, match="Cannot find ffff in"):
        hub.load("me/repo:ffff", "net", 1, trust_repo=True)


def test_strangers_are_asked_about(home, github, monkeypatch, forgotten):
    questions = []
    for answer, error in (("", "Untrusted repository."), ("what", "Unrecognized response what.")):
        monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or answer)
        with pytest.raises(Exception, match=error):
            hub.load("me/repo", "net", 1)
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or "Y")
    assert hub.load("me/repo", "net", 1) == (1, 1, 2)
    hub.load("me/repo", "net", 1)  # trusted by now
    assert len(questions) == 3 and questions[0].startswith("The repository me_repo does not belong to the list of")


def test_without_network_the_cache_serves(home, github, forgotten):
    hub.load("me/repo", "net", 1, trust_repo=True)
    github.shutdown()
    github.server_close()
    assert hub.load("me/repo", "net", 3, verbose=False) == (3, 1, 2)
    with pytest.raises(RuntimeError, match="no internet connection and the repo could not be found in the cache"):
        hub.load("me/other", "net")
    with pytest.raises(URLError, match="me/other:v1 is not in the cache"):
        hub.load("me/other:v1", "net", trust_repo=True)


def test_a_token_that_is_refused_is_left_out(home, github, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    real, sent = hub.urlopen, []

    def urlopen(request):
        sent.append(request.get_header("Authorization"))
        if sent[-1]:
            raise HTTPError(request.full_url, 401, "Unauthorized", {}, io.BytesIO())
        return real(request)

    monkeypatch.setattr(hub, "urlopen", urlopen)
    hub._validate_not_a_forked_repo("me", "repo", "main")
    assert sent == ["token secret", None]


def test_importing_minitorch_leaves_hub_alone():
    code = "import sys, minitorch; assert 'minitorch.hub' not in sys.modules; minitorch.hub.get_dir"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=pathlib.Path(__file__).parents[1])
