"""The hand-off's schema: round trips, fingerprints, defaults from plan and size, launch files checked for form."""

import json
import subprocess

import pytest
import yaml

from pipeline.handoff import (
    TrainConfig,
    UsageError,
    build_manifest,
    default_train_config,
    dump_manifest,
    dump_train_config,
    parse_manifest,
    parse_train_config,
)
from pipeline.publish.launch import launch_files


def manifest(**changes):
    shard = {"path": "a.ds", "bytes": 2000, "num_tokens": 1000, "num_documents": 3, "max_id": 299, "sha256": "s"}
    fields = {
        "tokenizer": {"sha256": "t", "vocab_size": 300, "padded_vocab_size": 384, "eos_id": 0},
        "sources": [
            {"name": "b", "role": "general", "weight": 0.49, "splits": {"train": [shard]}, "licence": "x"},
            {"name": "a", "role": "domain", "weight": 0.51, "splits": {"train": [{**shard, "sha256": "u"}]}},
        ],
        "plan": {},
    }
    return build_manifest(**{**fields, **changes})


def test_round_trip_and_order_of_sources():
    made = manifest()
    assert [s.name for s in made.sources] == ["a", "b"]
    assert parse_manifest(dump_manifest(made)) == made
    assert json.loads(dump_manifest(made))["dtype"] == "uint16"


def test_the_fingerprint_follows_the_tokens_and_nothing_else():
    base = manifest().fingerprint
    fields = json.loads(dump_manifest(manifest()))
    sources = fields["sources"]
    sources[0]["licence"] = "another"
    sources[0]["splits"]["train"][0]["path"] = "elsewhere.ds"
    assert manifest(sources=sources).fingerprint == base
    sources[0]["splits"]["train"][0]["sha256"] = "changed"
    assert manifest(sources=sources).fingerprint != base
    assert manifest(tokenizer={**fields["tokenizer"], "sha256": "v"}).fingerprint != base


def test_weights_that_do_not_sum_to_one():
    fields = json.loads(dump_manifest(manifest()))
    fields["sources"][0]["weight"] = 0.4
    with pytest.raises(UsageError, match=r"sum to 0\.89"):
        manifest(sources=fields["sources"])


def test_another_format_version():
    with pytest.raises(UsageError, match="format version 2"):
        parse_manifest(json.dumps({"format_version": 2}))


def test_train_yaml_spells_everything_out():
    config = default_train_config(manifest(), {"optimizer": {"eps": 1e-9}})
    text = dump_train_config(config)
    assert parse_train_config(text) == config
    loaded = yaml.safe_load(text)
    assert loaded["optimizer"]["eps"] == 1e-9
    assert None not in (loaded["steps"], loaded["global_batch"], loaded["optimizer"]["learning_rate"])
    assert set(loaded) == set(TrainConfig.model_fields)


def test_defaults_from_the_size():
    """Without a planned training the ladder gives rate, batch and warm-up: Llama-3.2-1B has 0.973e9 parameters in blocks."""
    made = manifest(plan={"chosen": {"tokens": 20_000_000_000}})
    config = default_train_config(made, {"model": {"preset": "llama-3.2-1b"}})
    assert config.optimizer.learning_rate == pytest.approx(1.13e-3, rel=0.01)
    batch_tokens = config.global_batch * config.objective.sequence_length
    assert batch_tokens == pytest.approx(1.416e6, rel=0.01)
    assert config.optimizer.beta2 == 0.95
    assert config.steps * batch_tokens == pytest.approx(20e9, rel=0.01)
    assert config.schedule.warmup_steps == pytest.approx(0.973e9 / batch_tokens, abs=1)


def test_the_plan_gives_shape_and_schedule():
    shape = {
        "layers": 3,
        "hidden": 96,
        "ffn": 256,
        "heads": 3,
        "kv_heads": 3,
        "head_dim": 32,
        "tied": True,
        "vocab": 384,
    }
    training = {"batch_tokens": 1024, "sequence_length": 128, "warmup_steps": 30, "learning_rate": 3e-3, "beta2": 0.99}
    made = manifest(plan={"chosen": {"tokens": 307_200, "shape": shape, "training": training}})
    config = default_train_config(made)
    assert (config.model.num_layers, config.model.hidden_size, config.model.architecture) == (3, 96, "llama")
    assert (config.steps, config.global_batch, config.schedule.warmup_steps) == (300, 8, 30)
    named = default_train_config(made, {"model": {"preset": "gpt2"}, "steps": 7})
    assert (named.model.architecture, named.model.hidden_size, named.steps) == ("gpt2", 768, 7)


def test_overrides_are_typed():
    config = parse_train_config(
        "", overrides=["optimizer.learning_rate=3e-4", "parallel.offload=true", "out=there", "model.preset=null"]
    )
    assert config.optimizer.learning_rate == 3e-4
    assert config.parallel.offload is True
    assert config.out == "there"
    assert config.model.preset is None
    with pytest.raises(UsageError, match="expected path=value"):
        parse_train_config("", overrides=["steps"])


def test_shell_files_parse_and_name_no_machine():
    files = launch_files(manifest(), nodes=2, gpus_per_node=8)
    assert set(files) == {"torchrun.sh", "slurm.sbatch", "ray_train.py", "k8s.yaml"}
    for name in ("torchrun.sh", "slurm.sbatch"):
        done = subprocess.run(["bash", "-n"], input=files[name], text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    compile(files["ray_train.py"], "ray_train.py", "exec")
    options = dict(
        line.removeprefix("#SBATCH --").split("=", 1)
        for line in files["slurm.sbatch"].splitlines()
        if line.startswith("#SBATCH --") and "=" in line
    )
    assert options["nodes"] == "2"
    assert options["gpus-per-node"] == "8"
    assert options["signal"] == "B:TERM@300"


def test_kubernetes_file_has_the_form_of_a_rayjob():
    job = yaml.safe_load(launch_files(manifest(), nodes=3)["k8s.yaml"])
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    assert {"entrypoint", "runtimeEnvYAML", "shutdownAfterJobFinishes", "rayClusterSpec"} <= set(spec)
    assert yaml.safe_load(spec["runtimeEnvYAML"])["env_vars"]["WORKERS"] == "24"
    head, workers = spec["rayClusterSpec"]["headGroupSpec"], spec["rayClusterSpec"]["workerGroupSpecs"]
    assert all(isinstance(v, str) for v in head["rayStartParams"].values())
    assert workers[0]["replicas"] == workers[0]["minReplicas"] == workers[0]["maxReplicas"] == 3
    for group in (head, workers[0]):
        pod = group["template"]["spec"]
        volumes = {v["name"] for v in pod["volumes"]}
        for container in pod["containers"]:
            assert {m["name"] for m in container["volumeMounts"]} <= volumes
            assert all(isinstance(v, str) for v in container["resources"]["limits"].values())
