"""Threats that name no group: set phrases of violence at "you", and what only threatens together ("we know where you live").

A few hundred phrases, so that a threat is found in a text that no weights were trained on; the price is that one in other words
is missed. A report, a quotation and "kill you at chess" are none.
"""

import re
from functools import cache

import numpy as np
import pyarrow as pa

from pipeline.kernels.buffers import text_buffers
from pipeline.kernels.text.ngrams import ME, SAID, YOU
from pipeline.kernels.text.term_trie import WORD_LOWER, build_trie, find_phrases

_VERBS = "kill shoot stab murder strangle hurt hang behead drown choke butcher gut destroy bury".split()
_BEFORE = ["will", "gonna", "going to", "and", "or i", "or we", "have to"]
_HARMLESS = ["at", "an", "a", "with kindness", "to the", "some"]
"""After "kill you": a game, a message, a joke."""
_BODY = (
    "cut/slit/slash your throat, break/snap your neck/legs/arms/bones, break both your legs/arms, bullet in your head/skull, "
    "smash your face/head/skull, shoot/stab you in the face/head/chest/back, put you in the ground, rip your head off"
)
_HINTS = (
    "know where you live/work/sleep, know where your kids/children/family/daughter/son/wife/husband/mother/parents, "
    "have your address, will/youll regret, youre gonna regret, will/youll be sorry, will/youll pay for this, watch your back, "
    "watch yourself, coming/come for you, are/youre next, are/youre dead, a dead man, find your body, your body, "
    "set your car/house/home on fire, burn your house/car/home, hunt you down, find you, watching you, "
    "watching your house/family/kids, come to your house/home/office, you will die, youll die, be dead before, if you testify, "
    "daughter/son/wife dies"
)
_QUOTED = re.compile(rb"[\"\xab]|\xe2\x80[\x98\x9c]|(?<![^\s(])'")
THREAT, HINT, SAYS_WHO = 1, 2, 3


def _spelled(phrases: str) -> list[tuple[str, ...]]:
    """Each phrase as its words; "cut/slit" stands for both."""
    found = []
    for phrase in phrases.split(","):
        ways: list[tuple[str, ...]] = [()]
        for word in phrase.split():
            ways = [(*way, one) for way in ways for one in word.split("/")]
        found += ways
    return found


@cache
def _trie() -> tuple[np.ndarray, np.ndarray]:
    phrases = {(*before.split(), verb, "you"): THREAT for before in _BEFORE for verb in _VERBS}
    phrases |= {
        (who, verb, "you"): SAYS_WHO for who in ("ill", "well") for verb in _VERBS
    }  # words lose their apostrophe
    phrases |= {(*words, *after.split()): 0 for words in phrases for after in _HARMLESS}
    phrases |= dict.fromkeys(_spelled(_BODY), THREAT) | dict.fromkeys(_spelled(_HINTS), HINT)
    return build_trie(phrases)


def threats(text: pa.Array, rows: np.ndarray, begins: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """bool[s]: the sentences that threaten. `rows` and `begins` say where each one is, in order; `classes` are the bits of
    `sum_sentences`."""
    spoken = classes & 1 << SAID == 0
    asked = np.unique(rows[spoken & (classes & 1 << YOU > 0)])
    found = np.zeros((len(rows), 4), np.int64)
    offsets, data = text_buffers(text.take(pa.array(asked)))
    at, kinds, starts, _, _ = find_phrases(offsets, data, WORD_LOWER, *_trie())
    order = np.searchsorted(rows + begins / 2.0**40, asked[at] + starts / 2.0**40, side="right") - 1
    for row, kind, start, sentence in zip(*(column.tolist() for column in (at, kinds, starts, order)), strict=True):
        first = max(0, int(begins[sentence]) - 3)  # a quotation mark may stand before the sentence
        said = data[offsets[row] + first : offsets[row] + start].tobytes()
        found[sentence, kind] += _QUOTED.search(said) is None
    hints = found[:, HINT]
    hints[1:] += hints[:-1] * (rows[1:] == rows[:-1]) * (hints[1:] > 0)
    own = found[:, SAYS_WHO] + found[:, THREAT] * (classes & 1 << ME > 0) > 0
    return spoken & (own | (hints > 1))
