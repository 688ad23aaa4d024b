"""A company's figures for one period and the one before: every sum in them holds to the last digit."""

from pipeline.sample.article import Table
from pipeline.sample.draw import Draw

UP = ("increased", "rose", "grew", "advanced", "was up")
DOWN = ("decreased", "fell", "declined", "slipped", "was down")
_ENDS = ("March 31", "June 30", "September 30", "December 31")
_ORDINALS = ("first", "second", "third", "fourth")


def money(tenths: int) -> str:
    """Tenths of a million as text: 12345 -> "1,234.5", negative in parentheses.

    >>> money(12345), money(-70)
    ('1,234.5', '(7.0)')
    """
    text = f"{abs(tenths) / 10:,.1f}"
    return f"({text})" if tenths < 0 else text


def _period(draw: Draw, revenue: int, style: dict[str, float]) -> dict[str, int]:
    def share(of: int, name: str, spread: float) -> int:
        return max(1, round(of * style[name] * draw.uniform(1 - spread, 1 + spread)))

    p = {"revenue": revenue, "cost": share(revenue, "cost", 0.03)}
    p["gross"] = revenue - p["cost"]
    p["sga"] = share(p["gross"], "sga", 0.05)
    p["da"] = share(p["gross"], "da", 0.08)
    p["amort"] = max(1, round(p["da"] * draw.uniform(0.15, 0.4)))
    p["operating"] = p["gross"] - p["sga"] - p["da"]
    p["ebitda"] = p["operating"] + p["da"]
    p["interest"] = share(p["operating"], "interest", 0.15)
    p["pretax"] = p["operating"] - p["interest"]
    p["tax"] = share(p["pretax"], "tax", 0.08)
    p["net"] = p["pretax"] - p["tax"]
    p["s1"], p["s2"] = round(revenue * draw.uniform(0.44, 0.56)), round(revenue * draw.uniform(0.22, 0.31))
    p["s3"] = revenue - p["s1"] - p["s2"]
    p["cfo"] = p["net"] + p["da"] + round(p["net"] * draw.uniform(-0.2, 0.2))
    p["working"] = p["cfo"] - p["net"] - p["da"]
    p["capex"] = round(p["cfo"] * draw.uniform(0.3, 0.7))
    p["returned"] = round((p["cfo"] - p["capex"]) * draw.uniform(0.3, 0.8))
    p["borrowed"] = round(revenue * draw.uniform(-0.04, 0.04))
    p["change"] = p["cfo"] - p["capex"] - p["returned"] + p["borrowed"]
    return p


def _percent(now: int, before: int) -> str:
    return f"{abs(now - before) / before * 100:.1f}"


def figures(draw: Draw, year: int, quarter: int) -> tuple[dict[str, str], dict[str, Table]]:
    """The figures as text for the grammar, and the statements as tables (header row first).

    The fourth quarter stands for the fiscal year. Amounts are kept in tenths of a million, so that rounded parts
    always add up to their rounded totals.
    """
    style = {
        "cost": draw.uniform(0.48, 0.74),
        "sga": draw.uniform(0.3, 0.45),
        "da": draw.uniform(0.1, 0.2),
        "interest": draw.uniform(0.08, 0.3),
        "tax": draw.uniform(0.17, 0.27),
    }
    revenue0 = round(10 ** draw.uniform(3.0, 4.65))
    now = _period(draw, round(revenue0 * draw.uniform(0.86, 1.24)), style)
    old = _period(draw, revenue0, style)
    shares = round(now["net"] / draw.uniform(1.1, 4.8))
    debt = round(now["ebitda"] * draw.uniform(1.1, 3.6))
    cash0 = round(now["revenue"] * draw.uniform(0.1, 0.25))
    cash = cash0 + now["change"]
    month, end = _ENDS[quarter - 1].split()[0], f"{_ENDS[quarter - 1]}, {year}"
    fig = _comparison(draw, now, old)
    fig |= {
        "year": str(year),
        "prior": str(year - 1),
        "next": str(year + 1),
        "period": f"fiscal {year}" if quarter == 4 else f"the {_ORDINALS[quarter - 1]} quarter of {year}",
        "end": end,
        "date": f"{month} {draw.between(2, 28)}, {year}",
        "day": f"{month} {draw.between(2, 28)}",
    }
    fig |= _ratios(draw, now, old)
    fig |= {
        "shares": f"{shares / 10:.1f}",
        "eps": f"{now['net'] / shares:.2f}",
        "eps0": f"{old['net'] / shares:.2f}",
        "consensus": f"{now['net'] / shares * draw.uniform(0.9, 1.1):.2f}",
        "dps": f"{now['returned'] * 0.6 / shares:.2f}",
        "fcf": money(now["cfo"] - now["capex"]),
        "cash": money(cash),
        "debt": money(debt),
        "leverage": f"{max(0, debt - cash) / now['ebitda']:.1f}",
        "capex_lo": money(round(now["capex"] * 0.9)),
        "capex_hi": money(round(now["capex"] * 1.2)),
    }
    fig |= {name: money(round(now[of] * draw.uniform(low, high))) for name, of, low, high in _DRAWN}
    return fig, _tables(draw, now, old, cash0, cash, debt, year, end)


