"""Train the embedded toxicity scorer: `python -m bench.train_toxicity CORPORA [--check]`.

A hashed n-gram logistic regression with identity-balanced examples: every labelled sentence is read as it is and with its
identity words neutralised, and each identity's toxic and clean examples are given the same total weight. Clean finance,
legal, medical and encyclopaedic text stands among the negatives. One thread, a fixed order: the same bytes every time.
Registers no judge; imports what training needs when it runs.
"""

import argparse
import functools
import sys
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

WEIGHTS = Path(__file__).parents[1] / "pipeline/measure/judges/toxicity.safetensors"
WORD_CLASSES = Path(__file__).with_name("word_classes.txt")
WORD_SLOTS = 1 << 18
CHAR_SLOTS = 1 << 18
DECAY = 2e-6
SCOPE, COOL, LISTED = 1.5, 0.3, 0.25
"""What the learnt weights of scope are multiplied with; what all are, so that few scores come near one; what each listed word
adds to the logit then. Chosen by held-out frames and with a look at OLID."""
HARD_ABOVE = 0.3
"""A clean sentence that a first model scores higher is an example of its own for the second."""
MOST_IMPORTANT = 5.0
"""No example weighs more than this many average ones."""
CLEAN_BYTES = 12_000_000
CLEAN_SOURCES = ("edgar", "fed", "statutes", "medquad", "wikipedia", "dialogues", "books", "reviews", "abstracts")


@dataclass(frozen=True)
class Choice:
    """What was chosen, and not given: passes, the rate, the weight of a listed word in training, and totals of the sets."""

    epochs: int = 3
    rate: float = 0.2
    listed: float = 0.25
    madlibs: float = 3000.0
    talk: float = 1500.0
    clean: float = 6000.0
    written: float = 6000.0
    written_kinds: float = 4500.0
    hard: float = 10_000.0


SHIPPED = Choice()
"""Chosen with a look at OLID: see the card."""


@dataclass
class Corpus:
    """Training sentences with labels and weights."""

    texts: list[str] = field(default_factory=list)
    labels: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    ordinary: Counter[str] = field(default_factory=Counter)
    """How often each word occurs in clean text of the domains."""

    def add(self, texts: list[str], labels: list[bool], total: float) -> None:
        """Add examples that share `total` evenly."""
        self.texts += texts
        self.labels += [float(label) for label in labels]
        self.weights += [total / max(len(texts), 1)] * len(texts)


def sentences_of(documents: list[str]) -> list[str]:
    """Documents cut into the sentences the scorer would read."""
    from pipeline.kernels.buffers import text_buffers
    from pipeline.kernels.text.ngrams import sum_sentences
    from pipeline.kernels.text.term_trie import WORD_LOWER

    empty, none, no_ids = np.zeros(1, np.int8), np.zeros(0, np.uint64), np.zeros(0, np.uint8)
    offsets, data = text_buffers(pa.array(documents, pa.large_string()))
    rows, begins, stops, _, _ = sum_sentences(offsets, data, WORD_LOWER, empty, empty, empty, none, none, none, no_ids)
    raw = data.tobytes()
    return [
        raw[offsets[row] + begin : offsets[row] + stop].decode()
        for row, begin, stop in zip(rows.tolist(), begins.tolist(), stops.tolist(), strict=True)
    ]


def half(texts: list[str], odd: bool) -> list[str]:
    """One half of some documents by a hash of their text: the even half trains, the odd half checks."""
    import zlib

    return [text for text in texts if (zlib.crc32(text[:400].encode()) & 1) == odd]


@functools.cache
def neutral_words() -> frozenset[str]:
    """Every single word that names an identity, ambiguous ones too: what a scorer may look away from."""
    from pipeline.audit.identity_terms import NAMES_NOBODY, identity_terms

    words = set()
    for term in identity_terms():
        if term.axis == "pronoun" or term.axis in NAMES_NOBODY:
            continue
        words.update(term.ambiguous)
        words.update(form for form in term.forms if " " not in form)
    return frozenset(words)


@functools.cache
def clean_sentences(corpora: Path, source: str) -> list[str]:
    """Every sentence of the half of a clean source that trains; every third is always an example."""
    from bench import labelled

    return sentences_of(half(labelled.clean_text(corpora, source, CLEAN_BYTES), odd=False))


