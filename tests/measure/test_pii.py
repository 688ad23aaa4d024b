"""Personal data: kinds, check digits, what is kept, order, linearity, precision on real text."""

import ipaddress
import json
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.kernels.pii.checks import (
    IBAN_LENGTHS,
    card_network,
    is_cusip,
    is_iban,
    is_isin,
    is_lei,
    is_public_ip,
    luhn,
)
from pipeline.kernels.pii.scan import KINDS
from pipeline.measure.judges.pii import Pii, pii, placeholder

ALL = Pii(kinds=["email", "phone", "ipv4", "ipv6", "iban", "card", "ssn", "ein", "passport", "api_key"])


def spans(texts, settings=ALL):
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    found = pii.run(batch, settings)["spans"].to_pylist()
    return [
        [(s["kind"], t.encode()[s["start"] : s["end"]].decode()) for s in row]
        for t, row in zip(texts, found, strict=True)
    ]


JWT = "eyJhbGciOiJub25lIn0.eyJ1c2VyIjoiYW5uIiwibiI6MX0.c2lnbmF0dXJlLW9mLW5vdGhpbmc"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBkg4LVWM9nuwNSk3yByxZpYRTBnVJk5oy\nann@mail.example\n-----END EC PRIVATE KEY-----"
FOUND = [
    ("Write to jane.doe+x@mail.example.co.uk.", [("email", "jane.doe+x@mail.example.co.uk")]),
    ("почта: иван@пример.рф!", [("email", "иван@пример.рф")]),
    ("josé@xn--bcher-kva.example", [("email", "josé@xn--bcher-kva.example")]),
    ("Call +44 20 7946 0958 or (212) 555-0187.", [("phone", "+44 20 7946 0958"), ("phone", "(212) 555-0187")]),
    ("dial 1-877-344-7529 ext. 12", [("phone", "1-877-344-7529 ext. 12")]),
    ("phone: 555 0134", [("phone", "555 0134")]),
    ("from 81.2.69.142 at noon", [("ipv4", "81.2.69.142")]),
    ("host 2a00:1450:4001:81b::200e up", [("ipv6", "2a00:1450:4001:81b::200e")]),
    ("IBAN DE89 3704 0044 0532 0130 00, thanks", [("iban", "DE89 3704 0044 0532 0130 00")]),
    ("to gb82west12345698765432.", [("iban", "gb82west12345698765432")]),
    ("card 4111 1111 1111 1111 expires", [("card", "4111 1111 1111 1111")]),
    ("amex 378282246310005", [("card", "378282246310005")]),
    ("SSN 536-22-8145", [("ssn", "536-22-8145")]),
    ("EIN 91-1144442", [("ein", "91-1144442")]),
    ("passport no. C01X00T47", [("passport", "C01X00T47")]),
    ("passport number 533380006", [("passport", "533380006")]),
    ("key AKIAIOSFODNN7EXAMPLE ", [("api_key", "AKIAIOSFODNN7EXAMPLE")]),
    ("Taxpayer 987-65-4321 filed late.", [("ssn", "987-65-4321")]),
    ("her ITIN, 934 71 2208, is new", [("ssn", "934 71 2208")]),
    ("the child's ATIN: 912-93-4421", [("ssn", "912-93-4421")]),
    (
        'AWS_SECRET_ACCESS_KEY="9dKq/Zs0wPvT+31LmNbYcXoRfEhJgUaWi27uVtQe"',
        [("api_key", 'AWS_SECRET_ACCESS_KEY="9dKq/Zs0wPvT+31LmNbYcXoRfEhJgUaWi27uVtQe')],
    ),
    ("Telefon 05121-1234 abends", [("phone", "05121-1234")]),
    ("6011000990139424", [("card", "6011000990139424")]),
    ("Paid with 5105105105105100 at noon", [("card", "5105105105105100")]),
    ("ring 415/555-0132 after six", [("phone", "415/555-0132")]),
    ("Rua: (11) 98765-4321", [("phone", "(11) 98765-4321")]),
    ("write: 管理@例え.example", [("email", "管理@例え.example")]),
    ("tom.lee (at) fund (dot) example (dot) org asks", [("email", "tom.lee (at) fund (dot) example (dot) org")]),
    ("sue [at] court.example", [("email", "sue [at] court.example")]),
    ("ann at mail dot example dot com", [("email", "ann at mail dot example dot com")]),
    ("token: ghp_16C7e42F292c6912E7710c838347Ae178B4a", [("api_key", "ghp_16C7e42F292c6912E7710c838347Ae178B4a")]),
    ("PAT glpat-Zx9_Yw8vUt7sRq6pOn5m", [("api_key", "glpat-Zx9_Yw8vUt7sRq6pOn5m")]),
    ("bearer " + JWT + " ok", [("api_key", JWT)]),
    ("a\n" + PEM + "\nb", [("api_key", PEM)]),
    ("123-456-7890.joe@mail.example.com", [("email", "123-456-7890.joe@mail.example.com")]),
]
KEPT = [
    "CUSIP 037833100, ISIN US0378331005, LEI HWUPKR0MPOU8FGXBT394.",
    "CIK 0000320193, accession 0000320193-20-000096.",
    "Revenue 1,234,567 and 123 456 789 against 2019-2020; 12/31/2019, 2020-03-31, 10:30:45.",
    "Sections 1.2.3.4 and 10.0.0.1 and 192.168.1.1; version 3.10.2",
    "user@localhost, @handle, a@b, std::vector, 4111 1111 1111 1112, GB82 WEST 1234 5698 7654 33",
    "000-12-3456 666-12-3456 912-12-3456",
    "Granted (345) 188.20\nOther (812) 455 310\nNet change (41) 302 117 / Cash (214) 330 1187 902",
    "Fees (5) 221 874\nMember card 2031 2030 2029 2028, prepaid card 1999 2000 2001",
    "cell cycle (go:0007049, go:0051301); grant 5-3321-8890; Docket No. 22-555-0134; File Number 812-555-0143",
    "Annual%20Report%202123-555-0142.pdf and Q%204111111111111111",
    "Quay House, Salem, MA 01970-3344\nHaven Trust, Providence, RI 02903-1187",
    'File number</a> <td class="text">001-50612</td> text 000-21877',
    "the secret access key was lost; SECRET_ACCESS_KEY=changeme",
    "Loans:\n4111111111111111\n4012888888881881\n5105105105105100",
    "Account No. 4111111111111111, the price (at) the close [at] noon; look at it dot by dot",
    "The 30-year 4.25% notes due 2030 (333-123456) of 100,000,000 shares",
]


