#!/usr/bin/env bash
# Curation on four nodes of a Slurm cluster with a shared disk, then training on the same nodes: sbatch deploy/slurm.sh
#SBATCH --job-name=domain-corpus
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --time=24:00:00
set -euo pipefail

OUT=/shared/runs/finance
HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

srun --nodes=1 --ntasks=1 --nodelist="$HEAD" ray start --head --port=6379 --block &
sleep 20
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$HEAD" \
    ray start --address="$HEAD:6379" --block &
fi

# A job that is taken away and queued again goes on from what is committed.
domain-corpus run finance --set use=local --out "$OUT" --ray "$HEAD:6379" --no-train --metrics /shared/metrics/finance.prom
