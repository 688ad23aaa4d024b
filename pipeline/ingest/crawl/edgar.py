"""Filings from EDGAR, chosen by company, form, year and industry: indexes first, then whole submissions.

The SEC asks for at most ten requests a second from one user, over all machines, and for a User-Agent with a contact
(sec.gov/os/accessing-edgar-data). So all sources of this kind are one task: the rate holds whatever the number of workers.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.core.execute import Assignment, Produced, Unit
from pipeline.core.run_folder import Commits
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError, UsageError
from pipeline.ingest.crawl.journal import discard
from pipeline.ingest.crawl.service import Service
from pipeline.ingest.crawl.settings import EdgarFetch
from pipeline.ingest.formats.edgar import AMENDS
from pipeline.ingest.source import Source

VERSION = 2
_SUBMISSION_BYTES = 200 * 2**20


@dataclass(frozen=True, slots=True)
class Filing:
    """A line of an index."""

    cik: int
    company: str
    form: str
    filed: str
    path: str

    @property
    def accession(self) -> str:
        """`0000320193-24-000123`."""
        return self.path.rpartition("/")[2].removesuffix(".txt")


@dataclass
class EdgarCounts:
    """For the commit record."""

    filings: int = 0
    missing: int = 0
    repeated: int = 0


def planned(store: Store, source: Source, done: Commits) -> list[Unit]:
    """One unit, in one task with those of other EDGAR sources."""
    unit = Unit(
        f"{source.name}/edgar",
        {},
        {"fetch": "edgar", "plan": _plan(source).model_dump(mode="json")},
        VERSION,
        group="edgar",
    )
    if unit.name in done:
        discard(store, done[unit.name])
    return [unit]


def work(store: Store, assigned: Assignment) -> Produced:
    """Fetch what is asked for, or go on where an earlier try was killed."""
    plan = EdgarFetch.model_validate(assigned.settings["plan"])
    service = Service(plan, plan.per_second, store, assigned)
    every = list(_filings(plan, service))
    chosen = _chosen(plan, service, every)
    amended = _amended(every)
    by_url = {f"{plan.base}/Archives/{filing.path}": filing for filing in chosen}

    def note(url: str) -> dict[str, str]:
        original = amended.get(by_url[url].accession)
        return {AMENDS: original} if original else {}

    there = service.documents(by_url, _SUBMISSION_BYTES, note)
    files = service.freeze(f"{assigned.path('raw', suffix='')}/edgar", there)
    return Produced(files, EdgarCounts(len(there), len(by_url) - len(there), service.repeated))


def estimate(source: Source) -> str:
    """What would be fetched, from the indexes."""
    plan = _plan(source)
    service = Service(plan, plan.per_second)
    filings = _chosen(plan, service, list(_filings(plan, service)))
    hours = len(filings) / plan.per_second / 3600
    return f"{len(filings):,} filings of {len({one.cik for one in filings}):,} companies, at least {hours:.2f} hours"


def _plan(source: Source) -> EdgarFetch:
    assert source.fetch is not None
    return source.fetch


def _filings(plan: EdgarFetch, service: Service) -> Iterator[Filing]:
    """Every filing of the forms and years, by any company: `CIK|Company Name|Form Type|Date Filed|Filename` a line."""
    forms = {form.upper() for form in plan.forms}
    forms |= {f"{form}/A" for form in forms} if plan.amendments else set()
    today = time.gmtime()
    for year in plan.years:
        for quarter in (1, 2, 3, 4):
            if (year, 3 * quarter - 2) > (today.tm_year, today.tm_mon):
                break  # EDGAR answers 403 for a quarter that has not begun
            index = service.listing(f"{plan.base}/Archives/edgar/full-index/{year}/QTR{quarter}/master.idx")
            for line in (index or b"").decode("latin-1").splitlines():
                parts = line.split("|")
                if len(parts) == 5 and parts[0].isdecimal() and parts[2].upper() in forms:
                    yield Filing(int(parts[0]), parts[1], parts[2].upper(), parts[3].strip(), parts[4].strip())


def _chosen(plan: EdgarFetch, service: Service, filings: list[Filing]) -> list[Filing]:
    """Those of the companies and industries, each accession once, the earliest first."""
    companies = _companies(plan, service)
    chosen: dict[str, Filing] = {}
    industry: dict[int, bool] = {}
    for filing in sorted(filings, key=lambda one: (one.filed, one.accession, one.cik)):
        if len(chosen) >= plan.max_filings:
            break
        if companies and filing.cik not in companies:
            continue
        if plan.sic and filing.cik not in industry:
            industry[filing.cik] = _sic(plan, service, filing.cik) in plan.sic
        if industry.get(filing.cik, True):
            chosen.setdefault(filing.accession, filing)
    return list(chosen.values())


def _companies(plan: EdgarFetch, service: Service) -> set[int]:
    """Numbers of the companies named, by number or ticker. Raises UsageError for a ticker that EDGAR does not know."""
    names = [str(name).upper() for name in plan.companies]
    tickers: dict[str, int] = {}
    if not all(name.isdecimal() for name in names):
        listed = _json(service, f"{plan.base}/files/company_tickers.json")
        tickers = {row["ticker"].upper(): int(row["cik_str"]) for row in listed.values()}
    if unknown := [name for name in names if not name.isdecimal() and name not in tickers]:
        raise UsageError(f"fetch.companies: EDGAR knows no ticker {', '.join(unknown)}; give the central index key")
    return {int(name) if name.isdecimal() else tickers[name] for name in names}


def _json(service: Service, url: str) -> dict:
    """A listing in JSON, empty where there is none. Raises InfrastructureError for anything else, such as a notice of upkeep."""
    try:
        listed = json.loads(service.listing(url) or b"{}")
    except ValueError:
        listed = None
    if not isinstance(listed, dict):
        raise InfrastructureError(f"{url} is not the list it should be; run the same command again later")
    return listed


def _sic(plan: EdgarFetch, service: Service, cik: int) -> int | None:
    """The industry of a company, by the submissions API."""
    said = _json(service, f"{plan.data}/submissions/CIK{cik:010d}.json").get("sic")
    return int(said) if said and str(said).isdecimal() else None


def _amended(filings: list[Filing]) -> dict[str, str]:
    """Amendment -> the latest filing of the form it amends, by the same company, before it; both by accession."""
    latest: dict[tuple[int, str], str] = {}
    found: dict[str, str] = {}
    for filing in sorted(filings, key=lambda one: (one.filed, one.form, one.accession)):
        form, _, amends = filing.form.partition("/")
        if amends and (filing.cik, form) in latest:
            found[filing.accession] = latest[filing.cik, form]
        elif not amends:
            latest[filing.cik, form] = filing.accession
    return found
