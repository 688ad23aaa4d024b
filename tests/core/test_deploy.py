"""deploy/kuberay.yaml: a job whose command the command line takes, on workers that have what the recipe's path needs."""

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
