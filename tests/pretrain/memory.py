"""Memory of one training by process: `torchrun … memory.py RESULT HANDOFF SETTING…`, bytes over what the imports took.

Rank r writes RESULT.r: [parameters, bytes when the model is there, bytes at the end of training and export].
"""

import json
import os
import resource
import sys
from pathlib import Path

from recipes.pretrain import export, loop
from recipes.pretrain.inputs import open_handoff
from recipes.pretrain.parallel import start_world, stop_world

export.EXPORT_FILE_BYTES = 16 << 20
export.SAMPLED = 0


def most() -> int:
    """The most this process has had resident, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    world = start_world()
    before = most()
    trainer = loop.Trainer(open_handoff(sys.argv[2], sys.argv[3:]), world)
    started = most() - before
    trainer.run()
    told = [trainer.parameters, started, most() - before]
    Path(f"{sys.argv[1]}.{world.rank}").write_text(json.dumps(told))
    stop_world()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
