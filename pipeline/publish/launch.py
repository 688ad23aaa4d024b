"""Launch files of a training run: torchrun, Slurm, Ray Train, Kubernetes (KubeRay RayJob), each a template in `templates/`.

The files name the hand-off folder through the variable HANDOFF and choose nothing else that a machine should decide. The
image in `k8s.yaml` is the one that the Dockerfile's target `train` builds.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.handoff import Manifest

FILES = ("torchrun.sh", "slurm.sbatch", "ray_train.py", "k8s.yaml")


def launch_files(manifest: Manifest, *, nodes: int = 1, gpus_per_node: int | None = None) -> dict[str, str]:
    """{file name: text} of everything that can start this run.

    gpus_per_node: null leaves it to the machine (`auto`), and 8 where a scheduler must be told. What was run where:
    torchrun on one node and Ray Train on CPU processes are tested; Slurm and Kubernetes files are checked for form.
    """
    gpus = gpus_per_node or 8
    values = {
        "nodes": nodes,
        "gpus": gpus,
        "gpus_per_node": gpus_per_node,
        "workers": nodes * (gpus_per_node or 2),
        "fingerprint": manifest.fingerprint[:12],
    }
    templates = Environment(
        loader=PackageLoader("pipeline.publish"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return {name: templates.get_template(f"{name}.jinja").render(values) for name in FILES}
