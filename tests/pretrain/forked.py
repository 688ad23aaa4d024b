"""Processes of the training recipe that share their imports: a server imports torch once and forks what it is asked for.

torch and transformers take eight CPU seconds to import, and a training of these tests less than one. The server has started no
thread, no process group and no training, so a child is as fresh as a new interpreter; what an import prints is not seen, for
which some tests start real ones.
"""

import atexit
import json
import os
import resource
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def _child(asked: dict[str, Any], environment: dict[str, str]) -> int:
    """The life of a forked process: what was asked for, as `python script …` or `python -m module …` would do it."""
    os.environ.update(asked["environment"] | environment)
    sys.argv[:] = [asked["what"], *asked["words"]]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for name, most in asked["limits"].items():
        resource.setrlimit(getattr(resource, name), (most, most))
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    code: object = 0
    try:
        if asked["what"].endswith(".py"):
            sys.path.insert(0, str(Path(asked["what"]).parent))
            runpy.run_path(asked["what"], run_name="__main__")
        else:
            runpy.run_module(asked["what"], run_name="__main__", alter_sys=True)
    except SystemExit as left:
        code = left.code or 0
    except BaseException:  # noqa: BLE001  said as an interpreter would say it
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


def _run(asked: dict[str, Any]) -> int:
    """Fork the processes of one request; the exit code of the first that failed, after which the others are ended."""
    size, ranks = asked["processes"], []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for rank in range(size):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size),
               "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port} if size > 1 else {}  # fmt: skip
        ranks.append(os.fork())
        if not ranks[-1]:
            os._exit(_child(asked, own))
    failed = 0
    while ranks:
        done, status = os.wait()
        ranks.remove(done)
        code = os.waitstatus_to_exitcode(status)
        if code and not failed:
            failed = code
            for other in ranks:
                os.kill(other, signal.SIGTERM)
    return failed


def serve() -> None:
    """Answer requests, a line of JSON each, until there is none."""
    import gc

    import torch

    import recipes.pretrain.__main__
    import recipes.pretrain.loop  # noqa: F401

    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.modules.pop("recipes.pretrain.__main__")  # runpy warns of a module that is imported and run
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(_run(json.loads(line)), file=answers, flush=True)


_server: list[subprocess.Popen[str]] = []


def forked(
    what: str | Path, *words: str, processes: int = 1, limits: dict[str, int] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script (by its path) or a module in one process, or in several that find each other as torchrun's do.

    limits: `RLIMIT_…` and how much.
    """
    if not _server or _server[0].poll() is not None:
        command = [sys.executable, "-c", "from tests.pretrain.forked import serve; serve()"]
        _server[:] = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
                                       cwd=Path(__file__).parents[2])]  # fmt: skip
        atexit.register(_server[0].kill)
    asked, answered = _server[0].stdin, _server[0].stdout
    assert asked is not None
    assert answered is not None
    with tempfile.TemporaryDirectory() as folder:
        out, err = f"{folder}/out", f"{folder}/err"
        told = {"what": str(what), "words": words, "processes": processes, "environment": environment}
        print(json.dumps(told | {"limits": limits or {}, "stdout": out, "stderr": err}), file=asked, flush=True)
        code = int(answered.readline())
        said = [Path(path).read_text(errors="replace") if Path(path).exists() else "" for path in (out, err)]
    return subprocess.CompletedProcess([str(what), *words], code, *said)
