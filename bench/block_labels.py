"""Pages with gold text as blocks with features and labels: what the classifier of main content is trained and measured on.

A label is the share of a block's words that the gold text uses. Of pages with segments only, the label of the other blocks is
what two open extractors agree on, each counted only as far as it has the page's segments right; where they differ the block
teaches nothing.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from bench.align import block_shares
from bench.gold_sets import GoldPage
from pipeline.extract.extract_settings import ExtractSettings, Method
from pipeline.extract.html_text import extract_html
from pipeline.kernels.html.tree import BEGIN, COMMENT, STOP, TAG, TAGS

_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
TOKEN = re.compile(rf"[{_WIDE}]|[^\W{_WIDE}]+")
"""A word, or one character of a script written without spaces."""
SURE, UNSURE = 1.0, 0.0
ANNOTATED = 1.5
"""How much a block counts: two extractors agree; they do not; a segment says so."""
LEAST_COVER = 0.8
"""A page on which less of its gold text is found teaches nothing: it is not the page that was labelled."""
MOST_WORDS = 200
"""A block counts by its words, up to this many."""


@dataclass
class LabelledPage:
    """A page's blocks. `features` float32[blocks, FEATURES]; `labels` 0-1; `weights` 0 where nothing is known."""

    gold: GoldPage
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]
    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    texts: list[str] = field(default_factory=list)

    def text(self, keep: np.ndarray) -> str:
        """The words of the blocks kept, one block a line: what is scored, without the look of tables and lists."""
        return "\n".join(text for text, kept in zip(self.texts, keep, strict=True) if kept)


def read_page(page: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """`(nodes, signatures, data, block, count)` of a page as served."""
    from resiliparse.parse.html import HTMLTree

    from pipeline.ingest.encoding import decode_payload
    from pipeline.kernels.html.slim import slim
    from pipeline.kernels.html.tree import read_tree
    from pipeline.kernels.html.visible import blocks

    parsed = HTMLTree.parse(slim(decode_payload(page, None, True).text.encode())[0].decode())
    markup = parsed.document.html if parsed.document else ""
    nodes, signatures, data = read_tree(np.frombuffer(markup.encode(), np.uint8))
    block, count = blocks(nodes, data, False)
    return nodes, signatures, data, block, count


def block_texts(nodes: np.ndarray, data: np.ndarray, block: np.ndarray, count: int) -> list[str]:
    """The text of each block, white space joined."""
    raw, parts, current = data.tobytes(), [[] for _ in range(count)], -1
    for row, number in enumerate(block.tolist()):
        if number >= 0:
            parts[number].append(raw[nodes[row, BEGIN] : nodes[row, STOP]].decode("utf-8", "replace"))
            current = number
        elif nodes[row, TAG] == TAGS["br"] and current >= 0:
            parts[current].append(" ")
    return [" ".join("".join(part).split()) for part in parts]


def label(gold: GoldPage, drop_comments: bool = False) -> LabelledPage:
    """Blocks, features and labels of a page. `drop_comments` makes blocks under a mark of comments no content, whatever
    the gold text says."""
    from pipeline.kernels.html.block_features import FAR, block_features
    from pipeline.kernels.html.block_text import COUNT

    arrays = nodes, signatures, data, block, count = read_page(gold.page)
    features, counts, distances = block_features(nodes, signatures, data, block, count)
    texts = block_texts(nodes, data, block, count)
    words = [TOKEN.findall(text.lower()) for text in texts]
    if gold.text:
        labels = np.array(block_shares(words, TOKEN.findall(gold.text.lower())))
        known = np.ones(count)
        total = len(TOKEN.findall(gold.text))
        if labels @ counts[:, COUNT] < LEAST_COVER * total:
            known *= 0
    else:
        labels, known = _by_segments(gold, texts, words)
        total = labels @ counts[:, COUNT]
    labels = np.where(labels < 0.2, 0, np.where(labels > 0.8, 1, labels))
    if drop_comments:
        labels[distances[:, COMMENT.bit_length() - 1] < FAR] = 0
    share = np.clip(counts[:, COUNT], 1, MOST_WORDS) / max(20, total)
    return LabelledPage(gold, arrays, features.T, labels, np.minimum(share, 0.5) * known, texts)


def extracted(method: Method, page: bytes) -> str:
    """What a method of `extract.method` makes of a page, without comments; nothing where it fails."""
    try:
        return extract_html(page, None, ExtractSettings(method=method)).text
    except Exception:  # noqa: BLE001 - other people's parsers raise what they like
        return ""


def _by_segments(gold: GoldPage, texts: list[str], words: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """`(labels, weights)` of a page with segments."""
    marked = segment_labels(gold, texts)
    shares, rights = [], []
    for method in ("trafilatura", "readability"):
        share = np.array(block_shares(words, TOKEN.findall(extracted(method, gold.page).lower())))
        text = " ".join(text for text, part in zip(texts, share, strict=True) if part > 0.5)
        right = [segment in text for segment in gold.inside] + [segment not in text for segment in gold.outside]
        shares.append(share)
        rights.append(sum(right) / max(1, len(right)))
    agree = np.abs(shares[0] - shares[1]) < 0.3 if texts else np.zeros(0, bool)
    labels, weights = (shares[0] + shares[1]) / 2, np.where(agree, SURE, UNSURE)
    if (rights[0] == 1) != (rights[1] == 1):  # one of them is right about all segments: it may teach alone
        labels, weights = shares[int(rights[1] == 1)], np.where(agree, SURE, 0.5)
    elif max(rights) < 0.8:
        weights = weights * 0.3
    return np.where(marked >= 0, marked, labels), np.where(marked >= 0, ANNOTATED, weights)


def segment_labels(gold: GoldPage, texts: list[str]) -> np.ndarray:
    """1 for blocks with a segment of the main content, 0 for ones with a segment outside of it, -1 for all others.

    A segment of fewer than four characters, and one inside that is found twice, says nothing of a block.
    """
    joined, labels = " ".join(texts), np.full(len(texts), -1.0)
    ends = np.cumsum([len(text) + 1 for text in texts])
    for segments, value in ((gold.outside, 0), (gold.comments, 0), (gold.inside, 1)):
        for segment in segments:
            places = [match.start() for match in re.finditer(re.escape(segment), joined)] if len(segment) > 3 else []
            for place in places if value == 0 or len(places) == 1 else []:
                first, last = np.searchsorted(ends, (place, place + len(segment) - 1), "right")
                for at in range(first, last + 1):
                    size, begin = len(texts[at]), ends[at] - len(texts[at]) - 1
                    inside = min(begin + size, place + len(segment)) - max(begin, place)
                    if 2 * inside < min(size, len(segment)) or inside <= 0:
                        continue
                    if value or 4 * inside >= size or size <= 80:  # a name in a long paragraph condemns nothing
                        labels[at] = value
    return labels
