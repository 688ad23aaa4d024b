"""The recipe's command, killed with SIGKILL once at each step: `killed.py MARKER RANK STEP[,STEP…] HANDOFF …`.

The marker file says at which steps it was.
"""

import os
import signal
import sys
from pathlib import Path

from recipes.pretrain import loop
from recipes.pretrain.__main__ import main

marker, rank, steps = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(",")
train_step = loop.Trainer.train_step


def deadly(self, *arguments):
    killed = marker.read_text().split() if marker.exists() else []
    if str(self.step) in steps and self.world.rank == rank and str(self.step) not in killed:
        marker.write_text(" ".join([*killed, str(self.step)]))
        os.kill(os.getpid(), signal.SIGKILL)
    return train_step(self, *arguments)


loop.Trainer.train_step = deadly
if __name__ == "__main__":
    code = main(sys.argv[4:])
    sys.stdout.flush()
    os._exit(code)
