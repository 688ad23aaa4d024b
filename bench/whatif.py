"""What would another threshold keep? The question asked of a finished run, beside the run made again from the start.

The run is `recipes/finance.yaml` over its embedded sample up to decide, in process. The answers are compared: `whatif` must
count what the second run decides.
"""

import contextlib
import io
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

CHANGE = "curate.gopher.min_num_words=120"
RECIPE = str(Path(__file__).resolve().parent.parent / "recipes/finance.yaml")


def _decided(out: Path, *settings: str) -> dict[str, Any]:
    """Run up to decide; the result's last line."""
    from pipeline.run import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        code = main([RECIPE, "--out", str(out), "--ray", "none", "--to", "decide", "--json", *settings])
    if code:
        raise RuntimeError(f"the run ended with {code}")
    return json.loads(said.getvalue().strip().splitlines()[-1])


def _asked(out: Path) -> dict[str, Any]:
    from pipeline.__main__ import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["whatif", CHANGE.removeprefix("curate."), "--run", str(out), "--json"])
    if code:
        raise RuntimeError(f"whatif ended with {code}")
    return json.loads(said.getvalue().strip().splitlines()[-1])


def run(rounds: int = 3) -> dict[str, Any]:
    """Seconds of processor time to an answer, medians; the rerun is made once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _decided(folder / "first")
        start = time.process_time()
        again = _decided(folder / "again", "--set", CHANGE)
        rerun = time.process_time() - start
        times, answer = [], {}
        for _ in range(rounds):
            start = time.process_time()
            answer = _asked(folder / "first")
            times.append(time.process_time() - start)
    said, kept = answer["after"]["verdicts"]["kept"], again["documents"]["kept"]
    if said != kept:
        raise AssertionError(f"whatif says {said:,} documents kept, the run kept {kept:,}")
    ours = statistics.median(times)
    return {
        "unit": "s",
        "ours": ours,
        "peer": rerun,
        "ratio": rerun / ours,
        "peer_name": "the same run from the start with the new threshold",
        "versions": {},
        "input": f"the finance recipe's embedded sample, {CHANGE}",
        "rounds": rounds,
    }
