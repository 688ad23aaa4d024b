"""What a file is by its first bytes: the name of a kind that is read, or of one that is not, for the account of files."""

import posixpath

from pipeline.ingest.kinds import formats, kind_of_name
from pipeline.ingest.sniff import sniff
from pipeline.ingest.streams import compression_of

HEAD = 4096
"""Bytes looked at."""

_MAGIC = (
    (b"%PDF-", "pdf"), (b"{\\rtf", "rtf"), (b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"),
    (b"SQLite format 3\0", "sqlite"), (b"WARC/", "warc"), (b"filedesc://", "warc"), (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"BM", "bmp"), (b"8BPS", "psd"),
    (b"\0\0\1\0", "ico"), (b"OggS", "ogg"), (b"ID3", "mp3"), (b"\xff\xfb", "mp3"), (b"\xff\xf3", "mp3"), (b"fLaC", "flac"),
    (b"\x1aE\xdf\xa3", "matroska"), (b"FLV\1", "flv"), (b"FWS", "flash"), (b"CWS", "flash"), (b"Rar!", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"), (b"wOFF", "font"), (b"wOF2", "font"), (b"\0\1\0\0\0", "font"), (b"OTTO", "font"),
    (b"\x7fELF", "program"), (b"MZ", "program"), (b"\xca\xfe\xba\xbe", "program"), (b"\xcf\xfa\xed\xfe", "program"),
    (b"%!PS", "postscript"), (b"\x89HDF", "hdf5"), (b"\x93NUMPY", "numpy"), (b"AT&TFORM", "djvu"), (b"\x80\x04\x95", "pickle"),
    (b"ITSF", "chm"), (b"\0asm", "program"), (b"CDF\1", "netcdf"), (b"Obj\1", "avro"), (b"ORC", "orc"), (b"LZIP", "lzip"),
    (b"\x04\x22\x4d\x18", "lz4"), (b"ISc(", "cab"), (b"MSCF", "cab"), (b"!<arch>", "ar"), (b"!BDN", "pst"),
)  # fmt: skip
_INSIDE = (
    (4, b"ftypM4A", "m4a"), (4, b"ftypheic", "heic"), (4, b"ftypavif", "avif"), (4, b"ftypqt", "mov"), (4, b"ftyp", "mp4"),
    (8, b"WAVE", "wav"), (8, b"AVI ", "avi"), (8, b"WEBP", "webp"), (257, b"ustar", "tar"), (128, b"DICM", "dicom"),
    (60, b"BOOKMOBI", "mobi"), (4, b"Standard Jet DB", "access"), (4, b"moov", "mov"),
)  # fmt: skip
_ZIPPED = (
    (b"word/", "docx"), (b"ppt/", "pptx"), (b"xl/", "xlsx"), (b"application/epub+zip", "epub"),
    (b"META-INF/MANIFEST", "java archive"),
    (b"opendocument.text", "odt"), (b"opendocument.spreadsheet", "ods"), (b"opendocument.presentation", "odp"),
)  # fmt: skip
_OLE = ("doc", "xls", "ppt", "msg")
_CODE = frozenset(
    "py js ts jsx tsx mjs c h cc cpp hpp cs java kt go rs rb php pl sh bash zsh ps1 bat css scss less sql r m swift scala lua "
    "vue svelte ini cfg conf toml yaml yml lock gitignore map make cmake gradle ipp proto cu f90 jl asm s".split()
)


def content_of(head: bytes, name: str = "") -> str:
    """A kind by the first `HEAD` bytes, the name of a kind that is not read, or `binary`, `empty`.

    `name` only tells kinds apart whose first bytes are the same: the files of Office before 2007, and zip containers.

    >>> content_of(b"%PDF-1.7"), content_of(b"MM\\0*"), content_of(b"Dear Sir"), content_of(b"")
    ('pdf', 'tiff', 'text', 'empty')
    """
    compression = compression_of(head)
    if compression:
        return compression
    if head.startswith(b"PK\x03\x04"):
        office = b"[Content_Types].xml" in head
        found = next((kind for mark, kind in _ZIPPED if mark in head and (office or mark[-1:] != b"/")), None)
        return found or _by_name(name, tuple(k for _, k in _ZIPPED), "zip")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _by_name(name, (*_OLE, "docx", "pptx", "xlsx"), "ole2")
    for magic, kind in _MAGIC:
        # Magic bytes that are letters begin sentences too ("ORC", "BM"); the files they mark have zeros soon after.
        if head.startswith(magic) and (not magic.isalnum() or b"\0" in head[:64] or kind in formats()):
            return kind
    kind = next((kind for at, magic, kind in _INSIDE if head[at : at + len(magic)] == magic), None)
    return kind or sniff(head)


def _by_name(name: str, kinds: tuple[str, ...], otherwise: str) -> str:
    named = kind_of_name(name) if name else None
    return named if named in kinds else otherwise


def is_code(path: str) -> bool:
    """Whether the name is one of source code, style sheets or settings."""
    return posixpath.splitext(path.lower())[1][1:] in _CODE


def ending_of(path: str) -> str:
    """The kind that the ending claims, for the account: `py`, or `no ending`."""
    return posixpath.splitext(path.lower())[1][1:] or "no ending"
