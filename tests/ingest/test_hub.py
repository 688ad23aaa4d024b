"""A data set of the Hub, streamed from a server that speaks its API. The endpoint is fixed at import, so a child process reads."""

import io
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .hub_site import SHA, HubSite

CHILD = """
import json, sys
from pipeline.ingest.source import Source
from tests.ingest.conftest import rows_of
for settings in json.loads(sys.argv[1]):
    try:
        rows = rows_of(Source(name="notes", kind="hub", fields=settings.pop("fields", {}), hub=settings))
        said = [[(row["payload"] or b"").decode(), row["reason"], row["title"]] for row in rows]
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """What each data set gives, its rows or its error, and what the Hub was asked; one process reads, because `datasets` takes
    seconds to import."""
    pytest.importorskip("datasets")
    notes = pa.table({"text": [f"note {n}" for n in range(300)] + [None], "headline": [f"h {n}" for n in range(301)]})
    parquet = io.BytesIO()
    pq.write_table(notes, parquet, row_group_size=50)
    few = io.BytesIO()
    pq.write_table(pa.table({"text": ["test 0", "test 1", "test 2"]}), few)
    site = HubSite(
        {
            "README.md": b"---\nconfigs:\n- {config_name: default, data_files: [{split: train, path: data/train.parquet}]}\n"
            b"- {config_name: test, data_files: [{split: test, path: test.parquet}]}\n---\nNotes\n",
            "data/train.parquet": parquet.getvalue(),
            "test.parquet": few.getvalue(),
        },
        {"acme/busy": ["train.parquet"], "acme/away": ["/revision/"] * 50},
    )
    wanted = [{"dataset": "acme/notes", "revision": SHA} | one for one in ASKED.values()]
    env = os.environ | {
        "HF_ENDPOINT": site.url,
        "HF_HOME": str(tmp_path_factory.mktemp("hub")),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    child = subprocess.run([sys.executable, "-c", CHILD, json.dumps(wanted)], env=env, capture_output=True, text=True)
    site.close()
    assert child.returncode == 0, child.stderr
    return dict(zip(ASKED, map(json.loads, child.stdout.splitlines()), strict=True)) | {"asked": site.asked}


ASKED = {
    "rows": {"fields": {"title": "headline"}},
    "lines": {"config": "test", "split": "test"},
    "split": {"split": "tset"},
    "config": {"config": "tset"},
    "absent": {"dataset": "acme/none"},
    "revision": {"revision": "f" * 40},
    "busy": {"dataset": "acme/busy"},
    "away": {"dataset": "acme/away"},
}


def test_rows_are_streamed_at_the_pinned_revision_and_wrong_names_are_the_recipes(hub):
    rows, lines, split, config, absent, revision = [*hub.values()][:6]
    assert rows[:300] == [[f"note {n}", None, f"h {n}"] for n in range(300)]
    assert rows[300][1] == "ingest.no_text"
    assert [row[0] for row in lines] == ["test 0", "test 1", "test 2"]
    assert "UsageError: source notes: cannot read acme/notes" in split
    assert "train" in split, "the splits that there are"
    assert "UsageError" in config
    assert "default" in config
    assert "UsageError" in absent
    assert "doesn't exist" in revision
    asked = [(path, ranged) for _, path, ranged in hub["asked"]]
    assert {path.split("/")[5] for path, _ in asked if path.startswith("/datasets/acme/notes/")} == {SHA, "f" * 40}
    assert any(ranged and path.endswith("train.parquet") for path, ranged in asked), "read by ranges"


def test_a_busy_hub_is_asked_again_and_one_that_stays_away_can_be_tried_later(hub):
    assert len(hub["busy"]) == 301
    assert hub["away"].startswith("InfrastructureError: source notes: cannot read acme/away")
