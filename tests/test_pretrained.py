"""Pretrained models: whole ones of the right hash only, converted once, and no code out of a wheel or a hub."""

import hashlib
import json
import threading
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from helpers.course import pretrained, sources
from helpers.course.errors import CourseError

WEIGHTS = b"weights" * 100


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def a_wheel(path: Path, files: dict[str, bytes]) -> sources.Source:
    """A wheel with data, and with code that must never run."""
    name = path.name.split("-")[0]
    with zipfile.ZipFile(path, "w") as bundle:
        for file, content in {f"{name}/__init__.py": b"raise SystemExit", **files}.items():
            bundle.writestr(file, content)
        info = f"{name}-1.0.dist-info"
        bundle.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        bundle.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        bundle.writestr(f"{info}/RECORD", "")
    return sources.Source("the package index", f"pip:{name}==1.0", sha256(path.read_bytes()), path.name)


@pytest.fixture
def shelf(tmp_path, monkeypatch, cache):
    """A folder of wheels in place of the package index."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def whole(shelf, monkeypatch):
    """A model in one wheel, as MiniLM comes."""
    inside = {"smallbert/model/config.json": b"{}", "smallbert/model/model.safetensors": WEIGHTS}
    wheel = a_wheel(shelf / "smallbert-1.0-py3-none-any.whl", inside)
    names = ("config.json", "model.safetensors")
    unpack = partial(pretrained.unpack_folder, inside="smallbert/model", names=names, weights=sha256(WEIGHTS))
    monkeypatch.setitem(pretrained.MODELS, "minilm", pretrained.Pretrained("A licence.", (wheel,), unpack))
    return shelf / wheel.file


@pytest.fixture
def parted(shelf, monkeypatch):
    """A model in two parts, as Gemma comes; joining stands for the conversion, which Gemma itself is the test of."""
    parts = [
        a_wheel(shelf / f"part{k}-1.0-py3-none-any.whl", {f"part{k}/data/x.gguf.part0{k}": WEIGHTS[k::2]})
        for k in (0, 1)
    ]

    def unpack(paths: list[Path], folder: Path) -> None:
        (folder / "joined").write_bytes(
            b"".join(zipfile.ZipFile(p).read(f"part{k}/data/x.gguf.part0{k}") for k, p in enumerate(paths))
        )

    monkeypatch.setitem(pretrained.MODELS, "gemma", pretrained.Pretrained("Terms.", tuple(parts), unpack))
    return [shelf / part.file for part in parts]


def test_a_wheel_becomes_a_folder_once(whole, cache):
    folder = pretrained.model_folder("minilm")
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS and pretrained.is_cached("minilm")
    assert not list(cache.glob("*.whl")) and not list(cache.glob("models/*.half"))
    whole.unlink()  # from now on nobody delivers
    assert pretrained.model_folder("minilm") == folder


def test_a_folder_that_was_changed_is_made_anew(whole):
    weights = pretrained.model_folder("minilm") / "model.safetensors"
    weights.write_bytes(WEIGHTS[:-1])
    assert (pretrained.model_folder("minilm") / "model.safetensors").read_bytes() == WEIGHTS
    weights.write_bytes(WEIGHTS[:-1])
    whole.unlink()
    with pytest.raises(CourseError, match=r"part 1 of 1, smallbert-1.0-py3-none-any.whl, was not delivered"):
        pretrained.model_folder("minilm")


def test_other_weights_are_refused_and_nothing_is_kept(whole, cache, monkeypatch):
    unpack = partial(pretrained.MODELS["minilm"].unpack, weights="0" * 64)
    model = pretrained.Pretrained("A licence.", pretrained.MODELS["minilm"].parts, unpack)
    monkeypatch.setitem(pretrained.MODELS, "minilm", model)
    with pytest.raises(CourseError, match=r"model\.safetensors is not the file that was asked for"):
        pretrained.model_folder("minilm")
    assert not pretrained.is_cached("minilm") and not list(cache.glob("models/*.half"))


def test_a_part_of_another_hash_is_not_delivered(parted, cache):
    a_wheel(parted[1], {"part1/data/x.gguf.part01": b"something else"})
    with pytest.raises(CourseError, match=r"part 2 of 2, .*the file's hash is not the expected one"):
        pretrained.model_folder("gemma")
    assert not pretrained.is_cached("gemma")


def test_a_missing_part_is_named_with_what_to_do(parted):
    parted[1].unlink()
    with pytest.raises(CourseError, match=r"gemma is not in the cache .* part 2 of 2, part1-.*run `make data`"):
        pretrained.model_folder("gemma")


def test_parts_are_joined_in_order(parted):
    assert (pretrained.model_folder("gemma") / "joined").read_bytes() == WEIGHTS[0::2] + WEIGHTS[1::2]


def test_a_cut_gguf_is_refused(tmp_path, shelf):
    terms = a_wheel(shelf / "terms-1.0-py3-none-any.whl", {"terms/data/NOTICE.md": b"terms"})
    part = a_wheel(shelf / "cut-1.0-py3-none-any.whl", {"cut/data/x.gguf.part00": WEIGHTS[:50]})
    paths = [shelf / source.file for source in (terms, part)]
    with pytest.raises(CourseError, match=r"joined\.gguf is not the file that was asked for"):
        pretrained.convert_gguf(paths, tmp_path, terms=("NOTICE.md",), weights=sha256(WEIGHTS))


def test_two_that_ask_at_once_convert_once(whole, monkeypatch):
    made, make = [], pretrained._make
    monkeypatch.setattr(pretrained, "_make", lambda *asked: made.append(asked) or make(*asked))
    both = [threading.Thread(target=pretrained.model_folder, args=["minilm"]) for _ in range(3)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(made) == 1 and pretrained.is_cached("minilm")


def test_the_command_says_what_lies_where_and_what_failed(whole, parted, capsys):
    parted[0].unlink()
    assert pretrained.main() == 1
    said = capsys.readouterr()
    assert "A licence." in said.out and "part 1 of 2" in said.err


def test_names_that_are_none_are_refused():
    with pytest.raises(CourseError, match="there is no model 'bert': name one of minilm, gemma, a folder"):
        pretrained.model_folder("bert")


# A hub on this machine

FILES = {
    "config.json": b"{}",
    "model.safetensors": WEIGHTS,
    "evil.py": b"raise SystemExit",
    "pytorch_model.bin": b"pickle",
}
COMMIT = "a" * 40


@pytest.fixture
def hub(monkeypatch, cache):
    """Serves one small model as a hub does; `hub.asked` counts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self, body: bool = True):
            self.server.asked += 1
            path = self.path.split("?")[0]
            content, headers = None, {"X-Repo-Commit": COMMIT}
            if path.startswith("/api/models/somebody/small/tree/"):
                tree = [
                    {"type": "file", "path": name, "size": len(content), "oid": sha256(content)[:40]}
                    for name, content in FILES.items()
                ]
                content = json.dumps(tree).encode()
            elif path.startswith("/api/models/somebody/small"):
                siblings = [{"rfilename": name} for name in FILES]
                content = json.dumps({"id": "somebody/small", "sha": COMMIT, "siblings": siblings}).encode()
            elif path.startswith(f"/somebody/small/resolve/{COMMIT}/"):
                content = FILES[path.rsplit("/", 1)[1]]
                headers["ETag"] = f'"{sha256(content)}"'
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def do_HEAD(self):
            self.do_GET(body=False)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()


def test_a_model_of_a_hub_comes_without_code_and_pickles_and_once(hub):
    folder = pretrained.model_folder("somebody/small")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    asked = hub.asked
    assert pretrained.model_folder("somebody/small") == folder and hub.asked == asked


def test_a_model_that_the_hub_does_not_have_is_named(hub):
    with pytest.raises(CourseError, match=r"nobody/nothing is not in the cache .*the hub did not deliver it"):
        pretrained.model_folder("nobody/nothing")
