"""From scratch or continue? What the corpus says against what published runs did, with the evidence."""

from dataclasses import dataclass

from tokenizer.check import Quality, normalized_sequence_length

SCRATCH_TOKENS = 50e9
"""Domain tokens from which a model from scratch is advised. A line of ours, drawn below the generative models for which
it paid: BloombergGPT had 363 billion tokens of finance beside 345 billion public ones (arXiv 2303.17564), Galactica 106
billion of science (arXiv 2211.09085). Encoders need less: PubMedBERT's 110 million parameters learnt from scratch on
3.1 billion words and beat continued ones (arXiv 2007.15779)."""
FERTILITY_LIMIT = 1.15
"""Tokens of the base against those of a tokenizer of one's own, from which its vocabulary is worth extending. A line of
ours: that many pieces a word cost quality is shown by Rust et al. 2021 (arXiv 2012.15613), and an extension that made
text up to 20 % shorter kept it (arXiv 2509.26124)."""
SHATTERED_PIECES = 4
"""Pieces from which on a word counts as unseen by a tokenizer."""
UNSEEN_LIMIT = 0.05
"""Share of word occurrences the base may cut into `SHATTERED_PIECES` pieces or more. A line of ours."""


@dataclass(frozen=True)
class Advice:
    """`choice` is "scratch", "extend" or "continue"; `evidence` are sentences with both numbers of every comparison."""

    choice: str
    evidence: tuple[str, ...]


def advise(ours: Quality, base: Quality, shattered_share: float, domain_tokens: float) -> Advice:
    """Weigh a tokenizer of one's own against a base tokenizer on the same domain text.

    `shattered_share` is the share of words the base cuts into four pieces or more, `domain_tokens` what is at hand.
    Enough domain tokens: from scratch. Too few, and the base reads the domain badly: extend its vocabulary and
    continue. Else continue as it is.
    """
    ratio = normalized_sequence_length(base.num_tokens, ours.num_tokens)
    enough = domain_tokens >= SCRATCH_TOKENS
    poor = ratio >= FERTILITY_LIMIT or shattered_share >= UNSEEN_LIMIT
    choice = "scratch" if enough else "extend" if poor else "continue"
    return Advice(
        choice,
        (
            f"{domain_tokens:.3g} domain tokens at hand; from scratch has paid from {SCRATCH_TOKENS:.0e}",
            f"the base makes {ratio:.3f} times our tokens of the same text; the limit is {FERTILITY_LIMIT}",
            f"fertility {base.tokens_per_word:.3f} tokens a word with the base, {ours.tokens_per_word:.3f} with ours",
            f"{shattered_share:.2%} of the words fall into {SHATTERED_PIECES} pieces or more; the limit is {UNSEEN_LIMIT:.0%}",
        ),
    )
