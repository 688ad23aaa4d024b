"""`python -m recipes.pretrain HANDOFF`: train on a hand-off folder, alone or under torchrun.

Exit codes are the pipeline's: 0 finished, 1 diverged, 2 usage, 3 infrastructure (run again to resume), 130 interrupted.
"""

import argparse
import gc
import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from pipeline.handoff import EXIT_INFRASTRUCTURE, EXIT_INTERRUPTED, EXIT_OK, PipelineError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cli = argparse.ArgumentParser(prog="python -m recipes.pretrain", description="Train on a hand-off folder.")
    cli.add_argument("handoff", metavar="HANDOFF", help="the hand-off folder, or a train.yaml in it")
    cli.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="override a setting of train.yaml"
    )
    cli.add_argument("--estimate", action="store_true", help="print the memory the run needs, and train nothing")
    cli.add_argument("--allow-data-change", action="store_true", help="resume although the data's fingerprint changed")
    cli.add_argument("--json", action="store_true", help="print the summary as one line of JSON")
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. Every expected failure is one sentence on standard error."""
    options = parser().parse_args(arguments)
    try:
        return _main(options)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  the last resort: say it in one sentence, then where
        from recipes.pretrain.checkpoint import disk_is_full

        if disk_is_full(error):
            print("error: no space left on the disk; free some and run again to resume", file=sys.stderr, flush=True)
        elif "gloo" in str(error).lower() or type(error).__name__ in ("DistBackendError", "DistNetworkError"):
            print(
                "error: another process of this training ended; run again to resume from the last checkpoint",
                file=sys.stderr,
                flush=True,
            )
        else:
            traceback.print_exc()
            print(f"error: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return EXIT_INFRASTRUCTURE


def _main(options: argparse.Namespace) -> int:
    from recipes.pretrain.handoff import open_handoff

    handoff = open_handoff(options.handoff, options.set)
    if options.estimate:
        from recipes.pretrain.estimate import print_estimate

        return print_estimate(handoff, as_json=options.json)
    warnings.filterwarnings("ignore", message=".*torch.distributed.*deprecated.*")
    from recipes.pretrain.loop import Trainer
    from recipes.pretrain.parallel import start_world, stop_world
    from recipes.pretrain.report import say

    world = start_world()
    try:
        trainer = Trainer(handoff, world, allow_data_change=options.allow_data_change)
        summary = trainer.run()
        stopped = trainer.stop_requested and not summary["finished"]
        del trainer
    finally:
        gc.collect()
        stop_world()
    if world.is_main:
        if options.json:
            print(json.dumps(summary), flush=True)
        if summary["already_finished"]:
            say(f"already finished: {summary['steps']} steps; nothing to do")
        elif stopped:
            say(f"stopped after step {summary['steps']} with a checkpoint; run again to resume")
    return EXIT_INTERRUPTED if stopped else EXIT_OK


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # gloo's threads can abort the interpreter's own exit after all work is done and on disk
    os._exit(code)
