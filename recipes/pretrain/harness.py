"""`python -m recipes.pretrain.harness HANDOFF`: the exported model on lm-evaluation-harness, with files that are at hand.

It runs after the training, in a process of its own that may not reach the network, with the tasks in `tasks/` beside this
file and those of `evaluate.harness_tasks`; their files lie under `evaluate.harness_data`. The exported tokenizer begins a
text as training did, so no setting is needed. Accuracies come with Wilson's interval at 95 %, other means with 1.96
standard errors, and a score that is no mean over examples with none.
"""

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.handoff import EXIT_OK, InfrastructureError, UsageError
from recipes.pretrain.command import need_torch, parser, run
from recipes.pretrain.inputs import Handoff, open_handoff
from recipes.pretrain.storage import is_local, write_durably

TASKS = Path(__file__).with_name("tasks")
HEADING = "## Benchmarks"
BATCH = 8
CHILD = "import json, sys; from recipes.pretrain.harness import child; child(json.loads(sys.argv[1]))"


def need_lm_eval() -> None:
    """Raises UsageError, saying how to install it, where lm-evaluation-harness is missing."""
    if importlib.util.find_spec("lm_eval") is None:
        raise UsageError(
            "evaluate.harness needs lm-evaluation-harness, which is not installed: "
            "pip install -c constraints.txt '.[train,evaluate]'"
        )


def check(handoff: Handoff) -> None:
    """Before the training: is the package here, is each task known, are its files there? UsageError where not."""
    settings = handoff.config.evaluate
    if not settings.harness:
        return
    need_lm_eval()
    if handoff.config.objective.kind != "causal" or not handoff.config.export.huggingface:
        raise UsageError("evaluate.harness asks an exported causal model; this training exports none")
    if not is_local(handoff.at(handoff.config.out)):
        raise UsageError(
            f"evaluate.harness reads the model from a disk, and out is {handoff.config.out}: give a folder as out"
        )
    if problem := _child(handoff, None).get("error"):
        raise UsageError(f"evaluate.harness: {problem}")


def measure(handoff: Handoff, model: Path) -> list[dict[str, Any]]:
    """[{task, metric, value, low, high, examples}] of the model folder, for the tasks of the configuration."""
    need_lm_eval()
    answer = _child(handoff, model)
    if "error" in answer:
        raise InfrastructureError(f"evaluate.harness: {answer['error']}; running again measures again")
    return answer["rows"]


def _child(handoff: Handoff, model: Path | None) -> dict[str, Any]:
    settings = handoff.config.evaluate
    data = Path(handoff.at(settings.harness_data))
    if not data.is_dir():
        return {"error": f"{data} is no folder; set evaluate.harness_data to where the tasks' files lie"}
    own = [handoff.at(settings.harness_tasks)] if settings.harness_tasks else []
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch, "answer.json")
        request = {
            "tasks": list(settings.harness),
            "folders": [str(TASKS), *own],
            "model": model and str(model.absolute()),
            "limit": settings.harness_limit,
            "length": handoff.config.objective.sequence_length,
            "answer": str(answer),
        }
        offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        code = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [code, os.environ.get("PYTHONPATH")]))
        launch = {name for name in os.environ if name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")}
        environment = {name: value for name, value in os.environ.items() if name not in launch}
        done = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps(request)],
            cwd=data,  # the files of a task are relative to it
            env=environment | offline | {"PYTHONPATH": path, "HF_DATASETS_CACHE": scratch},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.is_file():
            return json.loads(answer.read_text("utf-8"))
        last = done.stderr.strip().splitlines()[-1:] or [f"ended with {done.returncode}"]
        return {"error": last[0]}


def child(request: dict[str, Any]) -> None:
    """In the process without a network: load the tasks and, where a model is given, ask it. Writes request["answer"]."""
    from lm_eval.evaluator import simple_evaluate  # pyright: ignore[reportMissingImports]
    from lm_eval.tasks import TaskManager  # pyright: ignore[reportMissingImports]

    manager = TaskManager(include_path=request["folders"], include_defaults=False)
    if unknown := [name for name in request["tasks"] if name not in manager.all_tasks]:
        told = {"error": f"there is no task {unknown[0]}; there are {', '.join(sorted(manager.all_tasks))}"}
    else:
        told = next(filter(None, (_problem(manager, name) for name in request["tasks"])), {})
    if not told and request["model"]:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        arguments = {"pretrained": request["model"], "dtype": "float32" if device == "cpu" else "bfloat16"}
        found = simple_evaluate(
            model="hf", model_args=arguments | {"max_length": request["length"]}, tasks=request["tasks"],
            task_manager=manager, limit=request["limit"], device=device, batch_size=BATCH, log_samples=False,
            bootstrap_iters=0,
        )  # fmt: skip
        told = {"rows": rows(found)}
    Path(request["answer"]).write_text(json.dumps(told), "utf-8")


