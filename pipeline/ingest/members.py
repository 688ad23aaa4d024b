"""A file inside another: a member of an archive or an attachment, read by its own kind, or quarantined with the reason."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from pipeline.ingest.content import HEAD, content_of
from pipeline.ingest.files import matches, unknown_text
from pipeline.ingest.kinds import kind_of_name
from pipeline.ingest.readers import read_stream
from pipeline.ingest.record import Record, Where
from pipeline.ingest.streams import peekable

MAX_DEPTH = 2
"""Archives inside archives that are opened."""


_HIDDEN = re.compile(r"\.[^./]|__MACOSX$")
"""Folders and files that no listing shows, and what macOS adds to every zip."""


def read_member(stream: BinaryIO, name: str, size: int, where: Where) -> Iterator[Record]:
    """The records of one member. `exclude` and `members` choose; what they leave out is counted, and what is hidden.

    Quarantined: `empty` members, a name that leads out of the archive (`unsafe_name`), archives too deep inside others
    (`nested_archive`), and members of a kind that is not read (`not_read`).
    """
    source, name = where.source, name.removeprefix("./")
    if any(matches(name, glob) for glob in source.exclude) or (
        source.members and not any(matches(name, glob) for glob in source.members)
    ):
        where.tally.skip("member_excluded")
        return
    if not source.members and any(_HIDDEN.match(part) for part in name.split("/")):
        where.tally.skip("member_hidden")
        return
    if size == 0:  # told before anything is opened: archives can hold a million
        yield where.bad("empty", "the member has no bytes", f"member={name}", key=name)
        return
    inside = replace(
        where,
        name=name,
        size=size,
        prefix=where.locator(f"member={name}"),
        source=source.model_copy(update={"kind": "auto"}),
    )
    if name.startswith("/") or ".." in posixpath.normpath(name).split("/"):
        yield inside.bad("unsafe_name", "the member's name leads out of the archive", "", key=name)
        return
    opened = peekable(stream)
    content = content_of(opened.peek(HEAD)[:HEAD], name)
    if content in ("tar", "zip", "7z") and inside.prefix.count("member=") > MAX_DEPTH:
        yield inside.bad(
            "nested_archive", f"more than {MAX_DEPTH} archives inside each other are not opened", "", key=name
        )
    elif kind_of_name(name) is None and content == "text" and posixpath.splitext(name)[1] and not source.members:
        yield inside.bad("not_read", unknown_text(name, "members"), "", key=name)
    else:
        yield from read_stream(opened, inside)
