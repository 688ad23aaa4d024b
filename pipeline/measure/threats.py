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

_VERBS = "kill shoot stab murder strangle hurt hang behead drown choke butcher gut".split()
_BEFORE = ["will", "gonna", "going to", "and", "or i", "or we", "have to"]
_HARMLESS = ["at", "an", "a", "with kindness", "with my", "to the", "some"]
"""After "kill you": a game, a message, a joke."""
_BODY = (
    "cut/slit/slash your throat, break/snap your neck/legs/arms/bones, break both your legs/arms, bullet in your head/skull, "
    "smash your face/head/skull, shoot/stab you in the face/head/chest/back, put you in the ground, rip your head off"
)
_MENACES = (
    "know where you live/sleep/work, know where your kids/children/family/daughter/son/wife/husband/mother/parents, "
    "watch your back, coming/come for you, are/youre next, are/youre dead, a dead man, find your body, burn your house/car/home, "
    "set your car/house/home on fire, hunt you down, watching your house/family/kids, you will die, youll die, be dead before, "
    "daughter/son/wife dies"
)
_HINTS = (
    "have your address, will/youll regret, youre gonna regret, will/youll be sorry, will/youll pay for this, watch yourself, "
    "watching you, if you testify"
)
"""A menace threatens beside another one or a hint, in its sentence or the next."""
_QUOTED = re.compile(rb"[\"\xab]|\xe2\x80[\x98\x9c]|(?<![^\s(])'")
THREAT, HINT, SAYS_WHO, MENACE = 1, 2, 3, 4


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
    acts = [*_spelled(_BODY), *((verb, "you") for verb in _VERBS)]
    # "I'll" and "we'll": words lose their apostrophe
    phrases |= {(who, *words): SAYS_WHO for who in ("ill", "well") for words in acts}
    phrases |= {(*words, *after.split()): 0 for words in phrases for after in _HARMLESS}
    for listed, kind in ((_BODY, THREAT), (_HINTS, HINT), (_MENACES, MENACE)):
        phrases |= dict.fromkeys(_spelled(listed), kind)
    return build_trie(phrases)


def threats(text: pa.Array, rows: np.ndarray, begins: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """bool[s]: the sentences that threaten. `rows` and `begins` say where each one is, in order; `classes` are the bits of
    `sum_sentences`."""
    spoken = classes & 1 << SAID == 0
    asked = np.unique(rows[spoken & (classes & 1 << YOU > 0)])
    found = np.zeros((len(rows), 5), np.int64)
    offsets, data = text_buffers(text.take(pa.array(asked)))
    at, kinds, starts, _, _ = find_phrases(offsets, data, WORD_LOWER, *_trie())
    order = np.searchsorted(rows + begins / 2.0**40, asked[at] + starts / 2.0**40, side="right") - 1
    for row, kind, start, sentence in zip(*(column.tolist() for column in (at, kinds, starts, order)), strict=True):
        first = max(0, int(begins[sentence]) - 3)  # a quotation mark may stand before the sentence
        said = data[offsets[row] + first : offsets[row] + start].tobytes()
        found[sentence, kind] += _QUOTED.search(said) is None
    own = found[:, SAYS_WHO] + found[:, THREAT] * (classes & 1 << ME > 0) > 0
    menaces, hints = found[:, MENACE].copy(), found[:, HINT] + found[:, MENACE]
    follows = (rows[1:] == rows[:-1]) * (hints[1:] > 0)  # what the sentence before says, too
    for counted in (menaces, hints):
        counted[1:] += counted[:-1] * follows
    return spoken & (own | (menaces > 0) & (hints > 1))
