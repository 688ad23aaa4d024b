"""`select: {search: [0.01, 0.1]}`: proxies that train on the best shares, as a step of the run.

The run first goes on to its tables of uses with everything kept, the proxies train from that in a process of their own (the
pipeline never imports torch), and the verdicts are settled again with the share that was found. What the run goes through twice
is committed like all else, so that running again repeats none of it; and so a corpus is encoded twice.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import PurePath

from pipeline.apply.select_search import read_selection
from pipeline.apply.settle import settle
from pipeline.core.execute import Assignment, Produced, Unit, each
from pipeline.core.reads import Digest
from pipeline.core.run_folder import Run
from pipeline.core.steps import Step
from pipeline.core.store import WORK, Store
from pipeline.errors import InfrastructureError, UsageError
from pipeline.handoff import default_train_config, dump_manifest, dump_train_config
from pipeline.plan.step import mix, mix_plan, size, size_plan
from pipeline.publish.hand_over import build
from pipeline.publish.uses import uses
from pipeline.tokens.step import shards, streams, tokenizer

VERSION = 1


def check(run: Run) -> None:
    """Raise UsageError where proxies that the recipe asks for cannot train."""
    if run.recipe.select is None or not isinstance(run.recipe.select.search, list):
        return
    if importlib.util.find_spec("torch") is None:
        raise UsageError("select.search with shares trains proxies, which needs torch: pip install '.[train]'")
    if not run.store.local:
        raise UsageError("select.search with shares trains proxies from the run folder, which must be a local one")


@each
def proxies(store: Store, assigned: Assignment) -> Produced:
    """Train the proxies and keep what they found. Finished ones of a search that was stopped are not trained again."""
    folder, words = store.locate(assigned.settings["folder"]), assigned.settings["words"]
    command = [sys.executable, "-m", "recipes.pretrain.selection", f"{folder}/handoff", *words]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1].removeprefix("error: ")
        kind = UsageError if done.returncode == UsageError.exit_code else InfrastructureError
        raise kind(f"select.search: the proxies ended with exit code {done.returncode}: {said}")
    found = store.put(
        assigned.path("search", suffix=".json"), store.read(f"{assigned.settings['folder']}/selection.json")
    )
    shutil.rmtree(folder, ignore_errors=True)
    return Produced({"selection": found})


def search(run: Run) -> None:
    """Find the share to keep, where the recipe gives some to try, and settle by it."""
    told = run.recipe.select
    if told is None or not isinstance(told.search, list):
        run.keep(Step.SEARCH, {})
        return
    for stage in (tokenizer, shards, size, mix, uses):
        stage(run)
    if not mix_plan(run)["total_tokens"]:
        raise UsageError(f"select.search: there is nothing to train proxies on: {'; '.join(mix_plan(run)['missing'])}")
    manifest = build(run, run.store.locate)
    path = str(PurePath(run.store.locate(run.file(Step.TOKENIZER, name="tokenizer.json").path)).parent)
    manifest = manifest.model_copy(update={"tokenizer": manifest.tokenizer.model_copy(update={"path": path})})
    folder = f"{WORK}/search/{manifest.fingerprint[:16]}"
    run.store.put(f"{folder}/handoff/manifest.json", dump_manifest(manifest).encode())
    config = dump_train_config(default_train_config(manifest, run.recipe.pretrain))
    run.store.put(f"{folder}/handoff/train.yaml", config.encode())
    words = ["--shares", ",".join(map(str, told.search)), "--seeds", str(told.proxies.seeds)]
    target = min(mix_plan(run)["total_tokens"], size_plan(run)["chosen"]["tokens"])  # what the mix lets the model see
    words += ["--steps", str(told.proxies.steps), "--target-tokens", str(target)]
    for name, stream in streams(run).items():
        words += ["--exempt", name] if stream.source in told.exempt else []
    for setting in told.proxies.set:
        words += ["--set", setting]
    scores = [commit.files["uses"] for commit in run.commits(Step.USES).values()]
    reads = {"manifest": Digest(manifest.fingerprint), "scores": scores}
    unit = Unit("all", reads, {"folder": folder, "words": words}, VERSION)
    commits = run.execute(Step.SEARCH, [unit], proxies)
    share = read_selection(run.store.locate(commits["all"].files["selection"].path)).share
    run.recipe = run.recipe.model_copy(update={"select": told.model_copy(update={"keep": share})})
    settle(run)