_DRAWN = (
    ("orders", "revenue", 0.88, 1.16),
    ("backlog", "s2", 0.5, 1.6),
    ("revolver", "revenue", 0.1, 0.3),
    ("guide_lo", "revenue", 0.98, 1.02),
    ("guide_hi", "revenue", 1.04, 1.1),
)
"""Amounts drawn as a factor of another one: name, of what, and the bounds of the factor."""


def _comparison(draw: Draw, now: dict[str, int], old: dict[str, int]) -> dict[str, str]:
    """The amounts of both periods and how they moved."""
    fig = {name: money(value) for name, value in now.items()}
    fig |= {"revenue0": money(old["revenue"]), "net0": money(old["net"]), "s2_0": money(old["s2"])}
    for key, name in (("rev", "revenue"), ("s1", "s1"), ("s2", "s2"), ("s3", "s3")):
        fig[f"{key}_rose"] = draw.pick(UP if now[name] >= old[name] else DOWN)
        fig[f"{key}_pct"] = _percent(now[name], old[name])
    fig["rev_rose2"] = "up" if now["revenue"] >= old["revenue"] else "down"
    fig["rev_change"] = money(abs(now["revenue"] - old["revenue"]))
    fig["s3_rose2"] = "up" if now["s3"] >= old["s3"] else "down"
    return fig


def _ratios(draw: Draw, now: dict[str, int], old: dict[str, int]) -> dict[str, str]:
    """Growth, margins and rates, in percent and basis points."""
    gm, gm0 = (round(p["gross"] / p["revenue"] * 1000) for p in (now, old))
    return {
        "organic": f"{float(_percent(now['revenue'], old['revenue'])) * draw.uniform(0.5, 0.9):.1f}",
        "gm": f"{gm / 10:.1f}",
        "gm0": f"{gm0 / 10:.1f}",
        "gm_rose": draw.pick(("widened", "improved", "rose") if gm >= gm0 else ("narrowed", "contracted", "fell")),
        "gm_bp": str(abs(gm - gm0) * 10),
        "sga_pct": f"{now['sga'] / now['revenue'] * 100:.1f}",
        "ebitda_pct": f"{now['ebitda'] / now['revenue'] * 100:.1f}",
        "tax_rate": f"{now['tax'] / now['pretax'] * 100:.1f}",
    }


def _tables(
    draw: Draw, now: dict[str, int], old: dict[str, int], cash0: int, cash: int, debt: int, year: int, end: str
) -> dict[str, Table]:
    head = ["(in millions)", str(year), str(year - 1)]

    def rows(*lines: tuple[str, str]) -> Table:
        return [head] + [[label, money(now[name]), money(old[name])] for label, name in lines]

    receivables, plant = round(now["revenue"] * draw.uniform(0.1, 0.2)), round(now["revenue"] * draw.uniform(0.4, 0.9))
    inventory, payables = round(now["cost"] * draw.uniform(0.1, 0.2)), round(now["cost"] * draw.uniform(0.08, 0.15))
    assets = cash + receivables + inventory + plant
    balance = [
        ("Cash and cash equivalents", cash),
        (draw.pick(("Accounts receivable, net", "Trade receivables")), receivables),
        ("Inventories", inventory),
        ("Property, plant and equipment, net", plant),
        ("Total assets", assets),
        ("Accounts payable", payables),
        ("Total debt", debt),
        ("Shareholders’ equity", assets - payables - debt),
        ("Total liabilities and equity", assets),
    ]
    return {
        "income": rows(
            (draw.pick(("Net sales", "Revenue", "Net revenue")), "revenue"),
            (draw.pick(("Cost of sales", "Cost of revenue", "Cost of goods sold")), "cost"),
            ("Gross profit", "gross"),
            ("Selling, general and administrative", "sga"),
            ("Depreciation and amortization", "da"),
            (draw.pick(("Operating income", "Income from operations")), "operating"),
            ("Interest expense", "interest"),
            ("Income before income taxes", "pretax"),
            ("Income tax expense", "tax"),
            ("Net income", "net"),
        ),
        "segments": rows(("one", "s1"), ("two", "s2"), ("three", "s3"), ("Consolidated revenue", "revenue")),
        "cash": [
            ["(in millions)", str(year)],
            ["Net income", money(now["net"])],
            ["Depreciation and amortization", money(now["da"])],
            ["Working capital and other", money(now["working"])],
            ["Operating cash flow", money(now["cfo"])],
            ["Capital expenditure", money(-now["capex"])],
            ["Dividends and repurchases", money(-now["returned"])],
            ["Net borrowings", money(now["borrowed"])],
            ["Change in cash", money(now["change"])],
            ["Cash, beginning of period", money(cash0)],
            ["Cash, end of period", money(cash)],
        ],
        "balance": [["(in millions)", end], *([label, money(value)] for label, value in balance)],
    }
