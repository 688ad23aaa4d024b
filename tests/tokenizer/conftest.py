"""Small texts and small tokenizers that several tests share."""

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from pipeline.kernels.bpe.pretokens import PRESETS
from tokenizer.count import count_batch
from tokenizer.merge import Model, train
from tokenizer.save import save
from tokenizer.specials import special_tokens

TEXTS = [
    "Net income rose 12% to $1,234.5 million; diluted EPS was 0.87, up 3 basis points year-over-year.\n\n" * 3,
    "The company's net loss widened. The company'll file its 10-K on 2024-03-01.\r\n\tAdjusted EBITDA: 1234567.",
    "Das Gericht hat entschieden: mens rea, res judicata — « habeas corpus ». 中文文本，没有空格。한국어 문장입니다.",
    "aaaaaaaa abababab abcabcabc aaabbbccc " * 5 + "e\u0301e\u0301 😀😀 <|endoftext|> <|pad|>",
]
PIECES = [
    "net",
    " income",
    "a",
    "ab",
    "1",
    "234",
    " ",
    "\n",
    "é",
    "中",
    "😀",
    "\u0301",
    "'s",
    ".",
    "<|endoftext|>",
    "\t",
    "\r\n",
]
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.characters(exclude_categories=["Cs"])), max_size=60).map("".join)


@pytest.fixture(scope="session")
def models() -> dict[str, Model]:
    return {
        preset: train(count_batch(pa.array(TEXTS * 2), preset), 420, special_tokens(sentinels=2)) for preset in PRESETS
    }


@pytest.fixture(scope="session")
def files(models: dict[str, Model]) -> dict[str, dict[str, bytes]]:
    return {preset: save(model) for preset, model in models.items()}
