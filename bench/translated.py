"""`python -m bench.translated`: does main content stay what it is when a page's text is of another language?

There is no gold text in Greek, Polish, Russian or Chinese. So every text of a page with gold text is replaced by sentences of
that language of like length, which leaves its frame, its labels and its links as they are, and the words right and found are
counted by the labels.
"""

import sys
from collections.abc import Iterator

import numpy as np

from bench.block_labels import LabelledPage, label
from bench.corpora import SETS, members, root
from bench.gold_sets import SETS as GOLD
from pipeline.extract.main_content import keep_blocks
from pipeline.kernels.html.tree import BEGIN, STOP, TAG, TEXT

LANGUAGES = ("en", "el", "pl", "ru", "zh")
FRAMES = {"readability": 1, "cleaneval": 4}
"""Sets that lend their pages, and each so-manieth page of them."""


def sentences(language: str) -> list[str]:
    """A thousand sentences of a language."""
    found = [body for name, body in members(root() / SETS["languages"]) if name.endswith(f"sentences/{language}.txt")]
    return found[0].decode().split("\n")


def translated(page: LabelledPage, language: str, source: Iterator[str]) -> tuple[np.ndarray, np.ndarray]:
    """`(nodes, data)` of a page with its texts replaced: as many words, a sentence's end where there was one."""
    nodes, _, data, _, _ = page.arrays
    nodes, raw, out = nodes.copy(), data.tobytes(), bytearray()
    wide, stop = language == "zh", "。" if language == "zh" else "."
    for row in range(len(nodes)):
        begin = len(out)
        if nodes[row, TAG] == TEXT:
            text = raw[nodes[row, BEGIN] : nodes[row, STOP]].decode("utf-8", "replace")
            words = len(text.split())
            pieces: list[str] = []
            while len(pieces) < (words * 8 // 5 if wide else words):
                sentence = next(source).strip()
                pieces += list(sentence) if wide else sentence.split()
            cut = ("" if wide else " ").join(pieces[: words * 8 // 5 if wide else words])
            ends = text.rstrip().endswith((".", "!", "?"))
            cut = cut.rstrip(".!?。！？") + (stop if ends and words else "")
            lead = text[: len(text) - len(text.lstrip())]
            out += (lead + cut + text[len(text.rstrip()) :]).encode() if words else text.encode()
        nodes[row, BEGIN], nodes[row, STOP] = begin, len(out)
    return nodes, np.frombuffer(bytes(out), np.uint8)


def endless(items: list[str]) -> Iterator[str]:
    """The items again and again."""
    while True:
        yield from items


def scores(pages: list[LabelledPage], language: str) -> tuple[float, float, float]:
    """Mean precision, recall and F1 over pages, of the words of the untranslated blocks."""
    rows, source = [], endless(sentences(language))
    for page in pages:
        _, signatures, _, block, count = page.arrays
        nodes, data = translated(page, language, source)
        keep = keep_blocks(nodes, signatures, data, block, count)
        words = np.array([len(text.split()) for text in page.texts])
        right, kept, wanted = (page.labels * words)[keep].sum(), words[keep].sum(), (page.labels * words).sum()
        if wanted:
            rows.append((right / max(1, kept), right / wanted, 2 * right / (kept + wanted)))
    precision, recall, f1 = np.mean(rows, axis=0).tolist()
    return precision, recall, f1


def main() -> int:
    """Print a line for each set and language."""
    print(f"{'frames':14} {'language':8} precision recall     F1")
    for name, every in FRAMES.items():
        pages = [label(gold) for gold in list(GOLD[name](root()))[::every]]
        for language in LANGUAGES:
            print(f"{name:14} {language:8} " + "".join(f"{value:9.4f}" for value in scores(pages, language)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
