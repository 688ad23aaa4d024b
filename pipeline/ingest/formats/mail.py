"""Mail: a message (.eml), a mailbox (.mbox), Outlook's .msg. The body is a record, attachments that can be read are others."""

import email
import email.policy
import io
import re
from collections.abc import Iterator
from email.errors import InvalidBase64LengthDefect
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

from pipeline.ingest.content import HEAD
from pipeline.ingest.encoding import decode_payload
from pipeline.ingest.kinds import source_kind
from pipeline.ingest.members import read_member
from pipeline.ingest.record import DamagedInputError, Record, Where

_HEADER = re.compile(rb"\A(?:From |[A-Za-z][A-Za-z0-9-]*:)")
_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:")
_ENVELOPE = re.compile(rb"From \S.*\d:\d\d.*")
"""The line before a message in a mailbox: a sender and a time."""
_SURE = re.compile(
    rb"^(?:received:\s*(?:from|by|\(qmail)\s|(?:delivered-to|return-path|envelope-to|x-original-to):.*[@>]|message-id:\s*<)",
    re.IGNORECASE | re.MULTILINE,
)
"""Fields that mail servers write, with a value of theirs: in a form, `Received: 3 May` is plain text."""
_FILLED_IN = frozenset(b"from to cc bcc subject date sender reply-to".split())
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/=\s]")
_ATTACHMENT = re.compile(r"__attach_version1\.0_#[0-9A-F]{8}")


def is_message(head: bytes, named: bool = False) -> bool:
    """Whether a file begins like a message: header fields only, some of them a message's own. Where the name says that it is one,
    a single field that people fill in is enough.

    >>> is_message(b"From: a@b.example\\nSubject: x\\nMIME-Version: 1.0\\n\\nHi"), is_message(b"From: Ann\\nTo: Bob\\n\\nHi")
    (True, False)
    """
    fields = {
        line.split(b":", 1)[0].lower()
        for line in head.split(b"\n\n")[0].split(b"\r\n\r\n")[0].splitlines()
        if b":" in line
    }
    is_draft = fields >= {b"mime-version", b"content-type"}  # without sender or date
    sent = b"from" in fields and fields & {b"date", b"mime-version"} and fields & {b"to", b"subject", b"message-id"}
    return bool(_HEADER.match(head)) and bool(is_draft or sent or _is_header(head, named))


def _is_header(head: bytes, named: bool = False) -> bool:
    """Whether it begins with two header fields at least and nothing else up to a blank line, one of them sure to be a message's.

    >>> _is_header(b"Delivered-To: a@b.example\\nSubject: x\\n\\nHi"), _is_header(b"Note: x\\nTodo: y\\n\\nHi")
    (True, False)
    """
    end = re.search(rb"\r?\n\r?\n", head)
    is_whole = len(head) < HEAD  # a header can be longer than what is looked at
    if end is None and is_whole and not named:
        return False
    block = head[: end.start()] if end else head if is_whole else head.rpartition(b"\n")[0]
    lines = block.splitlines()
    has_envelope = bool(lines and _ENVELOPE.match(lines[0]))
    lines = lines[has_envelope:]
    own = [line for line in lines if _FIELD.match(line)]
    if (
        len(own) < 2 - named
        or own[0] is not lines[0]
        or not all(_FIELD.match(line) or line[:1] in (b" ", b"\t") for line in lines)
    ):
        return False
    names = {line.split(b":", 1)[0].lower() for line in own}
    typed = b"content-type" in names and bool(names & {b"subject", b"from", b"to"})
    return has_envelope or typed or bool(_SURE.search(block)) or (named and bool(names & _FILLED_IN))


def _is_mailbox(head: bytes, named: bool) -> bool:
    return named or (_ENVELOPE.match(head) is not None and is_message(head))


