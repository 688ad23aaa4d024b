"""The MinHash judge: settings, nulls, and what numerals decide."""

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline.core.judge import judges
from pipeline.kernels.rows import column_rows
from pipeline.measure.judges.minhash import MinHashSettings, minhash


def run(texts: list[str | None], **config: object) -> dict[str, list]:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    return minhash.run(batch, MinHashSettings.model_validate(config)).to_pydict()


def share_a_band(one: bytes, other: bytes) -> bool:
    return any(one[i : i + 8] == other[i : i + 8] for i in range(0, len(one), 8))


def filing(quarter: int) -> str:
    """One of eight filings from one template: other figures, the same sentences."""
    sentences = []
    for i, item in enumerate(["Revenue", "Cost of sales", "Operating income", "Net income", "Cash", "Total debt"]):
        now, before = 1000 + 137 * quarter + 61 * i, 950 + 131 * quarter + 53 * i
        sentences.append(
            f"{item} for the quarter ended {quarter % 4 + 1}Q20{15 + quarter // 4} was ${now}.{quarter} million, "
            f"compared with ${before}.{i} million a year ago, a change of {(now - before) * 100 // before}.{quarter}%."
        )
    return " ".join(sentences)


def test_eight_filings_from_one_template_all_differ():
    texts = [filing(quarter) for quarter in range(8)]
    bands = run(texts)["bands"]
    assert not any(share_a_band(bands[i], bands[j]) for i in range(8) for j in range(i))


def prose_filing(quarter: int) -> str:
    """Twenty-five words around every figure: too few figures for plain MinHash to tell the filings apart."""
    return " ".join(
        f"{' '.join(f'{name}{word}' for word in 'abcdefghijklmnopqrstuvwxy')} {1000 + 37 * quarter + i} dollars."
        for i, name in enumerate(["capital", "dividend", "pension", "interest", "tax", "lease", "repayment"])
    )


def test_weight_of_figures_keeps_filings_in_prose_apart():
    texts = [prose_filing(quarter) for quarter in range(8)]
    plain, weighted = (run(texts, figure_weight=weight)["bands"] for weight in (1, 4))
    assert any(share_a_band(plain[i], plain[j]) for i in range(8) for j in range(i))
    assert not any(share_a_band(weighted[i], weighted[j]) for i in range(8) for j in range(i))
    same = run([texts[0], texts[0].upper()], figure_weight=4)["bands"]
    assert same[0] == same[1]


@pytest.mark.parametrize("config", [{"datatrove_compatible": True}, {"keep_numerals": False}])
def test_eight_filings_become_one_when_figures_are_erased(config: dict):
    texts = [filing(quarter) for quarter in range(8)]
    bands = run(texts, **config)["bands"]
    assert all(share_a_band(bands[0], other) for other in bands[1:])


def test_documents_shorter_than_a_shingle_are_null():
    found = run(["one two three four", "", None, "one two three four five"])
    assert [value is None for value in found["bands"]] == [True, True, True, False]
    assert [value is None for value in found["sketch"]] == [True, True, True, False]
    assert found["num_shingles"] == [0, 0, 0, 1]
    assert len(found["bands"][3]) == 14 * 8
    assert len(found["sketch"][3]) == 112


def test_case_punctuation_and_wrapping_do_not_matter():
    one, other = run(["A rose, is a rose; is a rose!", "a ROSE is\na rose is a - rose"])["bands"]
    assert one == other


def test_presets():
    assert MinHashSettings(preset="26x11").bands == 26
    assert MinHashSettings.model_validate({"preset": "26x11"}).rows == 11
    assert MinHashSettings().bands * MinHashSettings().rows == 112
    settings = MinHashSettings.model_validate({"preset": "26x11"})
    assert settings.without_thresholds() == settings
    assert len(run(["a b c d e f"], preset="26x11")["sketch"][0]) == 286
    with pytest.raises(ValidationError, match="contradict"):
        MinHashSettings(preset="26x11", bands=14)


def test_seed_moves_every_band():
    one, other = (run(["a b c d e f g"], seed=seed)["bands"][0] for seed in (1, 2))
    assert not share_a_band(one, other)


def test_columns_read_back_as_rows():
    batch = pa.record_batch({"text": pa.array(["", "a b c d e", "f g h i j"], pa.large_string())})
    signals = minhash.run(batch, MinHashSettings())
    keys, valid = column_rows(signals["bands"], "uint64")
    assert keys.shape == (3, 14)
    assert valid.tolist() == [False, True, True]
    assert keys[1].tobytes() == signals["bands"][1].as_py()
    part, _ = column_rows(signals["bands"].slice(1, 1), "uint64")
    assert part.tobytes() == keys[1].tobytes()


def test_registered():
    assert judges()["minhash"] is minhash