@pytest.mark.parametrize(("text", "expected"), FOUND, ids=[text[:24] for text, _ in FOUND])
def test_found(text, expected):
    assert spans([text]) == [expected]


@pytest.mark.parametrize("text", KEPT, ids=[text[:24] for text in KEPT])
def test_kept(text):
    assert spans([text]) == [[]]


def test_contacts_of_organisations_stay_on_request():
    keep = Pii(keep_contacts_of=["organisation"])
    office = [
        "For more, call Investor Relations at (212) 555-0187.",
        "The conference call is at +1 646 555 0142 (passcode 77).",
        "(415) 555-0132\n(Registrant's telephone number, including area code)",
        "media.relations@bank.example",
        "Write to IR@fund.example or info [at] fund.example",
    ]
    people = ["Ann Lee, mobile (212) 555-0187, asked for a loan.", "ann.lee@mail.example"]
    assert all(spans([text])[0] for text in office + people)
    assert [spans([text], keep)[0] for text in office] == [[]] * len(office)
    assert [len(spans([text], keep)[0]) for text in people] == [1, 1]


NOTE = """Patient: Adebayo, Folake   MRN 00412   DOB: 04/12/1931
Seen on March 3, 2031 by Dr. Wójcik and Priya Raman, MD. Referring physician: Tomás Quintanilla
Mrs. Adebayo is a 94-year-old woman with Parkinson disease and Crohn's disease. Linda Hayes, her daughter, drove her.
On 2031-02-27 José took the blood; Foley catheter in place. Follow up 4/18/31. She may walk; will see Grace clinic in May.
"""


