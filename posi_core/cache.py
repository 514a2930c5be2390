"""Results kept on disk: a small SQLite file that may be lost at any time and never makes anything less safe.

Keys are keyed hashes of the prompt, so the file holds no raw prompt (unless `keep_prompts` asks for a column
of them). Every row carries a checksum: a damaged row is a miss. A damaged file is thrown away and begun anew;
a full disk, a locked file or a read-only folder make every call a miss, and what stood in the file stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LIMIT = 10_000
MAX_ROW_BYTES = 256 * 1024
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS results (
    key BLOB PRIMARY KEY, payload TEXT NOT NULL, checksum BLOB NOT NULL, written REAL NOT NULL, prompt TEXT
);
CREATE INDEX IF NOT EXISTS results_by_age ON results (written);
"""


class Cache:
    """Maps (parts of a key) to a JSON object. Safe for threads and for several processes.

    `limit`: rows kept, the oldest go first. `keep_prompts`: also store the raw prompt, in clear. Nothing here
    raises for a fault of the file or the disk; `get` answers None and `put` does nothing.
    """

    def __init__(self, path: Path, *, limit: int = LIMIT, keep_prompts: bool = False) -> None:
        self.path = path
        self.limit = limit
        self.keep_prompts = keep_prompts
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._salt = b""

    def get(self, *key: str) -> dict[str, Any] | None:
        """What was put under this key, or None."""
        with self._lock, self._guarded():
            db = self._open()
            digest = self._digest(key)
            row = db.execute("SELECT payload, checksum FROM results WHERE key = ?", (digest,)).fetchone()
            if row is None:
                return None
            if not isinstance(row[0], str) or not isinstance(row[1], bytes):
                return None
            if not hmac.compare_digest(self._checksum(digest, row[0]), row[1]):
                return None
            payload = json.loads(row[0])
            return payload if isinstance(payload, dict) else None
        return None

    def put(self, payload: Mapping[str, Any], *key: str, prompt: str = "") -> None:
        """Store a JSON object; rows over the limit are removed, oldest first."""
        text = json.dumps(payload)
        if len(text) > MAX_ROW_BYTES:
            return
        with self._lock, self._guarded():
            db = self._open()
            digest = self._digest(key)
            kept = _clean(prompt) if self.keep_prompts and prompt else None
            with db:
                db.execute(
                    "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)",
                    (digest, text, self._checksum(digest, text), time.time(), kept),
                )
                db.execute(
                    "DELETE FROM results WHERE key IN (SELECT key FROM results ORDER BY written LIMIT "
                    "max(0, (SELECT count(*) FROM results) - ?))",
                    (self.limit,),
                )

    def __len__(self) -> int:
        with self._lock, self._guarded():
            return int(self._open().execute("SELECT count(*) FROM results").fetchone()[0])
        return 0

    def clear(self) -> None:
        """Forget everything."""
        with self._lock, self._guarded():
            db = self._open()
            with db:
                db.execute("DELETE FROM results")
            db.execute("VACUUM")

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            self._close()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Swallow faults of file and disk; a file that is no database of ours is removed."""
        try:
            yield
        except (sqlite3.OperationalError, OSError):
            self._close()  # full, locked, read-only: the file itself is sound
        except (sqlite3.Error, ValueError, TypeError):
            self._close()
            self._remove()

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._db = self._connect()
            except sqlite3.OperationalError:
                raise
            except (sqlite3.Error, ValueError):
                self._remove()
                self._db = self._connect()
        return self._db

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=1.0, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
            with db:
                db.execute("INSERT OR IGNORE INTO meta VALUES ('salt', ?)", (secrets.token_bytes(32),))
            salt = db.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()[0]
            if not isinstance(salt, bytes) or len(salt) != 32:
                raise ValueError("The cache's salt is damaged.")
        except BaseException:
            db.close()
            raise
        with contextlib.suppress(OSError):
            os.chmod(self.path, 0o600)
        self._salt = salt
        return db

    def _close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _digest(self, key: tuple[str, ...]) -> bytes:
        """Keyed BLAKE2b over the parts, each with its length, so that no two keys share their bytes."""
        digest = hashlib.blake2b(key=self._salt, digest_size=32)
        for part in key:
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
        return digest.digest()

    def _checksum(self, digest: bytes, payload: str) -> bytes:
        return hashlib.blake2b(digest + payload.encode(), key=self._salt, digest_size=16).digest()


def open_cache(where: bool | Path | Cache = True) -> Cache:
    """The cache at a path, or the user's own (POSI_CACHE_PROMPTS=1 in the environment keeps raw prompts in it)."""
    if isinstance(where, Cache):
        return where
    keep = os.environ.get("POSI_CACHE_PROMPTS") == "1"
    if isinstance(where, Path):
        return Cache(where, keep_prompts=keep)
    from .models import cache_dir

    return Cache(cache_dir() / "rewrites.sqlite3", keep_prompts=keep)


def _clean(prompt: str) -> str:
    """SQLite stores no lone surrogates."""
    return prompt.encode("utf-8", "replace").decode()
