"""The recipe's command, killed with SIGKILL during a save: `killed_saving.py writing|sealing NUMBER HANDOFF …`.

`writing`: when the NUMBERth save has written its third tensor; `sealing`: when all its files stand but complete.json.
"""

import os
import signal
import sys
from typing import Any

from torch.distributed.checkpoint import filesystem

from recipes.pretrain import checkpoint
from recipes.pretrain.__main__ import main

MOMENT, NUMBER = sys.argv[1], int(sys.argv[2])
counted = {"saves": 0, "tensors": 0, "seals": 0}
async_save, seal, write = checkpoint.async_save, checkpoint.seal, filesystem._write_item


def counting_save(*arguments: Any, **settings: Any) -> Any:
    counted["saves"], counted["tensors"] = counted["saves"] + 1, 0
    return async_save(*arguments, **settings)


def dying_write(*arguments: Any, **settings: Any) -> Any:
    counted["tensors"] += 1
    if MOMENT == "writing" and (counted["saves"], counted["tensors"]) == (NUMBER, 3):
        os.kill(os.getpid(), signal.SIGKILL)
    return write(*arguments, **settings)


def dying_seal(*arguments: Any) -> None:
    counted["seals"] += 1
    if MOMENT == "sealing" and counted["seals"] == NUMBER:
        os.kill(os.getpid(), signal.SIGKILL)
    seal(*arguments)


checkpoint.async_save, checkpoint.seal, filesystem._write_item = counting_save, dying_seal, dying_write
if __name__ == "__main__":
    code = main(sys.argv[3:])
    sys.stdout.flush()
    os._exit(code)