def test_names_days_and_high_ages_on_request():
    found = spans([NOTE], Pii(names="list"))[0]
    assert found == [
        ("name", "Adebayo, Folake"), ("date", "04/12"), ("date", "March 3"), ("name", "Wójcik"), ("name", "Priya Raman"),
        ("name", "Tomás Quintanilla"), ("name", "Adebayo"), ("age", "94"), ("name", "Linda Hayes"), ("date", "02-27"),
        ("name", "José"), ("date", "4/18"),
    ]  # fmt: skip
    assert spans([NOTE])[0] == []
    batch = pa.record_batch({"text": pa.array([NOTE], pa.large_string())})
    counted = pii.run(batch, Pii(names="list")).to_pylist()[0]
    assert [counted[f"num_{kind}"] for kind in ("name", "date", "age")] == [7, 4, 1]


def test_public_identifiers_are_counted():
    batch = pa.record_batch({"text": pa.array(KEPT[:2], pa.large_string())})
    assert pii.run(batch, ALL)["num_public_ids"].to_pylist() == [3, 2]


def test_private_addresses_on_request():
    assert spans(["at 10.0.0.25 now"], Pii(kinds=["ipv4"], public_ips_only=False)) == [[("ipv4", "10.0.0.25")]]


def test_settings_choose_kinds_and_action():
    text = "a@example.com or 212-555-0187"
    assert spans([text], Pii(kinds=["phone"])) == [[("phone", "212-555-0187")]]
    batch = pa.record_batch({"text": pa.array([text, "none"], pa.large_string())})
    signals = pa.Table.from_batches([pii.run(batch, Pii())])
    assert pii.rules(signals, Pii()) == {}
    assert pii.rules(signals, Pii(action="remove"))["found"].to_pylist() == [True, False]
    assert placeholder("api_key") == "<API_KEY>"
    assert "action" not in Pii().measured()


text_pieces = st.lists(
    st.one_of(
        st.sampled_from([text for text, _ in FOUND] + KEPT), st.text(alphabet=st.characters(exclude_categories=["Cs"]))
    ),
    max_size=6,
)


@settings(deadline=None)  # the first call compiles
@given(text_pieces)
def test_spans_are_sorted_apart_and_on_borders_and_rows_do_not_mix(parts):
    whole = " \n".join(parts)
    batch = pa.record_batch({"text": pa.array([whole, *parts], pa.large_string())})
    found = pii.run(batch, ALL)["spans"].to_pylist()
    for text, row in zip([whole, *parts], found, strict=True):
        raw, last = text.encode(), 0
        for span in row:
            assert last <= span["start"] < span["end"] <= len(raw)
            raw[span["start"] : span["end"]].decode()
            raw[: span["start"]].decode()
            last = span["end"]
    reverse = pa.record_batch({"text": pa.array([*reversed(parts), whole], pa.large_string())})
    assert pii.run(reverse, ALL)["spans"].to_pylist() == [*reversed(found[1:]), found[0]]


def digits_of(number):
    return np.array([int(char, 36) for char in number], np.uint8)


def luhn_twin(number):
    return (
        sum(int(d) if at % 2 == 0 else sum(divmod(2 * int(d), 10)) for at, d in enumerate(reversed(number))) % 10 == 0
    )


@settings(deadline=None)  # the first call compiles
@given(st.text("0123456789", min_size=1, max_size=19))
def test_luhn_equals_its_twin(number):
    assert luhn(digits_of(number), len(number)) == luhn_twin(number)


