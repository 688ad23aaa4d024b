"""A folder behind HTTP with ranges, as EDGAR and Common Crawl serve theirs; notes when each request came, and for what."""

import functools
import http.server
import re
import threading
import time
from urllib.parse import unquote, urlsplit


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, site, *arguments):
        self._site = site
        super().__init__(*arguments)

    def log_message(self, *_):
        pass

    def do_GET(self):
        with self._site.lock:
            self._site.asked.append((time.monotonic(), unquote(self.path), dict(self.headers)))
            failing = self._site.failures.pop(self.path, None)
        path = self._site.root / unquote(urlsplit(self.path).path).lstrip("/")
        answer = self._site.answers.get(unquote(self.path))
        if failing is not None:
            self._send(failing, b"not now", {"Retry-After": "0"})
        elif answer is not None:
            self._send(200, answer)
        elif not path.is_file():
            self._send(404, b"")
        elif asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            data, start, end = path.read_bytes(), int(asked[1]), int(asked[2]) + 1
            self._send(206, data[start:end], {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"})
        else:
            self._send(200, path.read_bytes())

    def _send(self, status, body, fields=None):
        self.send_response(status)
        for name, value in ({"Content-Length": len(body)} | (fields or {})).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


class FilesSite:
    def __init__(self, root):
        self.root, self.asked, self.answers, self.failures, self.lock = root, [], {}, {}, threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, self))
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def paths(self):
        return [path for _, path, _ in self.asked]

    def most_in_a_second(self):
        times = sorted(when for when, _, _ in self.asked)
        return max(sum(start <= when < start + 1 for when in times) for start in times)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
