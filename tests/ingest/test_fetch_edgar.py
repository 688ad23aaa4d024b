"""Filings from a look-alike of EDGAR: what is chosen, what is said of each, how often it is asked, and after a kill."""

import json
import os
import signal
import time

import pytest

from pipeline.core.execute import Runner
from pipeline.core.in_process import InProcess
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError, UsageError
from pipeline.ingest.crawl.edgar import estimate, planned
from pipeline.ingest.source import Source
from pipeline.ingest.step import freeze, frozen_files

from .conftest import rows_of
from .files_site import FilesSite

AGENT = "acme-research/1.0 (filings@acme.example)"
COMPANIES = {101: ("FIRST BANK", "FRST", 6021), 202: ("SECOND MILLS", "MILL", 2040), 303: ("THIRD BANK", "THRD", 6022)}


def submission(accession, cik, form, filed, text):
    name, _, sic = COMPANIES[cik]
    return f"""<SEC-DOCUMENT>{accession}.txt : {filed}
<SEC-HEADER>{accession}.hdr.sgml : {filed}
ACCESSION NUMBER:\t\t{accession}
CONFORMED SUBMISSION TYPE:\t{form}
CONFORMED PERIOD OF REPORT:\t20231231
FILED AS OF DATE:\t\t{filed}

FILER:
\tCOMPANY DATA:
\t\tCOMPANY CONFORMED NAME:\t\t\t{name}
\t\tCENTRAL INDEX KEY:\t\t\t{cik:010d}
\t\tSTANDARD INDUSTRIAL CLASSIFICATION:\tSOME INDUSTRY [{sic}]
</SEC-HEADER>
<DOCUMENT>
<TYPE>{form}
<SEQUENCE>1
<FILENAME>main.htm
<TEXT>
<html><body><p>{text}</p></body></html>
</TEXT>
</DOCUMENT>
<DOCUMENT>
<TYPE>EX-21
<SEQUENCE>2
<FILENAME>ex21.htm
<TEXT>
<html><body><p>Subsidiaries of {name}</p></body></html>
</TEXT>
</DOCUMENT>
</SEC-DOCUMENT>
"""


@pytest.fixture
def edgar(tmp_path):
    root, lines = tmp_path / "edgar", []
    for number, (cik, form, filed) in enumerate(
        [(101, "10-K", "20240115"), (202, "10-K", "20240116"), (101, "8-K", "20240117"), (303, "10-K", "20240118"),
         (101, "10-K/A", "20240301"), *[(303, "10-Q", f"202402{day:02d}") for day in range(1, 21)]]
    ):  # fmt: skip
        accession = f"{cik:010d}-24-{number:06d}"
        path = f"edgar/data/{cik}/{accession}.txt"
        (root / "Archives" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "Archives" / path).write_text(submission(accession, cik, form, filed, f"Report {number}."))
        lines.append(f"{cik}|{COMPANIES[cik][0]}|{form}|{filed[:4]}-{filed[4:6]}-{filed[6:]}|{path}")
    index = root / "Archives/edgar/full-index/2024/QTR1/master.idx"
    index.parent.mkdir(parents=True)
    index.write_text(
        "Description: Master Index\n\nCIK|Company Name|Form Type|Date Filed|Filename\n-----\n" + "\n".join(lines)
    )
    (root / "files").mkdir()
    tickers = {str(n): {"cik_str": cik, "ticker": said[1]} for n, (cik, said) in enumerate(COMPANIES.items())}
    (root / "files/company_tickers.json").write_text(json.dumps(tickers))
    (root / "submissions").mkdir()
    for cik, (_, _, sic) in COMPANIES.items():
        (root / f"submissions/CIK{cik:010d}.json").write_text(json.dumps({"sic": str(sic)}))
    site = FilesSite(root)
    yield site
    site.close()


def source(site, **chosen):
    plan = {
        "user_agent": AGENT,
        "years": [2024],
        "base": site.url,
        "data": site.url,
        "allow_hosts": [site.host],
        **chosen,
    }
    return Source(name="filings", kind="edgar", fetch=plan)


def fetched(source, folder):
    store = Store(str(folder))
    commits = Runner(store, InProcess()).execute(Step.INGEST, planned(store, source, {}), freeze)
    planned(store, source, commits)
    rows = []
    for info in frozen_files(commits, source.name).values():
        rows += rows_of(Source(name="filings", kind="warc", path=store.locate(info.path)))
    return rows, commits["filings/edgar"]


