"""The embedded sample: same bytes for the same seed, proportions of a crawl, good pages that pass, copies that are copies."""

import fnmatch
import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text

from pipeline import sample
from pipeline.classify.informative import informative
from pipeline.classify.measures import auc
from pipeline.kernels.bpe.pretokens import count_pretokens
from pipeline.kernels.buffers import text_buffers
from pipeline.sample.contents import DOMAINS

NO_PAGES = ("image", "missing_page", "truncated")


class Crawl:
    """One generated sample: its files, its truth, and its pages as text."""

    def __init__(self, domain: str, seed: int, pages: int) -> None:
        self.files = dict(sample.generate(domain, seed, pages))
        self.rows = [json.loads(line) for line in self.files["truth.jsonl"].splitlines()]
        self.truth = {row["url"]: row for row in self.rows if row["record"] == "response"}
        self.bodies: dict[str, bytes] = {}
        for name, data in self.files.items():
            if name.endswith(".gz"):
                for record in ArchiveIterator(io.BytesIO(data), record_types=WarcRecordType.response):
                    self.bodies[record.headers["WARC-Target-URI"]] = record.reader.read()
        self.sources = {url: _decoded(body) for url, body in self.bodies.items()}
        self.texts = _Texts(self.sources)

    def urls(self, *kinds: str, expect: str | None = None) -> list[str]:
        return [
            url
            for url, row in self.truth.items()
            if (not kinds or row["kind"] in kinds)
            and row["kind"] not in NO_PAGES
            and (expect is None or row["expect"] == expect)
        ]


