"""The service itself, a house whose sirens are a JSON file: ``python -m reconciler_siren.service FILE PORT``."""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any


class House:
    """Sirens by id. One that sounds the same in the same room is the same siren: sounding it again changes it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()

    def sirens(self) -> list[dict[str, Any]]:
        return json.loads(self._file.read_text()) if self._file.exists() else []

    def sound(self, wanted: list[dict[str, Any]]) -> list[int]:
        with self._lock:
            sirens, ids = self.sirens(), []
            for siren in wanted:
                known = [
                    old
                    for old in sirens
                    if old["until"] is None
                    and all(old[key] == siren[key] for key in ("room", "sound"))
                    and old["labels"].get("reconciler_address") == siren["labels"].get("reconciler_address")
                ]
                if not known:
                    known = [{"id": len(sirens) + 1, "until": None}]
                    sirens += known
                known[0].update(siren)
                ids.append(known[0]["id"])
            self._file.write_text(json.dumps(sirens, indent=2))
            return ids

    def silence(self, ids: list[int]) -> list[int]:
        with self._lock:
            sirens = self.sirens()
            for siren in sirens:
                if siren["id"] in ids and siren["until"] is None:
                    siren["until"] = time.time_ns() // 1_000_000
            self._file.write_text(json.dumps(sirens, indent=2))
            return ids


def serve(file: Path, port: int = 0, token: str = "open-sesame") -> ThreadingHTTPServer:  # noqa: S107 - made up
    """A server on loopback that is ready to serve."""
    house = House(file)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            on = self.path.endswith("state=on")
            self._answer(lambda _: [siren for siren in house.sirens() if (siren["until"] is None) is on])

        def do_POST(self) -> None:
            if self.path == "/sound":
                self._answer(house.sound)
            else:
                self._answer(lambda items: house.silence([int(item["id"]) for item in items]))

        def _answer(self, work: Any) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null"
            allowed = self.headers.get("Authorization") == f"Bearer {token}"
            text = json.dumps(work(json.loads(body)) if allowed else {"error_msg": "wrong token"}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2])).serve_forever()