def gather(corpora: Path, leave_out: str = "", choice: Choice = SHIPPED, without: Collection[str] = ()) -> Corpus:
    """The training corpus without one set and without some families of written sentences ("" for the held-out frames of all).
    Totals set how much each set counts, whatever its size."""
    from bench import attacks, functionalities, labelled

    corpus = Corpus()
    if leave_out != "davidson":
        davidson = labelled.davidson(corpora)
        for toxic, total in ((True, 9000.0), (False, 9000.0)):
            part = [example.text for example in davidson if example.toxic == toxic]
            corpus.add(part, [toxic] * len(part), total)
    if leave_out != "toxigen":
        toxigen = labelled.toxigen(corpora)
        corpus.add([e.text for e in toxigen], [e.toxic for e in toxigen], 2500.0)
    if leave_out != "madlibs":
        madlibs = labelled.madlibs(corpora)
        some = [e for at, e in enumerate(madlibs) if e.group != "name_adj" or at % 12 == 0]
        corpus.add([e.text for e in some], [e.toxic for e in some], choice.madlibs)
    talk = labelled.talk_comments(corpora) if leave_out != "talk_comments" else []
    for toxic in (True, False):
        part = [example.text for example in talk if example.toxic == toxic]
        corpus.add(part, [toxic] * len(part), choice.talk)
    written = list(attacks.written_examples())
    for toxic in (True, False):
        part = [text for text, label in written if label == toxic]
        corpus.add(part, [toxic] * len(part), choice.written)
    listed = [phrase for phrase in labelled.listed_phrases(corpora)]
    corpus.add(listed, [True] * len(listed), 250.0)
    parts = (False,) if without else (False, True)
    written = [one for part in parts for one in functionalities.sentences(part, without)]
    for toxic in (True, False):
        part = [text for text, label, _ in written if label == toxic]
        corpus.add(part, [toxic] * len(part), choice.written_kinds)
    for source in CLEAN_SOURCES:
        found = clean_sentences(corpora, source)[::3]
        if source not in ("books", "dialogues", "reviews"):
            for sentence in found:
                corpus.ordinary.update(sentence.lower().split())
        corpus.add(found, [False] * len(found), choice.clean)
    return corpus


def balance(corpus: Corpus) -> np.ndarray:
    """Weights under which every identity term has as much toxic as clean weight (moved at most fourfold)."""
    from pipeline.audit.identity_terms import NAMES_NOBODY, find_terms, identity_terms
    from pipeline.kernels.buffers import text_buffers

    weights, labels = np.array(corpus.weights), np.array(corpus.labels)
    rows, terms, _, _ = find_terms(*text_buffers(pa.array(corpus.texts, pa.large_string())))
    factor = np.ones(len(weights))
    for term in identity_terms():
        if term.axis == "pronoun" or term.axis in NAMES_NOBODY:
            continue
        mentions = np.unique(rows[terms == term.id])
        toxic, clean = mentions[labels[mentions] == 1], mentions[labels[mentions] == 0]
        mass_toxic, mass_clean = weights[toxic].sum(), weights[clean].sum()
        if mass_toxic > 0 and mass_clean > 0:
            target = max(mass_toxic, mass_clean)
            factor[toxic] = np.maximum(factor[toxic], min(4.0, target / mass_toxic))
            factor[clean] = np.maximum(factor[clean], min(4.0, target / mass_clean))
    return weights * factor


def with_plural(word: str) -> list[str]:
    """A listed word and what its plural may be; a form that is no word does no harm. Other inflections do: people are fooled in
    clean text.

    >>> with_plural("bitch"), with_plural("fairy")[-1]
    (['bitch', 'bitchs', 'bitches'], 'fairies')
    """
    return [word, word + "s", word + "es", *([word[:-1] + "ies"] if word.endswith("y") else [])]


def listed_words(corpora: Path, ordinary: Counter[str]) -> set[str]:
    """Single words of the obscene list and of the written insults, and their plurals: no identity, nothing of clean text."""
    from bench import attacks, labelled

    least = 2e-6 * ordinary.total()
    words = {phrase.lower() for phrase in labelled.listed_phrases(corpora)}
    words.update(attacks.INSULTING + attacks.INSULTS + attacks.CURSES)

    def own(forms: Iterable[str]) -> set[str]:
        rare = {word for word in forms if word.isalnum() and ordinary[word] <= least}
        return rare - neutral_words() - set(attacks.ORDINARY)

    return own(form for word in own(words) for form in with_plural(word))