@settings(deadline=None)  # the first call compiles
@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=9, max_size=34))
def test_alphanumeric_checks_equal_their_twins(text):
    values = digits_of(text)
    expanded = "".join(str(int(char, 36)) for char in text)
    turned = "".join(str(int(char, 36)) for char in text[4:] + text[:4])
    country = text[:2].isalpha() and text[2:4].isdigit() and len(text) >= 15
    known = country and IBAN_LENGTHS[(ord(text[0]) - 65) * 26 + ord(text[1]) - 65] == len(text)
    assert is_iban(values, len(text), IBAN_LENGTHS) == bool(known and int(turned) % 97 == 1)
    assert is_lei(values, len(text)) == (len(text) == 20 and text[18:].isdigit() and int(expanded) % 97 == 1)
    assert is_isin(values, len(text)) == (
        len(text) == 12 and text[:2].isalpha() and text[-1].isdigit() and luhn_twin(expanded)
    )


def test_true_identifiers_pass():
    assert is_cusip(digits_of("037833100"), 9)
    assert not is_cusip(digits_of("037833101"), 9)
    assert is_isin(digits_of("US0378331005"), 12)
    assert is_lei(digits_of("HWUPKR0MPOU8FGXBT394"), 20)
    assert card_network(digits_of("4111111111111111"), 16) == 2


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1))
def test_public_addresses_are_those_of_ipaddress(value):
    address = ipaddress.IPv4Address(value)
    local = (
        address.is_private
        or address.is_multicast
        or address.is_reserved
        or address in ipaddress.ip_network("100.64.0.0/10")
    )
    ours = is_public_ip(value >> 24, (value >> 16) & 255, (value >> 8) & 255)
    if ours != (
        not local
    ):  # benchmarking and protocol blocks are private to ipaddress and of no person: either is fine
        assert address in ipaddress.ip_network("198.18.0.0/15") or address in ipaddress.ip_network("192.0.0.0/24")


def test_public_addresses_at_the_borders():
    for text in ("9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.0.1", "223.255.255.255"):
        first, second, third, _ = map(int, text.split("."))
        assert is_public_ip(first, second, third)
        assert ipaddress.ip_address(text).is_global


