"""Term cloze: does the model know the domain's terms? Held-out occurrences, completed from the left or filled in.

A causal model completes the term from the text before it; a masked model, T5 and BART fill the gap it left. Counted are
terms of which every token is the model's first choice, and bits per byte of the terms' text, which does not depend on
how the tokenizer cuts them.
"""

import math
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from pipeline.handoff import EvaluateSettings
from recipes.pretrain.data import Windows, stack
from recipes.pretrain.evaluate import to_device
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.model import Trainable
from recipes.pretrain.objectives import Objective, Sample
from recipes.pretrain.parallel import World, all_sum

GAP = 8
"""Tokens of context between two terms that are asked for in one window."""


class Finder:
    """Occurrences of terms in tokens: a term as it stands inside a sentence, as listed and with its first letter raised."""

    def __init__(self, terms: list[str], tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.by_first: dict[int, list[tuple[tuple[int, ...], int]]] = {}
        spelled = sorted({form for term in terms for form in (term, term[:1].upper() + term[1:])})
        for form in spelled:
            ids = tuple(tokenizer.encode(f" {form}", add_special_tokens=False).ids)
            if ids and tokenizer.decode(list(ids)) == f" {form}":  # else the tokenizer cannot spell it
                self.by_first.setdefault(ids[0], []).append((ids, len(form.encode()) + 1))
        for forms in self.by_first.values():
            forms.sort(reverse=True, key=lambda pair: len(pair[0]))  # the longest term first
        self.firsts = np.array(sorted(self.by_first), dtype=np.int64)

    def __call__(self, tokens: np.ndarray) -> list[tuple[int, int, int]]:
        """(start, stop, bytes) of terms, apart by GAP tokens, not at the first token, followed by a new word."""
        occurrences: list[tuple[int, int, int]] = []
        for at in np.flatnonzero(np.isin(tokens, self.firsts)).tolist():
            if at == 0 or (occurrences and at < occurrences[-1][1] + GAP):
                continue
            for ids, size in self.by_first[int(tokens[at])]:
                stop = at + len(ids)
                if stop < len(tokens) and tuple(tokens[at:stop].tolist()) == ids and self._ends_word(int(tokens[stop])):
                    occurrences.append((at, stop, size))
                    break
        return occurrences

    def _ends_word(self, following: int) -> bool:
        return not self.tokenizer.decode([following], skip_special_tokens=False)[:1].isalnum()


class TermCloze:
    """The same occurrences at every step and for any number of processes, from the domain's held-out text."""

    def __init__(self, handoff: Handoff, objective: Objective, settings: EvaluateSettings) -> None:
        self.objective, self.micro = objective, handoff.config.micro_batch
        self.samples: list[tuple[Sample, list[tuple[int, int]]]] = []
        if not handoff.manifest.terms or not settings.max_terms:
            return
        finder = Finder(handoff.manifest.terms, handoff.read_tokenizer())
        left = settings.max_terms
        for i, source in enumerate(handoff.manifest.sources):
            if source.role != "domain" or not source.num_tokens("validation"):
                continue
            windows = Windows(handoff, i, "validation", objective)
            looked_at = min(windows.count, 4 * settings.max_samples)
            for j in range(looked_at):
                left -= self._take(windows, j * windows.count // looked_at, finder, left)

    def _take(self, windows: Windows, window: int, finder: Finder, left: int) -> int:
        start = window * self.objective.stride
        stop = min(windows.stream.num_tokens, start + self.objective.cloze_length)
        tokens, ends = windows.stream.read(start, stop)
        spans, room = [], self.objective.cloze_room
        for span in finder(tokens)[: max(0, left)]:
            room -= span[1] - span[0] + 1
            if room >= 0:
                spans.append(span)
        if spans:
            sample = self.objective.cloze(tokens, ends, [(a, b) for a, b, _ in spans])
            self.samples.append((sample, [(b - a, size) for a, b, size in spans]))
        return len(spans)

    def __call__(self, trainable: Trainable, world: World) -> dict[str, Any] | None:
        """{terms, accuracy, bits_per_byte}; None without terms or occurrences. Collective."""
        if not self.samples:
            return None
        sums = torch.zeros(4, dtype=torch.float64)
        mine = self.samples[world.data_rank :: world.data_size]
        rounds = math.ceil(math.ceil(len(self.samples) / world.data_size) / self.micro)
        trainable.eval()
        with torch.no_grad():
            for number in range(rounds):  # every process takes part in every forward pass
                part = mine[number * self.micro : (number + 1) * self.micro]
                batch = stack([sample for sample, _ in part] or [self.objective.empty()])
                each = trainable(to_device(batch, world.device, trainable.use_varlen), each=True).double().cpu()
                at = 0
                for length, size in (span for _, spans in part for span in spans):
                    nats, hits = each[:, at : at + length]
                    sums += torch.tensor([1.0, float(hits.all()), float(nats.sum()), size], dtype=torch.float64)
                    at += length
        trainable.train()
        sums *= world.tensor / world.sharing  # the parts of a context each read the whole sample
        terms, right, nats, size = all_sum(world, sums.to(world.device, torch.float32)).tolist()
        return {"terms": int(terms), "accuracy": right / terms, "bits_per_byte": nats / math.log(2) / size}
