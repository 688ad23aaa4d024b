"""Unigram (Kudo 2018, arXiv 1804.10959) as the alternative, trained and run by `tokenizers` on our pre-tokens."""

from collections.abc import Iterable, Sequence

from pipeline.kernels.bpe.pretokens import PRESETS


def train_unigram(texts: Iterable[str], preset: str, vocab_size: int, specials: Sequence[str] = ()) -> bytes:
    """A `tokenizer.json` of byte-level Unigram; slower and larger in memory than `merge.train`, as its trainer is.

    BloombergGPT is of this kind, with the preset "bloomberg". The compiled encoder does not read it.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    steps = [
        pre_tokenizers.Split(Regex(PRESETS[preset].pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size,
        special_tokens=list(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str(pretty=True).encode()
