"""The cache: bounded, hashed, and a miss whatever happens to its file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from posi.posi_core.cache import Cache


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "rewrites.sqlite3"


def test_put_get_survives_reopening(path):
    Cache(path).put({"a": [1, 2]}, "verdict", "text")
    assert Cache(path).get("verdict", "text") == {"a": [1, 2]}
    assert Cache(path).get("verdict", "other") is None


def test_parts_of_a_key_do_not_run_together(path):
    cache = Cache(path)
    cache.put({"a": 1}, "ab", "c")
    assert cache.get("a", "bc") is None


def test_no_raw_prompt_unless_asked(path):
    prompt = "a very recognisable sentence"
    cache = Cache(path)
    cache.put({"a": 1}, prompt, prompt=prompt)
    cache.close()
    assert all(prompt.encode() not in file.read_bytes() for file in path.parent.iterdir())
    opted_in = Cache(path, keep_prompts=True)
    opted_in.put({"a": 1}, prompt, prompt=prompt)
    opted_in.close()
    assert prompt.encode() in path.read_bytes()


def test_odd_text(path):
    cache = Cache(path, keep_prompts=True)
    cache.put({"a": 1}, "lone \ud800 surrogate \x00", prompt="lone \ud800")
    assert cache.get("lone \ud800 surrogate \x00") == {"a": 1}


def test_bounded_oldest_first(path):
    cache = Cache(path, limit=3)
    for number in range(6):
        cache.put({"n": number}, str(number))
        time.sleep(0.002)
    assert len(cache) == 3
    assert [cache.get(str(number)) for number in range(6)] == [None] * 3 + [{"n": 3}, {"n": 4}, {"n": 5}]


def test_a_row_that_was_changed_is_a_miss(path):
    cache = Cache(path)
    cache.put({"text": "safe"}, "key")
    cache.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE results SET payload = replace(payload, 'safe', 'toxic')")
    db.close()
    assert Cache(path).get("key") is None


@pytest.mark.parametrize("damage", [b"", b"not a database", b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_damaged_file_is_begun_anew(path, damage):
    cache = Cache(path)
    cache.put({"a": 1}, "key")
    cache.close()
    path.write_bytes(damage)
    again = Cache(path)
    assert again.get("key") is None
    again.put({"a": 2}, "key")
    assert again.get("key") == {"a": 2}


def test_damage_under_an_open_cache(path):
    cache = Cache(path)
    for number in range(200):
        cache.put({"n": "x" * 500}, str(number))
    cache.close()
    data = bytearray(path.read_bytes())
    data[4096:-4096] = b"\x5a" * (len(data) - 8192)
    path.write_bytes(bytes(data))
    for number in range(200):
        assert cache.get(str(number)) in (None, {"n": "x" * 500})
    cache.put({"a": 1}, "key")
    assert cache.get("key") in (None, {"a": 1})


def test_disk_full_keeps_the_old_file(path):
    cache = Cache(path)
    cache.put({"a": 1}, "key")
    db = cache._open()
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    cache.put({"big": "x" * 100_000}, "other")
    assert Cache(path).get("key") == {"a": 1}
    assert Cache(path).get("other") is None


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file" / "cache.sqlite3")
    cache.put({"a": 1}, "key")
    assert cache.get("key") is None
    assert len(cache) == 0


def test_many_threads(path):
    cache = Cache(path)

    def work(number):
        for i in range(20):
            cache.put({"n": i}, str(number), str(i))
            assert cache.get(str(number), str(i)) == {"n": i}

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache) == 160


def test_killed_while_writing(path):
    code = (
        "import sys, itertools\nfrom pathlib import Path\nfrom posi.posi_core.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1]))\ncache.put({'a': 1}, 'first')\nprint('go', flush=True)\n"
        "for n in itertools.count():\n    cache.put({'n': 'x' * 2000}, str(n))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.2)
    process.kill()
    process.wait()
    process.stdout.close()
    assert Cache(path).get("first") == {"a": 1}


def test_clear(path):
    cache = Cache(path)
    cache.put({"a": 1}, "key")
    cache.clear()
    assert len(cache) == 0
