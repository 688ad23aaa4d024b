"""`python -m recipes.pretrain HANDOFF [--processes N]`: train on a hand-off folder, alone or on N processes by torchrun.

Exit codes are the pipeline's: 0 finished, 1 diverged, 2 usage, 3 infrastructure (run again to resume), 130 interrupted.
`--processes` passes on the first failed process's code; torchrun called by itself turns every code into 1.
"""

import argparse
import gc
import json
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Sequence

from pipeline.handoff import EXIT_INFRASTRUCTURE, EXIT_INTERRUPTED, EXIT_OK, PipelineError, UsageError
from recipes.pretrain import command


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cli = command.parser("", "Train on a hand-off folder.", "the hand-off folder, or a train.yaml in it")
    add = cli.add_argument
    add("--processes", type=int, metavar="N", help="start N processes on this machine by torchrun")
    add("--restarts", type=int, default=0, metavar="N", help="with --processes: start all again when one dies, N times")
    add("--estimate", action="store_true", help="print the memory the run needs, and train nothing")
    add("--allow-data-change", action="store_true", help="resume although the data's fingerprint changed")
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. Every expected failure is one sentence on standard error."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(given)
    try:
        if min(1 if options.processes is None else options.processes, options.restarts + 1) < 1:
            raise UsageError("--processes is at least 1 and --restarts at least 0")
        if options.restarts and not options.processes:
            raise UsageError("--restarts goes with --processes")
        command.need_torch()
        if options.processes and "RANK" not in os.environ:
            return launch(options.processes, options.restarts, given)
        return _main(options)
    except PipelineError as error:
        _say(str(error), wait_s=1 if int(os.environ.get("LOCAL_RANK", 0)) else 0)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  a defect: the traceback, then one sentence
        from recipes.pretrain.checkpoint import disk_is_full

        if disk_is_full(error):
            _say("no space left on the disk; free some and run again to resume")
        elif isinstance(error, OSError) and error.filename:
            _say(f"{error.filename}: {error.strerror}; fix the cause and run again to resume")
        elif "timed out" in str(error).lower() or "timeout" in str(error).lower():
            rank = os.environ.get("RANK", "0")
            _say(f"process {rank} waited too long for another one (watch.wait_minutes); run again to resume")
        elif "gloo" in str(error).lower() or type(error).__name__ in ("DistBackendError", "DistNetworkError"):
            _say("another process of this training ended; run again to resume from the last checkpoint", wait_s=3)
        else:
            traceback.print_exc()
            _say(f"{type(error).__name__}: {error}")
        return EXIT_INFRASTRUCTURE


def _say(sentence: str, wait_s: float = 0) -> None:
    """Print a failure on standard error; under torchrun after `wait_s`, so that of a failure shared by several processes
    only the first is heard before torchrun ends the others."""
    time.sleep(wait_s if "TORCHELASTIC_RUN_ID" in os.environ else 0)
    print(f"error: {sentence}", file=sys.stderr, flush=True)


def launch(processes: int, restarts: int, arguments: Sequence[str]) -> int:
    """Run the same command on several processes of this machine, started again up to `restarts` times from the last
    checkpoint when one ends with a failure; returns the exit code of the first that failed."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    logging.getLogger("torch.distributed.elastic").setLevel(
        logging.CRITICAL
    )  # it would repeat what a process has already said
    try:
        agent = ["--standalone", f"--nproc-per-node={processes}", f"--max-restarts={max(0, restarts)}"]
        torchrun([*agent, "-m", "recipes.pretrain", *arguments])
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        if code < 0:
            _say(
                f"a process of this training was ended by signal {-code}; run again to resume from the last checkpoint"
            )
        return code if code > 0 else EXIT_INFRASTRUCTURE
    except SignalException:
        return EXIT_INTERRUPTED
    return EXIT_OK


def _main(options: argparse.Namespace) -> int:
    from recipes.pretrain.inputs import open_handoff

    handoff = open_handoff(options.handoff, options.set)
    if options.estimate:
        from recipes.pretrain.estimate import print_estimate

        return print_estimate(handoff, as_json=options.json)
    warnings.filterwarnings("ignore", message=".*torch.distributed.*deprecated.*")
    from recipes.pretrain.harness import after_training
    from recipes.pretrain.loop import Trainer
    from recipes.pretrain.metrics import say
    from recipes.pretrain.parallel import start_world, stop_world

    if handoff.config.parallel.expandable_segments:  # before the first allocation on the device
        os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    world = start_world(handoff.config.watch.wait_minutes)
    try:
        trainer = Trainer(handoff, world, allow_data_change=options.allow_data_change)
        summary = trainer.run()
        stopped = trainer.stop_requested and not summary["finished"]
        del trainer
    finally:
        gc.collect()
        stop_world()
    if world.is_main:
        summary = after_training(handoff, summary)
        if options.json:
            print(json.dumps(summary), flush=True)
        if summary["already_finished"]:
            say(f"already finished: {summary['steps']} steps; nothing to do")
        elif stopped:
            say(f"stopped after step {summary['steps']} with a checkpoint; run again to resume")
    return EXIT_INTERRUPTED if stopped else EXIT_OK


if __name__ == "__main__":
    command.leave(main())
