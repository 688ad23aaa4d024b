"""A cluster that is not this run's own: unreachable, without the package, with other code, without the run folder."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.core import code_version, nodes
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError
from pipeline.run import main
from tests.faults.tiny import write_recipe

ROOT = Path(__file__).parents[2]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nobody_answers_is_one_sentence(scheme):
    with pytest.raises(InfrastructureError, match=r"no Ray answers at .*--ray none"):
        nodes.reach(f"{scheme}127.0.0.1:{free_port()}")
    with pytest.raises(InfrastructureError, match="no Ray answers at"):
        nodes.reach(f"{scheme}no-port")


def test_a_listener_that_is_no_ray_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(nodes, "ANSWER_S", 1.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(InfrastructureError, match="no Ray that answers"),
    ):
        nodes.reach(f"127.0.0.1:{server.getsockname()[1]}")


def test_other_code_is_named():
    own = code_version.code_version()
    assert code_version.difference(own) == ""
    assert "pipeline/measure/judges/exact.py" in own
    assert code_version.difference(own | {"pipeline/measure/judges/exact.py": "0"}).startswith(
        "pipeline/measure/judges/exact.py is "
    )
    assert code_version.difference(own | {"numpy": "1.0"}) == f"numpy is {own['numpy']} there and 1.0 here"
    assert code_version.difference({name: own[name] for name in own if name != "Python"}).endswith("and absent here")


def test_a_node_that_does_not_see_the_folder_says_so(tmp_path):
    store, own = Store(str(tmp_path)), code_version.code_version()
    assert nodes.look(str(tmp_path), "token", own).startswith(
        f"does not see {tmp_path}: give a folder that all nodes share"
    )
    store.put(f"{nodes.TOKENS}/token", b"")
    assert nodes.look(str(tmp_path), "token", own) == ""
    assert len(store.list(nodes.TOKENS)) == 2
    assert nodes.look(str(tmp_path), "token", own | {"numpy": "1.0"}).startswith("runs another version: numpy is")


def test_what_a_worker_lacks_is_named():
    error = RuntimeError("…\nModuleNotFoundError: No module named 'pyarrow.parquet'\n")
    assert nodes.missing_library(error).startswith("lacks the library pyarrow.parquet: install domain-corpus ")
    assert nodes.missing_library(RuntimeError("ModuleNotFoundError: No module named 'pipeline'")).startswith(
        nodes.NO_PACKAGE
    )
    assert nodes.missing_library(RuntimeError("killed")) == ""


@pytest.fixture
def cluster(tmp_path):
    """The address of a Ray that was started elsewhere, with another working folder."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled"}
    words = ["--head", "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=1", "--include-dashboard=false"]
    words += ["--disable-usage-stats", f"--temp-dir=/tmp/ray-{port}", "--block"]
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", *words]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    log = (elsewhere / "log").open("wb")
    started = subprocess.Popen(command, env=environment, cwd=elsewhere, stdout=log, stderr=subprocess.STDOUT)
    for _ in range(120):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.5)
    else:
        raise AssertionError((elsewhere / "log").read_text())
    yield f"127.0.0.1:{port}"
    started.terminate()
    started.wait(30)
    shutil.rmtree(f"/tmp/ray-{port}", ignore_errors=True)


@pytest.mark.slow
def test_a_cluster_elsewhere_gives_the_same_run_and_other_code_is_refused(cluster, tmp_path, capsys, monkeypatch):
    recipe = write_recipe(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = {}
    for ray in ("none", cluster):
        assert main([str(recipe), "--out", f"runs/{len(found)}", "--json", "--ray", ray]) == 0
        found[ray] = json.loads(capsys.readouterr().out.splitlines()[-1])["root_hash"]
    assert found["none"] == found[cluster]
    changed = code_version.code_version() | {"pipeline/measure/judges/exact.py": "0"}
    monkeypatch.setattr(code_version, "code_version", lambda: changed)
    assert main([str(recipe), "--out", "runs/2", "--json", "--ray", cluster]) == 3
    assert "runs another version: pipeline/measure/judges/exact.py is" in capsys.readouterr().out
    assert not (tmp_path / "runs/2/work" / "documents").exists()