def _problem(manager: Any, task: str) -> dict[str, str]:
    """What is wrong with the files of a task, where anything is."""
    try:
        manager.load([task])
    except StopIteration:
        return {"error": f"{task}: a file of it holds no examples"}
    except Exception as error:  # noqa: BLE001  whatever reading the user's files raises
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        return {"error": f"{task}: {' '.join(str(first).split()) or type(first).__name__}"}
    return {}


def rows(found: Any) -> list[dict[str, Any]]:
    """What lm-evaluation-harness found, a row a task and metric, each with its interval where it has one."""
    listed = []
    for task, result in found["results"].items():
        for name, value in result.items():
            metric, _, _ = name.partition(",")
            if metric.endswith("_stderr") or not isinstance(value, float):
                continue
            error = result.get(name.replace(metric, f"{metric}_stderr"))
            examples = found.get("n-samples", {}).get(task, {}).get("effective")
            low, high = interval(metric, value, error if isinstance(error, float) else None, examples)
            row = {"task": task, "metric": metric, "value": value, "low": low, "high": high, "examples": examples}
            listed.append(row)
    return listed


def interval(metric: str, value: float, error: float | None, n: int | None) -> tuple[float | None, float | None]:
    """The 95 % interval of a score: Wilson's for a share of `n` examples, else by its standard error.

    >>> tuple(round(end, 3) for end in interval("acc", 1.0, 0.0, 10))
    (0.722, 1.0)
    >>> interval("f1", 0.5, None, 10)
    (None, None)
    """
    z = 1.96
    if metric in ("acc", "acc_norm", "exact_match") and n:
        middle = (value + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + (z / (2 * n)) ** 2)
        return max(0.0, middle - half), min(1.0, middle + half)
    return (None, None) if error is None or math.isnan(error) else (value - z * error, value + z * error)


def sentences(listed: Sequence[dict[str, Any]]) -> list[str]:
    """The rows for a person, as a table in Markdown; it is also in the model's card."""
    lines = ["| task | metric | value | 95 % interval | examples |", "|---|---|---:|---|---:|"]
    for row in listed:
        between = "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        lines.append(f"| {row['task']} | {row['metric']} | {row['value']:.3f} | {between} | {row['examples'] or ''} |")
    return lines


def after_training(handoff: Handoff, summary: dict[str, Any]) -> dict[str, Any]:
    """The summary with the scores of the exported model, where the configuration asks for any that it has not yet.

    Writes summary.json and the model's card again. On one process, when the others have ended.
    """
    if not handoff.config.evaluate.harness or not summary["finished"]:
        return summary
    out = Path(handoff.at(handoff.config.out))
    kept = json.loads((out / "summary.json").read_text("utf-8"))
    told = sorted(handoff.config.evaluate.harness)
    if kept.get("harness_tasks") != told:
        kept |= {"harness": measure(handoff, out / "model"), "harness_tasks": told}
        write_durably(out / "summary.json", json.dumps(kept, indent=2, sort_keys=True) + "\n")
        card = out / "model" / "README.md"
        before = card.read_text("utf-8").partition(f"\n{HEADING}\n")[0]
        told_how = "Measured by lm-evaluation-harness on the files at hand, after a start as in training."
        write_durably(card, "\n".join([before, HEADING, "", told_how, "", *sentences(kept["harness"]), ""]))
    return summary | {"harness": kept["harness"], "harness_tasks": told}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    what = "the hand-off folder of a run that has trained"
    return run(
        parser(".harness", "Measure the exported model: --set 'evaluate.harness=[fpb]'.", what), _main, arguments
    )


def _main(options: argparse.Namespace) -> int:
    need_torch()
    handoff = open_handoff(options.handoff, options.set)
    folder = Path(handoff.at(handoff.config.out)) / "model"
    if not handoff.config.evaluate.harness:
        raise UsageError(f"name tasks: --set 'evaluate.harness=[…]', of those in {TASKS} or evaluate.harness_tasks")
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder} holds no model: train first")
    check(handoff)
    listed = measure(handoff, folder)
    print(json.dumps(listed) if options.json else "\n".join(sentences(listed)))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
