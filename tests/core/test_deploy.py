"""deploy/: jobs whose command the command line takes, on workers that have what the recipe's path needs."""

import ast
import shlex
import subprocess
from pathlib import Path

import yaml

from pipeline.run import parser

FILE = Path(__file__).resolve().parents[2] / "deploy/kuberay.yaml"


def test_the_kuberay_job_is_whole():
    job = yaml.safe_load(FILE.read_text())
    command, verb, *words = job["spec"]["entrypoint"].split()
    assert (job["kind"], command, verb) == ("RayJob", "domain-corpus", "run")
    options = parser().parse_args(words)
    assert options.out.startswith("s3://")
    assert options.ray == "auto"
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    assert (workers["replicas"], workers["maxReplicas"]) == (100, 100)
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0", "a spot node never takes the driver with it"
    for group in (cluster["headGroupSpec"], workers):
        spec = group["template"]["spec"]
        (container,) = spec["containers"]
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert {volume["name"] for volume in spec["volumes"]} == mounted.keys()
        assert words[0].startswith(mounted["recipe"])
        assert container["resources"]["limits"]["memory"]


def command_in(text: str) -> list[str]:
    """The words after `domain-corpus run` of the one line that has them."""
    (line,) = [line for line in text.splitlines() if "domain-corpus run" in line and not line.startswith(("#", '"""'))]
    return shlex.split(line.partition("domain-corpus run")[2].rstrip('"'))


def test_the_schedulers_examples_give_a_command_that_the_command_line_takes():
    dag, asset, job = ((FILE.parent / name).read_text() for name in ("airflow_dag.py", "dagster_job.py", "slurm.sh"))
    options = parser().parse_args(command_in(dag))
    assert (options.recipe, options.lineage, options.train) == ("finance", True, False)
    words = next(ast.literal_eval(node.value) for node in ast.parse(asset).body if isinstance(node, ast.Assign))
    assert words[:2] == ["domain-corpus", "run"]
    assert parser().parse_args(words[2:]).json
    assert parser().parse_args(command_in(job)).metrics.endswith(".prom")
    subprocess.run(["bash", "-n", str(FILE.parent / "slurm.sh")], check=True)