@source_kind("mbox", ".mbox", ".mbx", recognises=_is_mailbox)
def read_mbox(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """Every message of a mailbox; one begins at a line `From ` after a blank line."""
    lines: list[bytes] = []
    number, size, blank = 0, 0, True
    for line in stream:
        if blank and line.startswith(b"From ") and lines:
            number += 1
            yield from _in_mailbox(lines, size, number, where)
            lines, size = [], 0
        blank = not line.strip()
        size += len(line)
        if size <= where.source.max_record_bytes:
            lines.append(line[1:] if re.match(rb">+From ", line) else line)
    if lines:
        yield from _in_mailbox(lines, size, number + 1, where)


@source_kind("eml", ".eml", accepts=(".txt",), recognises=is_message)
def read_eml(stream: io.BufferedIOBase, where: Where) -> Iterator[Record]:
    """One message."""
    yield from _read_message(where.whole(stream, "message"), where, "")


def _in_mailbox(lines: list[bytes], size: int, number: int, where: Where) -> Iterator[Record]:
    position = f"message={number}"
    if size > where.source.max_record_bytes:
        yield where.bad("oversize", f"the message has {size:,} bytes", position)
        return
    yield from _read_message(b"".join(lines[1:] if lines[0].startswith(b"From ") else lines), where, position)


def _read_message(data: bytes, where: Where, position: str) -> Iterator[Record]:
    try:
        message = email.message_from_bytes(data, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        body = message.get_body(("plain", "html"))
        text = _content(body) if body is not None else b""
        attachments = [_attached(part) for part in message.iter_attachments()]
        key = str(message.get("message-id") or "").strip() or f"{where.name}#{position}"
        title, date = str(message.get("subject") or "").strip() or None, _iso(str(message.get("date") or ""))
    except (ValueError, LookupError, AttributeError, IndexError, TypeError, AssertionError, RecursionError) as error:
        yield where.bad("bad_mail", f"not readable as a message: {error!r}"[:300], position, data)
        return
    kind = "html" if body is not None and body.get_content_subtype() == "html" else "text"
    yield from _records(key, kind, text, title, date, attachments, where, position)


def _records(
    key: str, kind: str, text: bytes, title: str | None, date: str | None, attachments: list[tuple[str, bytes | None]],
    where: Where, position: str,
) -> Iterator[Record]:  # fmt: skip
    record = Record(
        key, text, kind, title=title, date=date, locator=where.locator(position) or None, parent=key, charset="utf-8"
    )
    if not text.strip() and attachments:
        where.tally.skip("mail_without_text")
    else:
        yield record
    for name, content in attachments:
        if content is None:
            bad = where.bad("corrupt", f"the base64 of {name} does not decode", f"member={name}", key=f"{key}/{name}")
            bad.parent, bad.date = key, date
            yield bad
            continue
        for child in read_member(io.BytesIO(content), name, len(content), where):
            # The key of a mail without Message-ID is its name, which is the same in other mails: it is no parent.
            own = child.parent if child.parent and child.parent.partition("#")[0] != name.removeprefix("./") else None
            child.parent, child.date = own or key, child.date or date
            child.key = f"{key}/{child.key}"
            yield child


def _attached(part: Any) -> tuple[str, bytes | None]:
    """Name and bytes of an attachment; None for base64 that does not decode."""
    name = part.get_filename() or _name_of(part)
    if part.get_content_type() == "message/rfc822":  # named after its subject, often
        return name if name.lower().endswith(".eml") else f"{name}.eml", _content(part)
    if str(part.get("content-transfer-encoding") or "").strip().lower() == "base64" and not part.is_multipart():
        content = _content(part)
        raw = (
            str(part.get_payload()).encode("utf-8", "surrogateescape").partition(b"=")[0]
        )  # signs after the end are no damage
        is_cut = any(isinstance(defect, InvalidBase64LengthDefect) for defect in part.defects)
        return name, None if is_cut or _FOREIGN.search(raw) else content
    return name, _content(part)


def _content(part: Any) -> bytes:
    """A part's bytes; text in UTF-8, an attached message as it stands."""
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0)
        # Its type says that it is a message: with these two fields it is read as one, whatever others it lacks.
        added = [b"MIME-Version: 1.0\n"] if "mime-version" not in inner else []
        added += [b"Content-Type: text/plain\n"] if "content-type" not in inner else []
        return b"".join(added) + inner.as_bytes()
    payload = part.get_payload(decode=True) or b""
    if part.get_content_maintype() != "text" or part.get_content_disposition() == "attachment":
        return payload
    return decode_payload(payload, part.get_content_charset(), part.get_content_subtype() == "html").text.encode()


def _name_of(part: Any) -> str:
    ending = {"message/rfc822": ".eml", "text/plain": ".txt", "text/html": ".html"}.get(part.get_content_type(), "")
    return f"attachment{ending}"


def _iso(date: str) -> str | None:
    try:
        return parsedate_to_datetime(date).date().isoformat()
    except (ValueError, TypeError, IndexError):
        return None


@source_kind("msg", ".msg", seeks=True, binary=True)
def read_msg(stream: BinaryIO, where: Where) -> Iterator[Record]:
    """A message saved by Outlook (MS-OXMSG): body, subject, date, attachments."""
    try:
        import olefile
    except ModuleNotFoundError as error:
        raise DamagedInputError(
            "not_installed", "files of kind msg need: pip install 'domain-corpus[documents]'"
        ) from error
    try:
        container = olefile.OleFileIO(stream)
        folders = sorted({path[0] for path in container.listdir() if _ATTACHMENT.fullmatch(path[0])})
        headers = email.message_from_string(_property(container, "", "007D"))
        title, text = _property(container, "", "0037"), _property(container, "", "1000")
        html = b"" if text.strip() else _raw(container, "", "1013", "0102") or _property(container, "", "1013").encode()
        attachments = []
        for folder in folders:
            name = _property(container, folder, "3707") or _property(container, folder, "3704") or "attachment"
            attachments.append((name, _raw(container, folder, "3701", "0102")))
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise DamagedInputError("corrupt", f"not readable as an Outlook message: {error}") from error
    key, date = str(headers.get("message-id") or where.name).strip(), _iso(str(headers.get("date") or ""))
    kind = "html" if html else "text"
    yield from _records(key, kind, html or text.encode("utf-8", "replace"), title or None, date, attachments, where, "")


def _raw(container: Any, folder: str, tag: str, kind: str) -> bytes:
    path = [*([folder] if folder else []), f"__substg1.0_{tag}{kind}"]
    return container.openstream(path).read() if container.exists(path) else b""


def _property(container: Any, folder: str, tag: str) -> str:
    wide = _raw(container, folder, tag, "001F")
    return (
        wide.decode("utf-16-le", "replace")
        if wide
        else _raw(container, folder, tag, "001E").decode("cp1252", "replace")
    )