@pytest.mark.parametrize(
    "unit", ["a", "1", "@", "a@", "1.", "1-", "+", "(", ":", "1 ", "é", "\u0301", "😀", "GB82", "a.b@c.d"]
)
def test_a_megabyte_of_one_thing(unit):
    """Quadratic work on it would take hours, not the suite's timeout."""
    text = unit * (1_000_000 // len(unit.encode()))
    assert all(found and found in text for _, found in spans([text])[0])


def test_generated_numbers_are_found():
    rng = random.Random(4)
    texts, wanted = [], []
    for _ in range(300):
        body = f"4{rng.randrange(10**14):014d}"
        number = next(body + str(d) for d in range(10) if luhn_twin(body + str(d)))
        account = f"{rng.randrange(10**18):018d}"
        check = 98 - int(account + "131400") % 97
        texts.append(f"Pay by card {number} or to DE{check:02d}{account} soon.")
        wanted.append([("card", number), ("iban", f"DE{check:02d}{account}")])
    assert spans(texts) == wanted


def test_every_kind_on_generated_text_and_public_identifiers_stay():
    from bench.pii import KEPT, MASKED, generated

    counts = generated(3_200)
    assert set(counts) == {*MASKED, *KEPT}
    for kind, (hit, extra, missed) in counts.items():
        assert hit >= 0.98 * (hit + missed), (kind, hit, extra, missed)
        assert extra <= 0.005 * (hit + extra), (kind, hit, extra, missed)
    for kind in ("email", "ipv4", "ipv6", "iban", "card", "ssn", *KEPT):
        assert counts[kind][2] == 0, kind


def test_masked_in_every_published_split(tmp_path):
    import contextlib
    import io

    import pyarrow.parquet as pq

    from pipeline.run import main
    from tests.faults.tiny import RECIPE, text, write_inputs

    write_inputs(tmp_path)
    private = "ann@mail.example.org", "4111 1111 1111 1111", "536-22-8145", "DE89 3704 0044 0532 0130 00"
    planted = f" Card {private[1]}, SSN {private[2]}, IBAN {private[3]}, CUSIP 037833100. Write to {private[0]}."
    rows = [
        {"id": "long", "text": text(901) + planted},
        {"id": "brief", "text": f"Too short. Card {private[1]}, CUSIP 037833100."},
    ]
    rows.append({"id": "twin", "text": text(901) + planted})
    with (tmp_path / "news.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.write('{"id": "no text", "body": "' + planted.replace('"', "") + '"}\n')
    (tmp_path / "r.yaml").write_text(RECIPE.replace("PATH", str(tmp_path)))
    with contextlib.redirect_stdout(io.StringIO()):
        main([str(tmp_path / "r.yaml"), "--out", str(tmp_path / "out"), "--ray", "none", "--no-train", "--json"])
    splits = Counter()
    for path in (tmp_path / "out/corpus").rglob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            whole = json.dumps(row, default=str, ensure_ascii=False)
            assert not [value for value in private if value in whole], row
            if "<CARD>" in row["text"]:
                assert "037833100" in row["text"]
                splits[path.relative_to(tmp_path / "out/corpus").parts[0]] += 1
    assert splits == {"kept": 1, "removed": 2}
    report = (tmp_path / "out/report.json").read_text()
    assert not [value for value in private if value in report]


CORPORA = os.environ.get("CORPORA", "")
needs_corpora = pytest.mark.skipif(not CORPORA, reason="CORPORA names the folder of real text; it is not set")
PRESIDIO = {
    "PHONE_NUMBER": "phone",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "card",
    "US_SSN": "ssn",
    "IP_ADDRESS": "ip",
    "EMAIL_ADDRESS": "email",
}


@needs_corpora
def test_f1_on_presidio_synth():
    from bench.labelled import members

    archive = Path(CORPORA) / "filters/pii_presidio_synth.tar.zst"
    _, content = next(iter(members(archive, "synth_dataset_v2.json")))
    rows = json.loads(content)
    counts = Counter()
    found = pii.run(pa.record_batch({"text": pa.array([r["full_text"] for r in rows], pa.large_string())}), ALL)
    for row, got in zip(rows, found["spans"].to_pylist(), strict=True):
        raw = row["full_text"].encode()
        ours = {
            (s["kind"][:2] if s["kind"].startswith("ip") else s["kind"], raw[s["start"] : s["end"]].decode())
            for s in got
        }
        theirs = {(PRESIDIO[s["entity_type"]], s["entity_value"]) for s in row["spans"] if s["entity_type"] in PRESIDIO}
        for kind, _ in ours & theirs:
            counts[kind, "hit"] += 2
        for kind, _ in ours | theirs:
            counts[kind, "all"] += 1
        for kind, _ in ours & theirs:
            counts[kind, "all"] += 1
    f1 = {kind: counts[kind, "hit"] / counts[kind, "all"] for kind in PRESIDIO.values()}
    goal = {"email": 1.0, "ip": 1.0, "ssn": 0.99, "card": 0.99, "iban": 0.97, "phone": 0.82}
    assert all(f1[kind] >= least for kind, least in goal.items()), f1


@needs_corpora
def test_filings_hold_no_cards_and_few_other_spans():
    from bench.labelled import members

    texts, size = [], 0
    for _, content in members(Path(CORPORA) / "finance/edgar_filings_html_a.tar.zst", ".htm"):
        texts.append(content.decode("utf-8", "replace"))
        size += len(content)
        if size > 12_000_000:
            break
    counts = Counter(kind for row in spans(texts) for kind, _ in row)
    assert counts["card"] <= size / 1e6
    assert counts["iban"] == counts["ipv6"] == counts["passport"] == counts["api_key"] == 0
    assert set(counts) <= set(KINDS)
