"""Several machines on one: an object store, a driver and three Ray nodes, each in a network namespace with an address of its own.

`just machines` prints the scoreboard: for every fault how the run ended, and whether its root hash is that of a run in one
process. It needs root, iproute2, and the `s3` and `dev` extras. A cut link is a link that is down: packets are lost, and no
process is told. What it cannot show: separate clocks, disks and memory.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.tiny import text, write_recipe

ROOT = Path(__file__).parents[2]
HOSTS = {"switch": 0, "store": 1, "head": 2, "one": 3, "two": 4, "three": 5, "desk": 6}
NODES = ("one", "two", "three")
PREFIX = "corpus-"
STORE_PORT, RAY_PORT, CLIENT_PORT = 5000, 6379, 10001
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
}
DOCUMENTS = 6000


def address(host: str) -> str:
    """The IPv4 address of a host."""
    return f"10.77.0.{HOSTS[host]}"


def ip(*words: str) -> None:
    """One command of iproute2."""
    subprocess.run(["ip", *words], check=True)


class Network:
    """The hosts, joined by a bridge that stands in a namespace of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.struck = time.monotonic()
        """When a link was cut last; the start of the run before that."""
        self._started: dict[str, list[subprocess.Popen[bytes]]] = {}

    def __enter__(self) -> "Network":
        for host in HOSTS:
            ip("netns", "add", PREFIX + host)
            ip("-n", PREFIX + host, "link", "set", "lo", "up")
        ip("-n", PREFIX + "switch", "link", "add", "bridge", "type", "bridge")
        ip("-n", PREFIX + "switch", "link", "set", "bridge", "up")
        for host in HOSTS.keys() - {"switch"}:
            ends = ["link", "add", "eth0", "netns", PREFIX + host, "type", "veth", "peer", "name", host]
            ip(*ends, "netns", PREFIX + "switch")
            ip("-n", PREFIX + "switch", "link", "set", host, "master", "bridge", "up")
            ip("-n", PREFIX + host, "address", "add", f"{address(host)}/24", "dev", "eth0")
            ip("-n", PREFIX + host, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for host in HOSTS:
            self.kill(host)
        for host in HOSTS:
            subprocess.run(["ip", "netns", "delete", PREFIX + host], check=False)

    def start(self, host: str, command: list[str], *, code: Path = ROOT) -> subprocess.Popen[bytes]:
        """A process on a host, with this package or a copy of it, its own temporary files, and a log in the folder."""
        own = self.folder / host
        own.mkdir(exist_ok=True)
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(code), "TMPDIR": str(own)}
        environment["AWS_ENDPOINT_URL"] = f"http://{address('store')}:{STORE_PORT}"
        with (self.folder / f"{host}.log").open("ab") as log:
            started = subprocess.Popen(
                ["ip", "netns", "exec", PREFIX + host, *command], env=environment, cwd=own, stdout=log, stderr=log
            )
        self._started.setdefault(host, []).append(started)
        return started

    def kill(self, host: str) -> None:
        """Every process on a host ends as if its power had failed."""
        listed = subprocess.run(["ip", "netns", "pids", PREFIX + host], capture_output=True, text=True, check=False)
        for process in listed.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        for started in self._started.pop(host, []):
            started.wait()

    def link(self, host: str, state: str) -> None:
        """Cut a host off (`down`), or join it again (`up`)."""
        self.struck = time.monotonic()
        ip("-n", PREFIX + "switch", "link", "set", host, state)

    def answers(self, host: str, port: int, seconds: float = 180) -> None:
        """Wait until something listens. Raises AssertionError with the end of the host's log."""
        probe = f"import socket; socket.create_connection(({address(host)!r}, {port}), 2)"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            words = ["ip", "netns", "exec", PREFIX + host, sys.executable, "-c", probe]
            if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError(f"{host}: nothing listens\n" + (self.folder / f"{host}.log").read_text()[-2000:])

    def node(self, host: str, *, code: Path = ROOT) -> None:
        """Start a Ray node: the head has no processor to give, the others have one each."""
        where = ["--head", f"--port={RAY_PORT}", "--include-dashboard=false", "--num-cpus=0"]
        if host != "head":
            where = [f"--address={address('head')}:{RAY_PORT}", "--num-cpus=1"]
        words = [*where, f"--node-ip-address={address(host)}", "--disable-usage-stats", "--block"]
        if host == "head":
            words.append(f"--temp-dir={self.folder}/ray")
        log = self.folder / f"{host}.log"
        for _ in range(4):  # Ray gives a node thirty seconds to come up, which a busy machine may not have
            started = self.start(host, [sys.executable, "-m", "ray.scripts.scripts", "start", *words], code=code)
            while started.poll() is None and "Ray runtime started" not in log.read_text():
                time.sleep(0.5)
            if started.poll() is None:
                return
        raise AssertionError(f"{host} did not come up\n" + log.read_text()[-2000:])


