"""Launch files against what their readers accept: sbatch's options, Kubernetes' schema of a pod, KubeRay's fields.

Neither sbatch's options nor the RayJob come as a schema in a package of a permissive licence: both lists were read from
the manuals.
"""

import json
import re
import shlex
import subprocess

import pytest
import yaml

from pipeline.publish.launch import launch_files

from .agents import agents
from .test_handoff import manifest

SBATCH = {
    "account", "array", "chdir", "comment", "constraint", "cpus-per-gpu", "cpus-per-task", "dependency", "error",
    "exclude", "exclusive", "export", "gpus", "gpus-per-node", "gpus-per-task", "gres", "job-name", "kill-on-invalid-dep",
    "mail-type", "mail-user", "mem", "mem-per-cpu", "mem-per-gpu", "no-requeue", "nodelist", "nodes", "ntasks",
    "ntasks-per-gpu", "ntasks-per-node", "open-mode", "output", "partition", "priority", "qos", "requeue", "reservation",
    "signal", "switches", "threads-per-core", "time", "time-min", "wait-all-nodes", "wckey",
}  # fmt: skip
"""Options of sbatch (its manual page), those a training job may have."""
JOB = {"activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint", "entrypointNumCpus",
       "entrypointNumGpus", "entrypointResources", "jobId", "managedBy", "metadata", "rayClusterSpec", "runtimeEnvYAML",
       "shutdownAfterJobFinishes", "submissionMode", "submitterConfig", "submitterPodTemplate", "suspend",
       "ttlSecondsAfterFinished"}  # fmt: skip
HEAD = {"template", "rayStartParams", "headService", "enableIngress", "resources", "labels", "serviceType"}
WORKERS = {"groupName", "replicas", "minReplicas", "maxReplicas", "idleTimeoutSeconds", "numOfHosts", "rayStartParams",
           "resources", "labels", "scaleStrategy", "suspend", "template"}  # fmt: skip
CONTAINER = {"name", "image", "resources", "volumeMounts", "env", "command", "args", "securityContext", "ports"}
"""Fields of ray.io/v1 (KubeRay's API reference) and of a container. An unknown one is refused or silently dropped."""
QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")


@pytest.fixture(params=[{}, {"nodes": 3, "gpus_per_node": 4}], ids=["default", "three nodes"])
def files(request):
    return launch_files(manifest(), **request.param)


def test_sbatch_knows_every_option(files):
    lines = files["slurm.sbatch"].splitlines()
    directives = [line for line in lines if line.startswith("#SBATCH")]
    first_command = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(lines.index(line) < first_command for line in directives)  # sbatch stops reading at the first command
    options = dict((*line.removeprefix("#SBATCH --").split("=", 1), "")[:2] for line in directives)
    assert options.keys() <= SBATCH
    assert re.fullmatch(r"(\d+-)?\d{2}:\d{2}:\d{2}", options["time"])
    assert re.fullmatch(r"B:TERM@\d+", options["signal"])
    assert options["open-mode"] in ("append", "truncate")
    assert all(options[name].isdigit() for name in ("nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task"))
    command = shlex.split(files["slurm.sbatch"].split("srun ", 1)[1].split(" &\n", 1)[0].replace("\\\n", " "))
    assert command[command.index("--nproc-per-node") + 1] == options["gpus-per-node"]


def test_the_rayjob_has_only_fields_kuberay_knows(files):
    job = yaml.safe_load(files["k8s.yaml"])
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", job["metadata"]["name"])
    assert len(job["metadata"]["name"]) <= 47  # the operator appends to it
    spec = job["spec"]
    assert spec.keys() <= JOB
    assert spec["shutdownAfterJobFinishes"] is True  # without it, the operator refuses ttlSecondsAfterFinished
    assert isinstance(spec["backoffLimit"], int)
    cluster = spec["rayClusterSpec"]
    assert cluster.keys() == {"headGroupSpec", "workerGroupSpecs"}
    assert {"template"} <= cluster["headGroupSpec"].keys() <= HEAD
    for group in cluster["workerGroupSpecs"]:
        assert {"groupName", "template", "minReplicas", "maxReplicas"} <= group.keys() <= WORKERS
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        for container in group["template"]["spec"]["containers"]:
            assert container.keys() <= CONTAINER
            for amounts in container["resources"].values():
                assert all(QUANTITY.fullmatch(value) for value in amounts.values())


def test_pods_and_claims_fit_kubernetes_own_schema(files):
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed: extra `dev`")
    cluster = yaml.safe_load(files["k8s.yaml"])["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **group["template"]}
        validate.validate(pod, validate.latest_version(), strict=True)
        pod["spec"]["containers"][0]["volumeMount"] = []
        with pytest.raises(validate.ValidationError):
            validate.validate(pod, validate.latest_version(), strict=True)


def test_a_job_on_gpu_pods_trains_on_the_gpus(files):
    spec = yaml.safe_load(files["k8s.yaml"])["spec"]
    environment = yaml.safe_load(spec["runtimeEnvYAML"])["env_vars"]
    assert all(isinstance(value, str) for value in environment.values())
    assert environment["USE_GPU"] == "1"
    workers = spec["rayClusterSpec"]["workerGroupSpecs"][0]
    each = workers["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
    assert int(environment["WORKERS"]) == workers["replicas"] * int(each)


@pytest.mark.slow
@pytest.mark.train
def test_the_shell_file_trains_on_two_nodes(handoff, tmp_path):
    settings = ["steps=3", "evaluate.max_samples=2", "export.huggingface=false", f"out={tmp_path / 'out'}"]
    start, _ = agents(tmp_path, handoff, settings)
    nodes = [start(rank, stderr=subprocess.PIPE, text=True) for rank in range(2)]
    told = [agent.communicate(timeout=200)[1] for agent in nodes]
    assert [agent.returncode for agent in nodes] == [0, 0], told[0][-2000:] + told[1][-2000:]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["finished"], summary["processes"], summary["sharding"]) == (True, 2, "full")
