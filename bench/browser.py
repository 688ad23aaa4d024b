"""Tables and text of a page as headless Chromium draws them, from the boxes of its cells.

A script at the end of the page writes down what was drawn, and Chromium prints it: no driver, no port. Names of hosts resolve to
nothing, so a page is drawn as it stands in its file.
"""

import base64
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

DrawnCell = tuple[str, int, int]
"""A cell's text and its left and right edges, in pixels from the leftmost cell of the table."""
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 120
_SCRIPT = """<script>
const drawn = e => e.getClientRects().length && getComputedStyle(e).visibility !== 'hidden';
const tables = [...document.querySelectorAll('table')].filter(t => !t.querySelector('table') && drawn(t)).map(table => {
  const rows = [...table.rows].filter(drawn).map(row => [...row.cells].filter(drawn).map(cell => {
    const box = cell.getBoundingClientRect();
    return [cell.innerText, box.left, box.right];
  }));
  const edge = Math.min(...rows.flat().map(cell => cell[1]));
  return rows.map(row => row.filter(cell => cell[0].trim()).map(
    ([text, left, right]) => [text, Math.round(left - edge), Math.round(right - edge)]));
});
const seen = JSON.stringify([tables.map(t => t.filter(r => r.length)), document.body.innerText]);
document.documentElement.innerHTML = '<pre id="drawn"></pre>';
document.getElementById('drawn').textContent = btoa(unescape(encodeURIComponent(seen)));
</script>"""


def chromium() -> str:
    """The browser's path. Raises SystemExit without one."""
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    raise SystemExit(f"no browser: none of {', '.join(_NAMES)} is installed")


def chromium_version() -> str:
    """The browser's version."""
    said = subprocess.run([chromium(), "--version"], capture_output=True, text=True, check=True).stdout
    return (re.findall(r"[\d.]+", said) or ["?"])[0]


def drawn(body: bytes) -> tuple[list[list[list[DrawnCell]]], str]:
    """Cells with text of the innermost tables of a page, row by row, and the page's visible text."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_bytes(re.sub(rb"(?i)</(body|html)\s*>", b"", body) + _SCRIPT.encode())
        command = [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=2000",
            "--window-size=1280,1600", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}/profile",
            page.as_uri(),
        ]  # fmt: skip
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS).stdout
    found = re.search(r'<pre id="drawn">([^<]*)</pre>', printed)
    if found is None:
        raise ValueError("Chromium printed no page")
    tables, text = json.loads(base64.b64decode(found[1]))
    return tables, text
