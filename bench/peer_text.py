"""Generated finance text with planted personal data: the same bytes for the same size, no corpus needed."""

import random

WORDS = (
    "the company reported net sales income of quarter for year and its shares market bank rate growth in cash a to fund "
    "assets credit interest by from debt securities management operating costs increase which per share customers new"
).split()


def finance_like_text(size: int) -> list[str]:
    """About `size` bytes of documents of some 4 kB; one sentence in fifty holds an address, a number or a card."""
    rng, texts, total = random.Random(11), [], 0
    while total < size:
        sentences = []
        for _ in range(40):
            words = [rng.choice(WORDS) for _ in range(rng.randrange(8, 24))]
            words.insert(rng.randrange(len(words)), f"${rng.randrange(1, 999)}.{rng.randrange(10)} million")
            if rng.random() < 0.02:
                words.append(
                    rng.choice(
                        [
                            f"investor.{rng.randrange(999)}@example.com",
                            f"(212) 555-{rng.randrange(10000):04d}",
                            f"81.2.{rng.randrange(256)}.{rng.randrange(256)}",
                            "DE89370400440532013000",
                        ]
                    )
                )
            sentences.append(" ".join(words).capitalize() + ".")
        texts.append(" ".join(sentences))
        total += len(texts[-1])
    return texts
