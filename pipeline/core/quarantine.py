"""The documents of a run folder that killed their worker, so that extract takes them out before they do it again."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from pipeline.core import sealed
from pipeline.core.ledger import LEDGER
from pipeline.core.sandbox import Killer, SandboxSettings
from pipeline.core.store import Store
from pipeline.errors import InfrastructureError

FILE = f"{LEDGER}/killers.json"


def load(store: Store, settings: SandboxSettings) -> dict[str, list[Killer]]:
    """Killers by shard, in order of their names; those found under other limits than these are left out: tried anew."""
    stored = sealed.read(store, FILE)
    if stored is None or stored["limits"] != settings.model_dump():
        return {}
    found: dict[str, list[Killer]] = {}
    for value in stored["killers"]:
        found.setdefault(value["shard"], []).append(Killer(**value))
    return found


def add(store: Store, settings: SandboxSettings, killers: Iterable[Killer]) -> list[Killer]:
    """Note what was found; returns what is new. Raises InfrastructureError when nothing is: taking it out did not help."""
    before = [killer for found in load(store, settings).values() for killer in found]
    known = {(killer.shard, killer.name) for killer in before}
    new = {(killer.shard, killer.name): killer for killer in killers if (killer.shard, killer.name) not in known}
    if not new:
        raise InfrastructureError(
            f"documents that are quarantined already killed their worker again: {sorted(known)[:3]}"
        )
    every = sorted([*before, *new.values()], key=lambda killer: (killer.shard, killer.name))
    sealed.write(store, FILE, {"limits": settings.model_dump(), "killers": [asdict(killer) for killer in every]})
    return list(new.values())


def listed(killers: Iterable[Killer]) -> list[list[Any]]:
    """What of them enters the fingerprint of their shard."""
    return [[killer.name, killer.reason, killer.detail, killer.records] for killer in killers]