class _Texts(dict[str, str]):
    """Main text by URL, extracted when first asked for."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def __missing__(self, url: str) -> str:
        self[url] = _main_text(self.sources[url])
        return self[url]


def _decoded(body: bytes) -> str:
    return body.decode("utf-16" if body[:2] == b"\xff\xfe" else "utf-8", "replace")


def _main_text(source: str) -> str:
    return extract_plain_text(source, main_content=True) if "<html" in source[:400] else source


@pytest.fixture(scope="module", params=sorted(DOMAINS))
def crawl(request: pytest.FixtureRequest) -> Crawl:
    """A tenth of the sample of each domain, in the proportions of the whole."""
    return Crawl(request.param, 0, 300)


@pytest.fixture(scope="module")
def whole() -> Crawl:
    """The sample as the recipe runs it."""
    return Crawl("finance", 0, 3000)


def test_same_seed_same_bytes():
    def digest(seed: int) -> str:
        return hashlib.sha256(b"".join(data for _, data in sample.generate("finance", seed, 60))).hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_pages_do_not_depend_on_the_number_of_files():
    one = dict(sample.generate("finance", 3, 60, files=1))
    three = dict(sample.generate("finance", 3, 60, files=3))
    assert sorted(one) == ["crawl-00000.warc.gz", "truth.jsonl"]
    assert sorted(three) == [*(f"crawl-0000{n}.warc.gz" for n in range(3)), "truth.jsonl"]

    def pages(files: dict[str, bytes]) -> set[str]:
        lines = map(json.loads, files["truth.jsonl"].splitlines())
        return {row["url"] for row in lines if row["kind"] != "warcinfo"}

    assert pages(one) == pages(three)


def test_every_response_is_in_the_truth(crawl):
    assert set(crawl.bodies) <= set(crawl.truth)
    unread = set(crawl.truth) - set(crawl.bodies)
    assert all(crawl.truth[url]["kind"] == "truncated" for url in unread)
    assert sum(row["kind"] == "truncated" for row in crawl.rows) == 1
    assert sum(row["record"] == "response" for row in crawl.rows) == len(crawl.truth), "an address stands twice"


def test_hosts_say_the_role(crawl, request):
    domain = request.node.callspec.params["crawl"]
    for url, row in crawl.truth.items():
        host = url.split("/")[2]
        on_domain_host = any(fnmatch.fnmatchcase(host, glob) for glob in sample.DOMAIN_HOSTS[domain])
        if row["role"] != "noise":
            assert on_domain_host == (row["role"] == "domain"), url


def test_good_pages_pass_the_rules_of_gopher_and_fineweb(crawl):
    failed = {url: rules for url in crawl.urls(expect="keep") if (rules := broken_rules(crawl.texts[url]))}
    assert len(failed) <= 0.02 * len(crawl.urls(expect="keep")), failed


def test_spam_lists_and_other_languages_break_some_rule(crawl):
    for url in crawl.urls("spam", "list", "foreign"):
        assert broken_rules(crawl.texts[url]), url


def test_main_content_keeps_the_prose_and_drops_the_menus(crawl):
    for url in crawl.urls("news", "general", "speech", "filing", "opinion", "abstract"):
        text = crawl.texts[url]
        assert "Puzzles" not in text, url
        assert "utm_source" not in text
        assert len(text.split()) > 150, url


def test_copies_are_copies(crawl):
    copies = [row for row in crawl.truth.values() if row["duplicate_of"]]
    assert {row["kind"] for row in copies} == {"duplicate", "near_duplicate"}
    for row in copies:
        same = crawl.bodies[row["url"]] == crawl.bodies[row["duplicate_of"]]
        assert same == (row["kind"] == "duplicate"), row["url"]
        likeness = jaccard(shingles(crawl.texts[row["url"]]), shingles(crawl.texts[row["duplicate_of"]]))
        assert likeness > 0.7, (row["url"], likeness)


def test_only_copies_are_alike(crawl):
    """MinHash of 14 bands by 8 rows over five-word shingles; under one page in a hundred may have a false friend."""
    urls = [url for url in crawl.urls() if len(crawl.texts[url].split()) > 5]
    root = {url: crawl.truth[url]["duplicate_of"] or url for url in urls}
    false = {
        url
        for pair in lsh_pairs({url: crawl.texts[url] for url in urls})
        if root[pair[0]] != root[pair[1]]
        for url in pair
    }
    assert len(false) <= 0.01 * len(urls), sorted(false)
    assert not any(crawl.truth[url]["expect"] == "keep" for url in false)


def test_planted_personal_data_is_valid(crawl):
    for url in crawl.urls("pii_good"):
        text, planted = crawl.texts[url], crawl.truth[url]["facts"]["pii"]
        assert len(re.findall(r"\S+@\S+\.example\.com", text)) == planted.get("email", 0)
        assert len(re.findall(r"\+1 \d{3}-555-01\d\d", text)) == planted.get("phone", 0)
        cards = re.findall(r"\b4\d{3} \d{4} \d{4} \d{4}\b", text)
        assert len(cards) == planted.get("card", 0)
        assert all(luhn(card.replace(" ", "")) for card in cards)
        accounts = re.findall(r"\b(?:GB|DE)\d\d[A-Z0-9]{18}\b", text)
        assert len(accounts) == planted.get("iban", 0)
        assert all(mod97(account) == 1 for account in accounts)
        hosts = re.findall(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", text)
        assert len(hosts) == planted.get("ip", 0)
        assert all(int(part) < 256 for host in hosts for part in host.split("."))


def test_identity_pages_name_their_identity_and_insults_are_elsewhere(crawl):
    insults = re.compile(r"\b(idiot|moron|asshole|bastard|loser)\b", re.I)
    for url in crawl.urls("identity_good"):
        term = crawl.truth[url]["facts"]["terms"][0]
        assert crawl.texts[url].count(term) >= 2, url
    assert not [url for url in crawl.urls(expect="keep") if insults.search(crawl.texts[url])]
    assert all(insults.search(crawl.texts[url]) for url in crawl.urls("toxic"))


def test_proportions_are_those_of_a_crawl(whole):
    raw = pretokens(whole.bodies.values())
    keep = whole.urls(expect="keep")
    good = {
        role: pretokens(whole.texts[url].encode() for url in keep if whole.truth[url]["role"] == role)
        for role in ("domain", "general")
    }
    kept = sum(good.values())
    assert 15e6 < raw < 27e6
    assert kept >= 360_000
    assert 0.013 <= kept / raw <= 0.028
    assert 0.50 <= good["domain"] / kept <= 0.66
    kinds = Counter(row["kind"] for row in whole.rows)
    assert 2700 <= len(whole.rows) <= 3300
    assert sum(kinds[kind] for kind in ("boilerplate", "spam", "list", "foreign", "toxic")) > 1500


def test_whole_sample_has_no_false_friends(whole):
    good = {url: whole.texts[url] for url in whole.urls(expect="keep")}
    assert not list(lsh_pairs(good))


def test_no_rule_tells_worth_and_the_score_does(whole):
    """Thin pages are clean by the rules; the score puts them below pages with facts in an odd form and below ordinary ones."""
    worth = {"thin": "little", "odd": "much"}
    urls = {kind: whole.urls(kind) for kind in (*worth, "general")}
    for kind, said in worth.items():
        assert {whole.truth[url]["facts"]["worth"] for url in urls[kind]} == {said}
    broken = [url for kind in worth for url in urls[kind] if broken_rules(whole.texts[url])]
    assert len(broken) <= 0.05 * sum(len(urls[kind]) for kind in worth), broken
    scores = {
        kind: informative(pa.array([whole.texts[url] for url in own], pa.large_string())) for kind, own in urls.items()
    }
    assert auc(scores["odd"], scores["thin"]) > 0.95
    assert auc(scores["general"], scores["thin"]) > 0.95


def test_damage_is_what_the_truth_says(whole):
    damage: dict[str, list[bytes]] = defaultdict(list)
    for url in whole.urls("broken_encoding"):
        damage[whole.truth[url]["facts"]["damage"]].append(whole.bodies[url])
    assert set(damage) == {"windows-1252", "utf-16", "mojibake", "surrogates", "nul", "cut"}
    assert all(body.startswith(b"\xff\xfe") for body in damage["utf-16"])
    assert all(b"\x00" in body for body in damage["nul"])
    assert all(b"\xed\xa0\xbd" in body for body in damage["surrogates"])
    for body in damage["windows-1252"] + damage["cut"]:
        with pytest.raises(UnicodeDecodeError):
            body.decode("utf-8")
    pages = (whole.bodies[url] for url in whole.urls("general"))
    plain = [body for body in pages if b"\r\n\r\n" in body and b"<html" not in body[:400]]
    assert len(plain) > 10
    assert all(len(line) <= 72 for body in plain for line in body.decode().split("\r\n"))


def test_score_of_a_perfect_run_and_of_a_lazy_one(crawl):
    perfect = {url: "kept" if row["expect"] == "keep" else "removed" for url, row in crawl.truth.items()}
    verdict = sample.score(crawl.rows, perfect)
    assert verdict["lost"] == verdict["leaked"] == verdict["missing"] == []
    assert verdict["keep_recall"] == verdict["drop_recall"] == 1.0
    assert verdict["copies"]["with_one_kept"] == verdict["copies"]["clusters"] > 0

    lazy = sample.score(crawl.rows, dict.fromkeys(crawl.truth, "kept"))
    assert lazy["lost"] == []
    assert lazy["drop_recall"] == 0.0
    assert lazy["copies"]["with_more_kept"] == lazy["copies"]["clusters"]

    nothing = sample.score(crawl.rows, {})
    assert set(nothing["missing"]) == set(crawl.truth)
    assert nothing["keep_recall"] == 0.0


def test_score_accepts_any_survivor_of_a_cluster():
    rows = [
        {"url": "a", "kind": "news", "expect": "keep", "duplicate_of": None, "record": "response"},
        {"url": "b", "kind": "duplicate", "expect": "drop", "duplicate_of": "a", "record": "response"},
    ]
    assert sample.score(rows, {"a": "removed", "b": "kept"})["leaked"] == []
    assert sample.score(rows, {"a": "removed", "b": "kept"})["lost"] == []
    assert sample.score(rows, {"a": "kept", "b": "kept"})["leaked"] == ["b"]
    assert sample.score(rows, {"a": "removed", "b": "removed"})["lost"] == ["a"]


# ---- the rules, in plain Python


def broken_rules(text: str) -> list[str]:
    """Rules of Gopher (arXiv 2112.11446, A1) and FineWeb (arXiv 2406.17557) that a text breaks."""
    words, lines = text.split(), [line.strip() for line in text.split("\n") if line.strip()]
    if not words:
        return ["empty"]
    found = []
    for size, bound in ((2, 0.20), (3, 0.18), (4, 0.16)):
        grams = Counter(" ".join(words[n : n + size]) for n in range(len(words) - size + 1))
        top, count = grams.most_common(1)[0] if grams else ("", 0)
        if len(top) * count / len(" ".join(words)) > bound:
            found.append(f"top_{size}_gram")
    for size, bound in zip(range(5, 11), (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True):
        if repeated(words, size) / len(" ".join(words)) > bound:
            found.append(f"dup_{size}_gram")
    counts = Counter(lines)
    repeats = sum(len(line) * (count - 1) for line, count in counts.items())
    if (len(lines) - len(counts)) / len(lines) > 0.3 or repeats / len(text) > 0.01:
        found.append("dup_line")
    spelled = [word for word in words if any(map(str.isalnum, word))]
    if not 50 <= len(spelled) <= 100_000:
        found.append("num_words")
    if spelled and not 3 <= sum(map(len, spelled)) / len(spelled) <= 10:
        found.append("mean_word_length")
    if len({"the", "be", "to", "of", "and", "that", "have", "with"} & {word.lower() for word in words}) < 2:
        found.append("stop_words")
    if sum(any(map(str.isalpha, word)) for word in words) / len(words) < 0.8:
        found.append("alpha_words")
    if sum(line.endswith((".", "!", "?", '"', "”")) for line in lines) / len(lines) < 0.12:
        found.append("line_punct")
    if sum(len(line) <= 30 for line in lines) / len(lines) > 0.67:
        found.append("short_lines")
    if text.count("\n") / len(words) > 0.3:
        found.append("newlines")
    return found


def pretokens(pages: Iterable[bytes]) -> int:
    """Pre-tokens as the pipeline counts them before it has a tokenizer."""
    offsets, data = text_buffers(pa.array(list(pages), pa.large_binary()))
    return int(count_pretokens(offsets, data).sum())


def repeated(words: list[str], size: int) -> int:
    """Characters of n-grams seen before, each counted once."""
    seen, at, characters = set(), 0, 0
    while at <= len(words) - size:
        gram = tuple(words[at : at + size])
        if gram in seen:
            characters += sum(map(len, gram))
            at += size
        else:
            seen.add(gram)
            at += 1
    return characters


def shingles(text: str) -> set[int]:
    words = text.lower().split()
    return {
        int.from_bytes(
            hashlib.blake2b(" ".join(words[n : n + 5]).encode("utf-8", "surrogatepass"), digest_size=7).digest()
        )
        for n in range(max(1, len(words) - 4))
    }


def jaccard(one: set[int], two: set[int]) -> float:
    return len(one & two) / len(one | two)


def lsh_pairs(texts: dict[str, str]) -> set[tuple[str, str]]:
    """Pairs that share one of 14 bands of 8 minima; hash k of a shingle is a fixed odd multiple modulo 2**61 - 1."""
    prime = np.uint64((1 << 31) - 1)
    generator = np.random.default_rng(0)
    times = generator.integers(1, 1 << 31, 112, dtype=np.uint64)
    plus = generator.integers(0, 1 << 31, 112, dtype=np.uint64)
    bands: dict[tuple[int, bytes], list[str]] = defaultdict(list)
    for url, text in texts.items():
        values = np.array(sorted(shingles(text)), dtype=np.uint64) % prime
        minima = ((values[:, None] * times[None, :] + plus[None, :]) % prime).min(axis=0)
        for band in range(14):
            bands[band, minima[band * 8 : band * 8 + 8].tobytes()].append(url)
    return {(a, b) for group in bands.values() for a in group for b in group if a < b}


def luhn(digits: str) -> bool:
    doubled = [int(d) if n % 2 else sum(divmod(2 * int(d), 10)) for n, d in enumerate(digits)]
    return sum(doubled) % 10 == 0


def mod97(account: str) -> int:
    return int("".join(str(int(c, 36)) for c in account[4:] + account[:4])) % 97