def driver(network: Network, recipe: Path, out: str, host: str = "head") -> subprocess.Popen[bytes]:
    """The run itself, on the head's host, or through Ray's client on one that is no node."""
    where = f"{address('head')}:{RAY_PORT}" if host == "head" else f"ray://{address('head')}:{CLIENT_PORT}"
    words = [str(recipe), "--out", out, "--json", "--no-train", "--ray", where]
    return network.start(host, [sys.executable, "-m", "pipeline.run", *words])


def committed(out: str) -> int:
    """Unit records of a run on the object store."""
    probe = f"import s3fs; print(sum('work/ledger/' in path for path in s3fs.S3FileSystem().find({out.removeprefix('s3://')!r})))"
    environment = {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://{address('store')}:{STORE_PORT}"}
    words = ["ip", "netns", "exec", PREFIX + "head", sys.executable, "-c", probe]
    found = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    return int(found.stdout or 0)


def wait_for(out: str, least: int, process: subprocess.Popen[bytes]) -> None:
    """Return when a run has committed this many units, or has ended."""
    while process.poll() is None and committed(out) < least:
        time.sleep(0.3)


def last_words(network: Network) -> tuple[str, str]:
    """Root hash and last sentence that the driver printed."""
    logs = [network.folder / f"{host}.log" for host in ("head", "desk")]
    lines = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()]
    results = [json.loads(line) for line in lines if line.startswith("{") and '"root_hash"' in line]
    problems = [line for line in lines if line.startswith("{") and '"error"' in line]
    plain = [line for line in lines if line.strip() and not line.startswith("{")]
    said = json.loads(problems[-1])["error"] if problems else (plain or [""])[-1]
    return (results[-1]["root_hash"] if results else ""), str(said)


