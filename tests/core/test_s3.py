"""A run folder on a real S3-speaking server: the same run as on a disk, and one sentence for everything that can be wrong."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipeline.__main__ import main as command
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError, UsageError
from pipeline.report.summary import _opened_corpus, _trained_places
from pipeline.run import main
from tests.faults.tiny import write_recipe

s3fs = pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def endpoint():
    served = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    yield "http://{}:{}".format(*served.get_host_and_port())
    served.stop()


@pytest.fixture
def refusing():
    """A server that answers everything with one status code, which the test sets."""

    class Refusing(BaseHTTPRequestHandler):
        code = 403

        def refuse(self):
            self.send_response(self.code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_PUT = do_POST = refuse

        def log_message(self, *_):
            pass

    served = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield Refusing, f"http://127.0.0.1:{served.server_port}"
    served.shutdown()


@pytest.fixture(autouse=True)
def account(monkeypatch, tmp_path):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_run_on_s3_is_the_run_on_disk(endpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    recipe = write_recipe(tmp_path)
    s3fs.S3FileSystem().mkdir("corpora")
    found = {}
    for out in ("s3://corpora/run", str(tmp_path / "run"), "s3://corpora/run"):
        assert main([str(recipe), "--out", out, "--ray", "none", "--json"]) == 0
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        found.setdefault(out, result)
        assert result["root_hash"] == found["s3://corpora/run"]["root_hash"]
    assert set(result["steps"].values()) == {"reused: did not change"}
    assert command(["verify", "--run", "s3://corpora/run"]) == 0
    assert command(["inspect", "--run", "s3://corpora/run", "--limit", "1", "--json"]) == 0
    assert command(["explain", "n1", "--run", "s3://corpora/run"]) in (0, 2)
    store = Store("s3://corpora/run")
    path = next(path for path in store.list("corpus/kept") if path.endswith(".parquet"))
    with store.filesystem.open(store.locate(path), "wb") as file:
        file.write(b"x" * 100)
    assert command(["verify", "--run", "s3://corpora/run"]) == 3
    assert main([str(recipe), "--out", "s3://corpora/run", "--ray", "none", "--json"]) == 0
    assert command(["verify", "--run", "s3://corpora/run"]) == 0


def test_a_bucket_that_is_not_there(endpoint, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(InfrastructureError, match=r"^s3://nowhere/run/x: The specified bucket does not exist\."):
        Store("s3://nowhere/run").put("x", b"")


@pytest.mark.parametrize(("code", "said"), [(403, "Forbidden"), (500, "Internal Server Error")])
def test_rights_and_failures_of_the_server(refusing, monkeypatch, code, said):
    handler, url = refusing
    handler.code = code
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    store = Store("s3://bucket/run")
    for attempt in (lambda: store.exists("x"), lambda: store.put("x", b""), lambda: store.list("work")):
        with pytest.raises(InfrastructureError, match=rf"s3://bucket/run/\w*: {said}"):
            attempt()


def test_an_endpoint_that_is_down_and_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(InfrastructureError, match="Could not connect to the endpoint"):
        Store("s3://bucket/run").exists("x")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(InfrastructureError, match="Unable to locate credentials"):
        Store("s3://bucket/run").exists("x")


def test_without_the_library_it_says_what_to_install(monkeypatch):
    def lacking(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("pipeline.core.store.fsspec.core.url_to_fs", lacking)
    with pytest.raises(UsageError, match=r"pip install 'domain-corpus\[s3\]'"):
        Store("s3://bucket/run")


def test_what_the_summary_prints_works_there():
    assert _opened_corpus("s3://b/run").startswith(
        'datasets.load_dataset("parquet", data_files="s3://b/run/corpus/kept/'
    )
    assert "AutoTokenizer" not in dict(_trained_places("s3://b/run"))["tokenizer"]
    assert 'AutoTokenizer.from_pretrained("runs/x/tokenizer")' in dict(_trained_places("runs/x"))["tokenizer"]
