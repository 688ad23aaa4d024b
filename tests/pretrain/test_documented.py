"""What the page on training calls verified is verified by a test that is there, and a slow one is called slow."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "training.md"


def test_named_tests_are_there_and_slow_ones_are_called_slow():
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|") and "test_" in line]
    assert len(rows) > 40
    named = set()
    for row in rows:
        for name in re.findall(r"test_\w+\.py", row):
            text = (HERE / name).read_text("utf-8")
            assert "\ndef test_" in text
            named.add(name)
            if re.search(r"^pytestmark = .*slow", text, re.MULTILINE):
                assert "slow" in row, f"{name} does not run in `just check`: {row[:60]}"
    assert {"test_resume.py", "test_lost_node.py", "test_watch.py"} <= named
