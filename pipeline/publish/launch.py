"""Launch files of a training run, all from one function: torchrun, Slurm, Ray Train, Kubernetes (KubeRay RayJob).

The files name the hand-off folder through the variable HANDOFF and choose nothing else that a machine should decide.
"""

import json
from typing import Any

import yaml

from pipeline.handoff import Manifest, TrainConfig

IMAGE = "domain-corpus:train"
"""The image that the Dockerfile's target `train` builds."""

TORCHRUN = """#!/usr/bin/env bash
# One node, or many: set NNODES, NODE_RANK and MASTER_ADDR on each. Dead workers restart from the last checkpoint.
set -euo pipefail
HANDOFF="${{HANDOFF:-$(cd "$(dirname "${{BASH_SOURCE[0]}}")/.." && pwd)}}"
NPROC="${{NPROC:-{processes}}}"
NNODES="${{NNODES:-1}}"
RESTARTS="${{RESTARTS:-3}}"
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 # a restarted group must not find the addresses of the dead one
if [ "$NNODES" = 1 ]; then
  exec python -m torch.distributed.run --standalone --nproc-per-node "$NPROC" --max-restarts "$RESTARTS" \\
    -m recipes.pretrain "$HANDOFF" "$@"
fi
exec python -m torch.distributed.run --nnodes "$NNODES" --node-rank "${{NODE_RANK:?}}" --nproc-per-node "$NPROC" \\
  --rdzv-backend c10d --rdzv-endpoint "${{MASTER_ADDR:?}}:${{MASTER_PORT:-29500}}" --rdzv-id "${{RUN_ID:-pretrain}}" \\
  --max-restarts "$RESTARTS" -m recipes.pretrain "$HANDOFF" "$@"
"""

SLURM = """#!/usr/bin/env bash
#SBATCH --job-name=pretrain
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={gpus}
#SBATCH --cpus-per-task={cpus}
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=pretrain-%j.log
# Five minutes before the time limit every process gets SIGTERM, writes a checkpoint and the job is queued again.
set -euo pipefail
HANDOFF="${{HANDOFF:?set HANDOFF to the hand-off folder, on storage that all nodes share}}"
export MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"
export MASTER_PORT="${{MASTER_PORT:-29500}}"
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 # a restarted group must not find the addresses of the dead one

srun --kill-on-bad-exit=1 python -m torch.distributed.run \\
  --nnodes "$SLURM_NNODES" --nproc-per-node {gpus} --max-restarts 3 \\
  --rdzv-backend c10d --rdzv-endpoint "$MASTER_ADDR:$MASTER_PORT" --rdzv-id "$SLURM_JOB_ID" \\
  -m recipes.pretrain "$HANDOFF" "$@" &
STEP=$!
requeue() {{
  kill -TERM "$STEP" 2>/dev/null || true
  wait "$STEP" || true
  scontrol requeue "$SLURM_JOB_ID"
}}
trap requeue TERM
wait "$STEP"
"""

RAY_TRAIN = '''"""Ray Train: the same training on a Ray cluster, its workers restarted from the last checkpoint."""

import os
import sys

from recipes.pretrain.ray_train import train

HANDOFF = os.environ.get("HANDOFF") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

if __name__ == "__main__":
    summary = train(
        HANDOFF,
        workers=int(os.environ.get("WORKERS", "{workers}")),
        use_gpu=os.environ.get("USE_GPU", "{use_gpu}") == "1",
        overrides=sys.argv[1:],
    )
    print(summary)
'''


def launch_files(
    config: TrainConfig, manifest: Manifest, *, nodes: int = 1, gpus_per_node: int | None = None
) -> dict[str, str]:
    """{file name: text} of everything that can start this run.

    gpus_per_node: null leaves it to the machine (`auto`), and 8 where a scheduler must be told. What was run where:
    torchrun on one node and Ray Train on CPU processes are tested; Slurm and Kubernetes files are checked for form.
    """
    gpus = gpus_per_node or 8
    use_gpu = gpus_per_node is not None
    return {
        "torchrun.sh": TORCHRUN.format(processes=gpus_per_node or "auto"),
        "slurm.sbatch": SLURM.format(nodes=nodes, gpus=gpus, cpus=gpus * 8),
        "ray_train.py": RAY_TRAIN.format(workers=nodes * (gpus if use_gpu else 2), use_gpu=int(use_gpu)),
        "k8s.yaml": _kubernetes(manifest, nodes, gpus),
    }


def _kubernetes(manifest: Manifest, nodes: int, gpus: int) -> str:
    """A KubeRay RayJob: a head without GPUs and one worker per node; the hand-off lies on a shared volume claim."""
    mount = [{"name": "run", "mountPath": "/run-folder"}]
    volume = [{"name": "run", "persistentVolumeClaim": {"claimName": "pretrain-run"}}]

    def pod(container: str, resources: dict[str, Any]) -> dict[str, Any]:
        return {
            "spec": {
                "securityContext": {"runAsNonRoot": True},
                "containers": [
                    {
                        "name": container,
                        "image": IMAGE,
                        "resources": {"limits": resources, "requests": resources},
                        "volumeMounts": [*mount, {"name": "shm", "mountPath": "/dev/shm"}],
                    }
                ],
                "volumes": [*volume, {"name": "shm", "emptyDir": {"medium": "Memory"}}],
            }
        }

    job = {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": "pretrain", "labels": {"fingerprint": manifest.fingerprint[:12]}},
        "spec": {
            "entrypoint": "python /run-folder/handoff/launch/ray_train.py",
            "runtimeEnvYAML": yaml.safe_dump(
                {"env_vars": {"HANDOFF": "/run-folder/handoff", "USE_GPU": "1", "WORKERS": str(nodes * gpus)}},
                sort_keys=True,
            ),
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": 600,
            "backoffLimit": 3,
            "rayClusterSpec": {
                "headGroupSpec": {
                    "rayStartParams": {"num-gpus": "0"},
                    "template": pod("ray-head", {"cpu": "4", "memory": "16Gi"}),
                },
                "workerGroupSpecs": [
                    {
                        "groupName": "trainers",
                        "replicas": nodes,
                        "minReplicas": nodes,
                        "maxReplicas": nodes,
                        "rayStartParams": {},
                        "template": pod(
                            "ray-worker",
                            {"cpu": str(gpus * 8), "memory": f"{gpus * 64}Gi", "nvidia.com/gpu": str(gpus)},
                        ),
                    }
                ],
            },
        },
    }
    return "# KubeRay RayJob; the volume claim `pretrain-run` holds the run folder.\n" + yaml.safe_dump(
        json.loads(json.dumps(job)), sort_keys=False, width=120
    )