def changed_copy(folder: Path) -> Path:
    """The package with one line of a judge changed."""
    copy = folder / "changed"
    for package in ("pipeline", "tokenizer", "recipes"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / "pipeline/measure/judges/exact.py"
    path.write_text(path.read_text() + "\n# another version\n")
    return copy


def undisturbed(network: Network, recipe: Path, out: str) -> int:
    """Nothing happens."""
    return driver(network, recipe, out).wait()


def through_the_client(network: Network, recipe: Path, out: str) -> int:
    """The driver stands on a host that is no node of the cluster."""
    return driver(network, recipe, out, "desk").wait()


def driver_killed(network: Network, recipe: Path, out: str) -> int:
    """The driver is killed twice, and the command given again."""
    for least in (5, 25):
        process = driver(network, recipe, out)
        wait_for(out, least, process)
        for one in driver_processes(recipe, out):
            os.kill(one, signal.SIGKILL)
        process.wait()
    time.sleep(31)  # the lease of a driver on another machine would be waited for as long
    return driver(network, recipe, out).wait()


def driver_processes(recipe: Path, out: str) -> list[int]:
    """The process of the run, not the workers that Ray started for it."""
    listed = subprocess.run(
        ["pgrep", "-f", f"pipeline.run {recipe} --out {out}"], capture_output=True, text=True, check=False
    )
    return [int(one) for one in listed.stdout.split()]


def in_the_middle(network: Network, recipe: Path, out: str, strike: Callable[[], object]) -> int:
    """Something happens when a run has committed ten units."""
    process = driver(network, recipe, out)
    wait_for(out, 10, process)
    strike()
    return process.wait()


def node_killed(network: Network, recipe: Path, out: str) -> int:
    """A node loses its power in the middle."""
    return in_the_middle(network, recipe, out, lambda: network.kill("one"))


def node_cut_off(network: Network, recipe: Path, out: str) -> int:
    """A node is cut off in the middle, at work, and stays so."""
    return in_the_middle(network, recipe, out, lambda: network.link("two", "down"))


def all_nodes_cut_off(network: Network, recipe: Path, out: str) -> int:
    """All nodes are cut off in the middle."""
    return in_the_middle(network, recipe, out, lambda: [network.link(host, "down") for host in NODES])


def store_cut_off(network: Network, recipe: Path, out: str) -> int:
    """The object store is cut off in the middle."""
    return in_the_middle(network, recipe, out, lambda: network.link("store", "down"))


def other_version(network: Network, recipe: Path, out: str) -> int:
    """A node runs a judge of another version."""
    network.kill("three")
    (network.folder / "three.log").unlink()
    network.node("three", code=changed_copy(network.folder))
    return driver(network, recipe, out).wait()


FAULTS: dict[Callable[[Network, Path, str], int], tuple[int, str]] = {
    undisturbed: (0, ""),
    through_the_client: (0, ""),
    driver_killed: (0, ""),
    node_killed: (0, ""),
    node_cut_off: (0, ""),
    all_nodes_cut_off: (3, "no node of the cluster is left"),
    store_cut_off: (3, "fix the cause and run the same command again"),
    other_version: (3, "runs another version: pipeline/measure/judges/exact.py"),
}
"""Each fault, and the exit status and sentence that it may end with; with 0 the root hash must be right."""


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Network]:
    """The network with an empty object store and three nodes at work."""
    with Network(folder) as network:
        server = "from moto.server import main; main(['-H', '0.0.0.0', '-p', '5000'])"
        network.start("store", [sys.executable, "-c", server])
        network.answers("store", STORE_PORT)
        make = f"import s3fs; s3fs.S3FileSystem(endpoint_url='http://{address('store')}:{STORE_PORT}').mkdir('corpora')"
        network.start("head", [sys.executable, "-c", make]).wait()
        network.node("head")
        for host in NODES:
            network.node(host)
        yield network


def write_inputs(folder: Path) -> Path:
    """The tiny recipe over more files, so that there is work to be interrupted."""
    recipe = write_recipe(folder)
    more = folder / "more"
    more.mkdir()
    for number in range(12):
        rows = range(1000 + number * DOCUMENTS // 12, 1000 + (number + 1) * DOCUMENTS // 12)
        (more / f"{number:02d}.jsonl").write_text(
            "".join(json.dumps({"id": f"m{n}", "text": text(n)}) + "\n" for n in rows)
        )
    entry = f"    - {{name: more, kind: jsonl, path: {more}, role: general, licence: CC0-1.0}}\ncurate:\n"
    recipe.write_text(recipe.read_text().replace("curate:\n", entry))
    return recipe


def main() -> int:
    """Every fault, or those named, each with the seconds since its link was cut or it began. Exit 1 when a run ended otherwise
    than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(fault.__name__ for fault in FAULTS))
    wanted = set(parser.parse_args().faults)
    if os.geteuid() or shutil.which("ip") is None:
        print("network namespaces need root and iproute2")
        return 2
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="m") as name:
        inputs = Path(name) / "inputs"
        inputs.mkdir()
        recipe = write_inputs(inputs)
        words = [sys.executable, "-m", "pipeline.run", str(recipe), "--json", "--no-train", "--ray", "none"]
        alone = subprocess.run([*words, "--out", f"{name}/alone"], capture_output=True, text=True, check=True, cwd=ROOT)
        right = json.loads(alone.stdout.splitlines()[-1])["root_hash"]
        for fault, (status, sentence) in FAULTS.items():
            if wanted and fault.__name__ not in wanted:
                continue
            folder = Path(name) / fault.__name__[:6]
            folder.mkdir()
            with cluster(folder) as network:
                network.struck = time.monotonic()
                ended = fault(network, recipe, "s3://corpora/run")
                seconds = time.monotonic() - network.struck
                found, said = last_words(network)
            good = ended == status and (found == right if status == 0 else sentence in said)
            wrong += not good
            how = "same root hash" if found == right else said
            print(
                f"{'ok   ' if good else 'WRONG'} {fault.__name__:18} exit {ended} in {seconds:4.0f} s: {how}",
                flush=True,
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
