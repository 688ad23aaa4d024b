"""The recipe's command, killed with SIGKILL once: `killed.py MARKER RANK STEP HANDOFF …` (the marker file says it was)."""

import os
import signal
import sys
from pathlib import Path

from recipes.pretrain import loop
from recipes.pretrain.__main__ import main

marker, rank, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
train_step = loop.Trainer.train_step


def deadly(self, *arguments):
    if self.step == step and self.world.rank == rank and not marker.exists():
        marker.write_text("killed")
        os.kill(os.getpid(), signal.SIGKILL)
    return train_step(self, *arguments)


loop.Trainer.train_step = deadly
if __name__ == "__main__":
    code = main(sys.argv[4:])
    sys.stdout.flush()
    os._exit(code)
