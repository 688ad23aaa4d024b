"""Local files told apart by their content, for sources that change under an equal size and time (`--rehash`).

A file's time and size are free to ask and miss a change that keeps both (a restored backup, a tool that sets times). The digest
of its content misses nothing and costs one reading, about a second a gigabyte and processor. So digests are taken when asked
for; from then on a run into the same folder uses them, and takes one again where time or size changed.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from pipeline.core import sealed
from pipeline.core.store import WORK, Store
from pipeline.ingest.files import InputFile


def by_content(store: Store, source: str, files: Sequence[InputFile], again: bool) -> list[InputFile]:
    """The files with the digest of their content as version, when the run folder holds digests of this source or `again` asks
    to take them all. Remote files keep their version: object stores give one that follows the content.
    """
    path = f"{WORK}/contents/{source}.json"
    known: dict[str, list[str]] = (sealed.read(store, path) or {}).get("files", {})
    if not known and not again:
        return list(files)

    def digest(file: InputFile) -> list[str]:
        before = known.get(file.path)
        if before and before[0] == file.version and not again:
            return before
        try:
            with open(file.url, "rb") as opened:
                return [file.version, hashlib.file_digest(opened, "sha256").hexdigest()]
        except OSError:  # a file that cannot be read gets its row in the account of files
            return [file.version, file.version]

    local = [file for file in files if "://" not in file.url]
    with ThreadPoolExecutor() as pool:  # hashing lets other threads run
        now = dict(zip((file.path for file in local), pool.map(digest, local), strict=True))
    if now != known:
        sealed.write(store, path, {"files": now})
    return [replace(file, version=now[file.path][1]) if file.path in now else file for file in files]
