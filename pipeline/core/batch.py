"""The schemas of the way of the data. Every table of a shard is aligned row by row with its documents."""

import pyarrow as pa

RECORDS = pa.schema(
    [
        # 32 hex digits: a hash of source, natural key and payload; the same record twice has one id
        ("id", pa.string()),
        ("url", pa.string()),
        ("title", pa.string()),
        ("date", pa.string()),  # ISO 8601, as the source had it
        ("source", pa.string()),
        ("role", pa.string()),  # domain | general | auto
        ("licence", pa.string()),
        ("rights", pa.string()),  # robots, TDM and AI-preference signals found with the record, or null
        ("tdm", pa.string()),  # reserved | open | unknown: what these signals say of text and data mining
        ("robots", pa.string()),  # what the archived robots.txt of the host says of the address, or null: no snapshot
        ("terms", pa.string()),  # address of the terms, where the record names one
        ("path", pa.string()),  # file, relative to the source's root
        ("locator", pa.string()),  # where in the file: "offset=1234", "line=7", "member=a.html"
        ("parent", pa.string()),  # id of the record this one was split from
        # html | text | xml: how extract reads the payload; guessed from content, not only from the name
        ("kind", pa.string()),
        ("content_type", pa.string()),
        ("doc_type", pa.string()),  # form or exhibit of a filing, as its envelope says: "10-K", "EX-99.1"
        ("charset", pa.string()),  # as declared by the transport, not trusted
        ("payload", pa.large_binary()),
        ("digest", pa.binary(32)),  # sha256 of the payload; null: not known
        ("reason", pa.string()),  # "ingest.truncated": the record is quarantined; null: fine
        ("detail", pa.string()),  # one sentence for a person, with the reason
    ]
)
"""What ingest yields and extract reads; streamed in batches of about 16 MiB of payload, never stored."""

SPAN = pa.struct([("start", pa.int32()), ("end", pa.int32())])
SECTION = pa.struct([("name", pa.string()), ("start", pa.int32()), ("end", pa.int32())])
EDIT = pa.struct([("rule", pa.string()), ("text", pa.string()), ("count", pa.int32())])


def fields_of(schema: pa.Schema, names: str) -> list[pa.Field]:
    """Some columns of a schema, for another one that has them too."""
    return [schema.field(name) for name in names.split()]


DESCRIPTION = "url title date source role licence rights tdm robots terms"
"""What is known of a document from where it came."""

DOCUMENTS = pa.schema(
    [
        *fields_of(RECORDS, f"id {DESCRIPTION} path locator parent content_type doc_type"),
        ("author", pa.string()),  # as the page or file says
        ("page_language", pa.string()),  # as the page declares it, not trusted
        ("origin", pa.string()),  # of an HTML page: "page", or "json-ld" where that has much more than is visible
        ("encoding", pa.string()),  # the encoding the payload was decoded from
        ("raw_bytes", pa.int64()),  # bytes of the payload
        ("raw_pretokens", pa.int64()),  # pre-tokens of the payload, markup included
        ("reason", pa.string()),  # null: extracted; else quarantined, "stage.rule"
        ("detail", pa.string()),
        ("text", pa.large_string()),  # valid UTF-8, line ends "\n"; empty when quarantined
        ("text_bytes", pa.int64()),
        ("num_pretokens", pa.int64()),  # pre-tokens of the text
        ("table_spans", pa.list_(SPAN)),  # byte ranges of the text that are tables or columns of figures
        ("sections", pa.list_(SECTION)),  # byte ranges of a filing's items: "1A", "part2item6", "5.02"
        ("edits", pa.list_(EDIT)),  # what extract cut or repaired: the rule, each different text once, how often
    ]
)
"""What extract writes to `documents/`: one row a document, quarantined ones included."""

VERDICTS = ("kept", "removed", "quarantined")
