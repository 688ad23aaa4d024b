"""Superwords: tokens that span words, learnt in two stages (SuperBPE, arXiv 2503.13423).

The first stage learns words as always; the second goes on with phrases, so that a token like " as a result of" is made
of whole words. Learning from phrases alone gives much less: tokens then end in the middle of words.
"""

from collections.abc import Sequence

from tokenizer.count import Counts
from tokenizer.encode import Encoder
from tokenizer.extend import continued_merges
from tokenizer.merge import Model, train
from tokenizer.save import save

WORDS, PHRASES = "gpt4", "superwords"
"""Presets of the two stages: the phrases are the words' pre-tokens joined by single spaces."""
WORDS_PART = 0.5
"""Share of the vocabulary the first stage learns; from a quarter to three quarters makes no difference of a point."""


def train_superwords(
    words: Counts, phrases: Counts, vocab_size: int, specials: Sequence[str] = (), min_frequency: int = 2
) -> Model:
    """Learn half of the vocabulary from words, the rest by going on with phrases of the same text.

    The counts are those of one text under the presets `WORDS` and `PHRASES`; the model cuts by `PHRASES`, and merges of
    the first stage come first, so words are cut as a plain tokenizer cuts them and then joined.
    Raises ValueError when the counts were made under other presets, and as `train` does.
    """
    if (words.preset, phrases.preset) != (WORDS, PHRASES):
        raise ValueError(
            f"expected counts of {WORDS} and of {PHRASES}, got those of {words.preset} and of {phrases.preset}"
        )
    least = len(specials) + 256
    first = train(words, max(least, round(vocab_size * WORDS_PART)) if vocab_size >= least else vocab_size, specials)
    encoder = Encoder(save(first)["tokenizer.json"])
    tokens, merges = continued_merges(encoder, phrases, vocab_size - len(first), min_frequency)
    known = set(first.merges)
    return Model(
        PHRASES,
        tuple(specials),
        first.tokens + tokens[len(first) :],
        first.merges + [pair for pair in dict.fromkeys(merges) if pair not in known],
        vocab_size,
    )
