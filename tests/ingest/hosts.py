"""Fifty hosts on loopback addresses (127.0.7.1, 127.0.7.2, …) behind one port: good ones, and one of each bad kind."""

import asyncio
import contextlib
import gzip
import threading
from collections import Counter

PAGES = 12
GOOD = [f"127.0.7.{number}" for number in range(1, 36)]
ODD = {
    "drip_head": "127.0.7.36", "drip_robots": "127.0.7.37", "continues": "127.0.7.38", "extension": "127.0.7.39",
    "endless": "127.0.7.40", "hang": "127.0.7.41", "redirect_loop": "127.0.7.42", "inside": "127.0.7.43", "busy": "127.0.7.44",
    "delay": "127.0.7.45", "rate": "127.0.7.46", "location": "127.0.7.47", "calendar": "127.0.7.48", "noise": "127.0.7.49",
    "robots_loop": "127.0.7.50", "robots_packed": "127.0.7.51", "robots_busy": "127.0.7.52", "robots_cut": "127.0.7.53",
    "map_moved": "127.0.7.54",
}  # fmt: skip
KIND = {address: kind for kind, address in ODD.items()}


class Hosts:
    """The server, in a thread; `asked` counts requests by host and path, `most` the connections one host had at once."""

    def __init__(self, answer_s=0.0, canary=""):
        self.asked, self.most, self.fields = Counter(), Counter(), {}
        self._answer_s, self._canary, self._open = answer_s, canary, Counter()
        self._events = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        started.wait()

    def _serve(self, started):
        asyncio.set_event_loop(self._events)
        server = self._events.run_until_complete(asyncio.start_server(self._talk, "0.0.0.0", 0, backlog=256))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._events.run_forever()
        server.close()

    def close(self):
        self._events.call_soon_threadsafe(self._events.stop)
        self._thread.join()

    def name(self, address):
        return f"{address}:{self.port}"

    async def _talk(self, reader, writer):
        address = writer.get_extra_info("sockname")[0]
        self._open[address] += 1
        self.most[address] = max(self.most[address], self._open[address])
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                path = head.split(" ", 2)[1]
                self.asked[address, path] += 1
                self.fields[address, path] = head
                if self._answer_s:
                    await asyncio.sleep(self._answer_s)
                await self._answer(writer, address, path, head)
                await writer.drain()
        self._open[address] -= 1
        writer.close()

    async def _answer(self, writer, address, path, head):
        kind = KIND.get(address, "good")
        odd = getattr(self, f"_{kind}", None)
        if odd is not None and await odd(writer, path) is not False:
            return
        if path == "/robots.txt":
            send(
                writer,
                f"User-agent: *\nDisallow: /private\nSitemap: http://{self.name(address)}/map.xml\n".encode(),
                "text/plain",
            )
        elif path == "/map.xml":
            send(
                writer,
                f"<sitemapindex><sitemap><loc>http://{self.name(address)}/part.xml.gz</loc></sitemap></sitemapindex>".encode(),
                "application/xml",
            )
        elif path == "/part.xml.gz":
            entries = f"<url><loc>http://{self.name(address)}/p0</loc></url><url><loc>/old</loc><lastmod>2001-01-01</lastmod></url>"
            send(writer, gzip.compress(f"<urlset>{entries}</urlset>".encode(), mtime=0), "application/gzip")
        elif path.startswith("/p") and path[2:].isdigit():
            number, host = int(path[2:]), int(address.rpartition(".")[2])
            following = [f"<a href='/p{(number * 2 + step) % PAGES}'>n</a>" for step in (1, 2)]
            other = f"<a href='http://127.0.7.{host % 35 + 1}:{self.port}/p{number % 3}'>o</a><a href='http://{self._canary}/'>c</a>"
            if 'If-None-Match: "1"' in head:
                writer.write(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')
            else:
                body = f"<html><p>page {number} of host {host}</p>{''.join(following)}{other}<a href='/private/x'>p</a></html>"
                send(writer, body.encode(), "text/html", ETag='"1"')
        else:
            send(writer, b"none", "text/html", status="404 Not Found")

    async def _drip(self, writer, lead, piece):
        writer.write(lead)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)

    async def _drip_head(self, writer, path):
        if path == "/robots.txt":
            return False
        await self._drip(writer, b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a")

    async def _drip_robots(self, writer, path):
        await self._drip(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nUser-agent: *\n", b"#")

    async def _continues(self, writer, path):
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
            await writer.drain()

    async def _extension(self, writer, path):
        if path == "/robots.txt":
            return False
        await self._drip(
            writer, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"x"
        )

    async def _endless(self, writer, path):
        if path == "/robots.txt":
            return False
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<p>")
        while True:
            writer.write(b"word " * 10_000)
            await writer.drain()

    async def _hang(self, writer, path):
        await asyncio.sleep(3600)

    async def _redirect_loop(self, writer, path):
        if path == "/robots.txt":
            return False
        number = int(path[2:] or 0) if path.startswith("/p") else 0
        send(writer, b"", "text/html", status="302 Found", Location=f"/p{(number + 1) % 3}")

    async def _inside(self, writer, path):
        if path == "/robots.txt":
            return False
        send(writer, b"", "text/html", status="302 Found", Location=f"http://{self._canary}/secret")

    async def _busy(self, writer, path):
        if path == "/robots.txt" or self.asked[ODD["busy"], path] > 1:
            return False
        send(writer, b"later", "text/html", status="429 Too Many Requests", **{"Retry-After": "0"})

    async def _delay(self, writer, path):
        send(writer, b"User-agent: *\nCrawl-delay: 1e300\n", "text/plain")

    async def _rate(self, writer, path):
        send(writer, b"User-agent: *\nRequest-rate: 1/" + b"9" * 400 + b"d\n", "text/plain")

    async def _location(self, writer, path):
        if path == "/robots.txt":
            return False
        send(writer, b"", "text/html", status="302 Found", Location="http://[bad/")

    async def _calendar(self, writer, path):
        if path == "/robots.txt":
            return False
        year, month = 2020 + len(path) % 2, self.asked.total() % 12 + 1
        links = f"<a href='{path.split('?')[0]}/a/b'>x</a><a href='/calendar?m={year + 900}-{month:02d}'>m</a>"
        links += "".join(f"<a href='/q?n={self.asked.total()}{number}'>q</a>" for number in range(50))
        send(writer, f"<p>day of {path}{links}".encode(), "text/html")

    async def _noise(self, writer, path):
        writer.write(b"\x00\x01\x02 no http at all\r\n\r\n")
        writer.close()

    async def _robots_packed(self, writer, path):
        if path != "/robots.txt":
            return False
        body = gzip.compress(b"User-agent: *\nDisallow: /p\n")
        send(writer, body, "text/plain", **{"Content-Encoding": "gzip"})

    async def _robots_busy(self, writer, path):
        if path != "/robots.txt" or self.asked[ODD["robots_busy"], path] > 2:
            return False
        send(writer, b"", "text/plain", status="503 Later", **{"Retry-After": "0"})

    async def _robots_cut(self, writer, path):
        if path != "/robots.txt":
            return False
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nUser-agent: *\n")
        writer.close()

    async def _map_moved(self, writer, path):
        if path != "/map.xml":
            return False
        send(writer, b"", "text/html", status="301 Moved", Location="/part.xml.gz")

    async def _robots_loop(self, writer, path):
        send(writer, b"", "text/plain", status="301 Moved", Location=f"http://{self._canary}/robots.txt")


def send(writer, body, kind, status="200 OK", **fields):
    lines = {"Content-Type": kind, "Content-Length": str(len(body)), **fields}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)
