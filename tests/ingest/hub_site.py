"""A server that speaks the part of the Hugging Face Hub's API that streaming a data set asks for: revision, tree, files by range."""

import hashlib
import http.server
import json
import re
import threading
from urllib.parse import unquote, urlsplit

SHA = "0123456789abcdef0123456789abcdef01234567"


class HubSite:
    """Serves `files` (path -> bytes) as the data sets `acme/notes`, `acme/busy` and `acme/away` at the revision `SHA`; `asked` are
    methods and paths. Of a data set, what `failures` says of its paths fails, each once."""

    def __init__(self, files, failures):
        self.files, self.asked, self.failures = files, [], failures
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                site.answer(self)

            do_HEAD = do_POST = do_GET

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(request.path).path)
        self.asked.append((request.command, path, request.headers.get("Range")))
        for name, left in self.failures.items():
            if left and f"/{name}/" in path and left[0] in path:
                left.pop(0)
                return self._send(request, 503, b"later")
        found = re.fullmatch(
            r"/(?:api/)?datasets/(acme/(?:notes|busy|away))/(revision|tree|paths-info|resolve)/([^/]+)/?(.*)", path
        )
        if found is None or found[3] != SHA:
            return self._send(request, 404, b"{}", {"X-Error-Code": "RevisionNotFound" if found else "RepoNotFound"})
        if found[2] == "revision":
            return self._json(request, self._info(found[1]))
        if found[2] == "tree":
            under = f"{found[4]}/" if found[4] else ""
            return self._json(request, [one for one in self._entries() if one["path"].startswith(under)])
        if found[2] == "paths-info":
            wanted = json.loads(body)["paths"]
            return self._json(request, [one for one in self._entries() if one["path"] in wanted])
        if found[4] not in self.files:
            return self._send(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
        return self._file(request, self.files[found[4]])

    def _info(self, name):
        siblings = [{"rfilename": name} for name in self.files]
        about = {"id": name, "sha": SHA, "private": False, "disabled": False, "gated": False, "tags": []}
        return about | {"lastModified": "2026-01-01T00:00:00.000Z", "downloads": 0, "likes": 0, "siblings": siblings}

    def _entries(self):
        folders = {name.rpartition("/")[0] for name in self.files} - {""}
        yield from ({"type": "directory", "oid": "d", "size": 0, "path": folder} for folder in sorted(folders))
        for name, data in self.files.items():
            yield {"type": "file", "oid": hashlib.sha1(data).hexdigest(), "size": len(data), "path": name}

    def _file(self, request, data):
        fields = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range") or "")
        if asked:
            start, end = int(asked[1]), min(int(asked[2] or len(data) - 1) + 1, len(data))
            fields["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
            return self._send(request, 206, data[start:end], fields)
        return self._send(request, 200, data, fields)

    def _json(self, request, value):
        self._send(request, 200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, request, status, body, fields=None):
        request.send_response(status)
        for name, value in ({"Content-Length": len(body)} | (fields or {})).items():
            request.send_header(name, str(value))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