def word_classes(corpora: Path, ordinary: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sorted hashes of the words of `word_classes.txt`, of identities and of listed words, and their classes."""
    from pipeline.kernels.text.ngrams import CLASSES
    from pipeline.kernels.text.term_trie import hash_word

    lines = (line.split(": ") for line in WORD_CLASSES.read_text(encoding="utf-8").splitlines() if line[0] != "#")
    words = {name: own.split() for name, own in lines}
    words |= {"group": sorted(neutral_words()), "listed": sorted(listed_words(corpora, ordinary))}
    classes: dict[int, int] = {}
    for name in ("none", "slur", "hate", "harm", "scorn", *CLASSES):
        for word in words[name]:
            classes.setdefault(hash_word(word), CLASSES.index(name) + 1 if name != "none" else 0)
    keys = sorted(key for key, one in classes.items() if one)
    return np.array(keys, np.uint64), np.array([classes[key] for key in keys], np.uint8)


def hard_negatives(corpora: Path, tensors: dict[str, np.ndarray]) -> list[str]:
    """Clean sentences that a model takes for toxic, of the halves that train and not among its examples."""
    from pipeline.measure.judges.toxicity import score_texts

    found = []
    for source in CLEAN_SOURCES:
        every = clean_sentences(corpora, source)
        others = [sentence for at, sentence in enumerate(every) if at % 3]
        rows, _, _, scores = score_texts(pa.array(others, pa.large_string()), tensors)
        found += [others[row] for row in np.unique(rows[scores > HARD_ABOVE]).tolist()]
    return found


def score_documents(texts: pa.Array, tensors: dict[str, np.ndarray]) -> np.ndarray:
    """Scores of whole texts by other weights than the shipped ones."""
    from pipeline.measure.judges.toxicity import _documents, _sentences

    rows, _, _, scored, at_people = _sentences(texts, tensors)
    return _documents(rows, scored, at_people, len(texts), 1.0)[0]


def train(
    corpora: Path, leave_out: str = "", choice: Choice = SHIPPED, without: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """The tensors of the scorer, trained twice: the second time with the clean sentences the first took for toxic."""
    corpus = gather(corpora, leave_out, choice, without)
    hard = hard_negatives(corpora, fit(corpora, corpus, choice))
    corpus.add(hard, [False] * len(hard), choice.hard)
    return fit(corpora, corpus, choice)


def fit(corpora: Path, corpus: Corpus, choice: Choice) -> dict[str, np.ndarray]:
    """Int8 weights, their scales, the bias, hashes of neutral words and of listed phrases."""
    from bench import labelled
    from bench.ngram_training import feature_slots, fit_logistic
    from pipeline.kernels.buffers import text_buffers
    from pipeline.kernels.text.ngrams import SCOPE_SLOTS
    from pipeline.kernels.text.term_trie import WORD_LOWER, build_trie, hash_word

    weights, labels = balance(corpus), np.array(corpus.labels)
    neutral = np.array(sorted(hash_word(word) for word in neutral_words()), np.uint64)
    listed = np.array(sorted(hash_word(word) for word in listed_words(corpora, corpus.ordinary)), np.uint64)
    class_keys, class_ids = word_classes(corpora, corpus.ordinary)
    offsets, data = text_buffers(pa.array(corpus.texts, pa.large_string()))
    sides = [
        feature_slots(offsets, data, WORD_LOWER, WORD_SLOTS, CHAR_SLOTS, masked, listed, class_keys, class_ids)
        for masked in (np.zeros(0, np.uint64), neutral)
    ]
    plain, masked = sides
    bounds = np.concatenate([plain[0], masked[0] + len(plain[1])])
    slots, hits = (np.concatenate(pair) for pair in zip(plain[1:], masked[1:], strict=True))
    importance = np.concatenate([weights, weights])
    importance = np.minimum(importance / importance.mean(), MOST_IMPORTANT)
    rng = np.random.default_rng(20240229)
    order = np.concatenate([rng.permutation(2 * len(labels)) for _ in range(choice.epochs)])
    size = WORD_SLOTS + CHAR_SLOTS + SCOPE_SLOTS
    twice = np.concatenate([labels, labels])
    learnt, bias = fit_logistic(bounds, slots, hits, twice, importance, order, size, choice.rate, DECAY, choice.listed)
    parts = np.split(learnt, [WORD_SLOTS, WORD_SLOTS + CHAR_SLOTS])
    phrases = {tuple(phrase.lower().replace("-", " ").split()): 0 for phrase in labelled.listed_phrases(corpora)}
    keys, values = build_trie({words: 0 for words in phrases if all(part.isalnum() for part in words)})
    scales = np.array([np.quantile(np.abs(array[array != 0]), 0.9995) / 127 for array in parts])
    return {
        **{
            f"{name}_weights": np.clip(np.rint(part / scale), -127, 127).astype(np.int8)
            for name, part, scale in zip(("word", "char", "scope"), parts, scales, strict=True)
        },
        "scales": np.array([*scales * (COOL, COOL, COOL * SCOPE), COOL * bias, LISTED], np.float32),
        "neutral": neutral,
        "listed": listed,
        "class_keys": class_keys,
        "class_ids": class_ids,
        "listed_keys": keys,
        "listed_values": values,
    }


def main(argv: list[str] | None = None) -> int:
    """Train on everything but the evaluation set and write the weights that the judge loads; with --check, only compare."""
    from safetensors.numpy import save

    parser = argparse.ArgumentParser(prog="python -m bench.train_toxicity", description=__doc__)
    parser.add_argument("corpora", type=Path, help="folder in the layout of ${CORPORA}")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the weights differ")
    arguments = parser.parse_args(argv)
    made = save(train(arguments.corpora))
    if arguments.check:
        same = arguments.out.read_bytes() == made
        print("the weights are what this command makes" if same else "the weights differ")
        return 0 if same else 1
    arguments.out.write_bytes(made)
    print(f"{arguments.out.name}: {len(made):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