def said(row):
    return dict(part.split(": ", 1) for part in row["detail"].split("; "))


def test_filings_are_chosen_by_form_company_and_industry(edgar, tmp_path):
    rows, commit = fetched(source(edgar), tmp_path / "a")
    assert {(said(row)["cik"], said(row)["form"]) for row in rows} == {
        ("101", "10-K"), ("101", "10-K/A"), ("202", "10-K"), ("303", "10-K"),
    }  # fmt: skip
    assert commit.counts == {"filings": 4, "missing": 0, "repeated": 0}
    first = next(row for row in rows if row["doc_type"] == "10-K")
    assert (
        first["detail"]
        == "accession: 0000000101-24-000000; cik: 101; form: 10-K; period: 2023-12-31; filed: 2024-01-15; sic: 6021"
    )
    assert first["url"] == "https://www.sec.gov/Archives/edgar/data/101/000000010124000000/main.htm"
    amended = [row for row in rows if row["doc_type"] == "10-K/A"]
    assert said(amended[0])["amends"] == "0000000101-24-000000"
    assert {row["doc_type"] for row in rows} == {"10-K", "10-K/A", "EX-21"}
    rows, _ = fetched(source(edgar, companies=["mill", 303], amendments=False), tmp_path / "b")
    assert {said(row)["cik"] for row in rows} == {"202", "303"}
    rows, _ = fetched(source(edgar, sic=[6021, "6022"], max_filings=2), tmp_path / "c")
    assert [said(row)["cik"] for row in rows if row["doc_type"] == "10-K"] == ["101", "303"]
    with pytest.raises(UsageError, match="no ticker NONE"):
        fetched(source(edgar, companies=["NONE"]), tmp_path / "d")


def test_the_rate_holds_the_agent_is_named_and_a_busy_server_is_asked_again(edgar, tmp_path):
    edgar.failures["/Archives/edgar/full-index/2024/QTR1/master.idx"] = 503
    edgar.failures["/Archives/edgar/data/303/0000000303-24-000003.txt"] = 429
    _, commit = fetched(source(edgar, forms=["10-K", "10-Q"]), tmp_path / "a")
    assert commit.counts["filings"] == 24
    assert edgar.most_in_a_second() <= 10
    assert {fields["User-Agent"] for _, _, fields in edgar.asked} == {AGENT}


def test_a_fetch_that_is_killed_goes_on(edgar, tmp_path):
    wanted = source(edgar, forms=["10-K", "10-Q"])
    whole, _ = fetched(wanted, tmp_path / "whole")
    edgar.asked.clear()
    for wait in (0.6, 1.0, 0.8):
        child = os.fork()
        if child == 0:
            fetched(wanted, tmp_path / "killed")
            os._exit(0)
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    rows, _ = fetched(wanted, tmp_path / "killed")
    assert sorted(row["id"] for row in rows) == sorted(row["id"] for row in whole)
    paths = edgar.paths()
    assert max(map(paths.count, paths)) <= 4
    assert len(paths) - len(set(paths)) <= 3 * 4, "at most the requests in flight of each death"


def test_a_missing_filing_is_counted_and_the_plan_says_how_many(edgar, tmp_path):
    (edgar.root / "Archives/edgar/data/202/0000000202-24-000001.txt").unlink()
    rows, commit = fetched(source(edgar), tmp_path / "a")
    assert commit.counts["missing"] == 1
    assert {said(row)["cik"] for row in rows} == {"101", "303"}
    assert estimate(source(edgar)).startswith("4 filings of 3 companies")


def test_quarters_to_come_are_not_asked_for_and_a_notice_in_place_of_a_list_is_named(edgar, tmp_path):
    coming = time.gmtime().tm_year + 1
    rows, _ = fetched(source(edgar, years=[2024, coming]), tmp_path / "a")
    assert len(rows) > 3
    assert not [path for path in edgar.paths() if str(coming) in path]
    edgar.answers["/files/company_tickers.json"] = b"<html>Down for maintenance</html>"
    with pytest.raises(InfrastructureError, match=r"company_tickers\.json is not the list it should be"):
        fetched(source(edgar, companies=["MILL"]), tmp_path / "b")
    with pytest.raises(ValueError, match="sic"):
        source(edgar, sic=["banks"])
