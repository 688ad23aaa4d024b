"""What the tasks' YAML cannot say by itself; lm-evaluation-harness loads this file by its path."""

import re
from typing import Any

NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")


def weighted_f1(items: list[tuple[int, int]]) -> float:
    """F1 of each class weighted by its size, from (right class, predicted class)."""
    from sklearn.metrics import f1_score  # pyright: ignore[reportMissingImports]

    right, predicted = zip(*items, strict=True)
    return float(f1_score(right, predicted, average="weighted", zero_division=0.0))


def underscored(docs: Any) -> Any:
    """Columns under names that a template can use: underscores for spaces."""
    return docs.rename_columns({name: name.strip().replace(" ", "_") for name in docs.column_names})


def same_number(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """1 where the first number of the reply is the answer to within 1 %, or the reply is the answer.

    >>> same_number({"answer": "1,250.0"}, ["$1250 million"]), same_number({"answer": "yes"}, [" Yes."])
    ({'exact_match': 1.0}, {'exact_match': 1.0})
    """
    wanted, reply = str(doc["answer"]).strip(), results[0].strip()
    told, said = NUMBER.search(wanted), NUMBER.search(reply)
    if told is None:
        return {"exact_match": float(reply.rstrip(".").lower() == wanted.lower())}
    right, given = float(told[0].replace(",", "")), float(said[0].replace(",", "")) if said else None
    return {"exact_match": float(given is not None and abs(given - right) <= 0.01 * abs(right))}
