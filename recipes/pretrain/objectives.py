"""From a window of tokens to what a model is trained on: causal, masked, span corruption, infilling.

A sample is a dict of arrays of fixed length: `inputs`, `labels` (-100 where nothing is predicted), `docs` (number of
the document in the window), `positions` (from 0 in each document); encoder-decoder models also have `decoder_inputs`,
`decoder_docs` and `decoder_positions`.
All noise is drawn from the generator that is handed in, which depends on (seed, k) alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.handoff import ObjectiveSettings, TokenizerInfo, UsageError
from pipeline.handoff.windows import window_of
from pipeline.size.shape import noise_spans, span_lengths

Sample = dict[str, np.ndarray]
IGNORE = -100


def document_numbers(starts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """(document number, position in the document) of each of `length` places, from where the second, third, … start.

    Two documents may start at one place: the first of them is empty here and still has its number.
    """
    starts = starts[starts < length]
    docs = np.cumsum(np.bincount(starts, minlength=length))
    first = np.concatenate([[0], starts])
    return docs, np.arange(length) - first[docs]


def only(values: np.ndarray, spans: list[tuple[int, int]]) -> np.ndarray:
    """The values inside the spans; IGNORE everywhere else."""
    out = np.full(len(values), IGNORE, dtype=np.int64)
    for start, stop in spans:
        out[start:stop] = values[start:stop]
    return out


def padded(values: np.ndarray, length: int, fill: int) -> np.ndarray:
    """The values, cut or filled up to length."""
    out = np.full(length, fill, dtype=np.int64)
    out[: min(length, len(values))] = values[:length]
    return out


class Objective:
    """Base: `stride` tokens are consumed per sample, of `overlap` more the sample only predicts."""

    stride: int
    overlap: int
    length: int
    decoder_length = 0

    def __init__(self, settings: ObjectiveSettings, tokenizer: TokenizerInfo) -> None:
        self.settings, self.tokenizer = settings, tokenizer
        self.length = settings.sequence_length or 256
        self.stride, self.overlap = window_of(settings)
        self.pad = tokenizer.pad_id if tokenizer.pad_id is not None else tokenizer.eos_id

    def sample(self, tokens: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> Sample:
        """tokens [<= stride + overlap] with documents ending at `ends` (exclusive) as a sample."""
        raise TypeError(f"{type(self).__name__} makes no samples")

    @property
    def cloze_length(self) -> int:
        """Tokens of a window in which gaps are asked for."""
        return self.length

    @property
    def cloze_room(self) -> int:
        """Targets, with one more token for each gap, that fit in such a window."""
        return self.length

    def cloze(self, tokens: np.ndarray, ends: np.ndarray, spans: list[tuple[int, int]]) -> Sample:
        """A sample whose only targets are the tokens of `spans` (start, stop), in order, hidden as the objective hides."""
        raise TypeError(f"{type(self).__name__} asks for no gaps")

    def empty(self) -> Sample:
        """A sample that predicts nothing: fills up a micro-batch."""
        names = [("", self.length)] + ([("decoder_", self.decoder_length)] if self.decoder_length else [])
        out: Sample = {}
        for prefix, length in names:
            out[f"{prefix}inputs"] = np.full(length, self.pad, dtype=np.int64)
            out[f"{prefix}docs"] = np.zeros(length, dtype=np.int64)
            out[f"{prefix}positions"] = np.arange(length, dtype=np.int64)
        out["labels"] = np.full(self.decoder_length or self.length, IGNORE, dtype=np.int64)
        return out

    def _side(self, prefix: str, values: np.ndarray, starts: np.ndarray, length: int) -> Sample:
        """Inputs, docs and positions of one side, filled up; the filling is a document of its own."""
        if not self.settings.document_masks:
            starts = starts[:0]
        if len(values) < length:
            starts = np.concatenate([starts, [len(values)]])
        docs, positions = document_numbers(starts, length)
        return {
            f"{prefix}inputs": padded(values, length, self.pad),
            f"{prefix}docs": docs,
            f"{prefix}positions": positions,
        }

    def _one_sided(self, inputs: np.ndarray, ends: np.ndarray, labels: np.ndarray) -> Sample:
        """A sample of one sequence, whose inputs belong to documents that end at `ends`."""
        return {**self._side("", inputs, ends, self.length), "labels": padded(labels, self.length, IGNORE)}


class Causal(Objective):
    """Predict the next token. Windows overlap by one token, so every token but a source's first is a target once.

    As an input, the eos that ends a document opens the next one: each document is predicted from nothing but itself,
    and a model is prompted after one eos.
    """

    def sample(self, tokens: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> Sample:
        return self._one_sided(tokens[:-1], ends - 1, tokens[1:])

    @property
    def cloze_length(self) -> int:
        return self.length + self.overlap

    def cloze(self, tokens: np.ndarray, ends: np.ndarray, spans: list[tuple[int, int]]) -> Sample:
        return self._one_sided(tokens[:-1], ends - 1, only(tokens, spans)[1:])


class Masked(Objective):
    """BERT's masked language model (arXiv 1810.04805, section 3.1): of the chosen tokens 80 % become the mask token,
    10 % a random one and 10 % stay."""

    def __init__(self, settings: ObjectiveSettings, tokenizer: TokenizerInfo) -> None:
        super().__init__(settings, tokenizer)
        if tokenizer.mask_id is None:
            raise UsageError("masked language modelling needs a mask token, and the tokenizer has none")
        self.mask = tokenizer.mask_id
        ids = (tokenizer.eos_id, tokenizer.bos_id, tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, self.mask)
        self.special = np.array([i for i in ids if i is not None])

    def sample(self, tokens: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> Sample:
        n = len(tokens)
        chosen = (rng.random(n) < self.settings.mask_probability) & ~np.isin(tokens, self.special)
        fate, random_ids = rng.random(n), rng.integers(0, self.tokenizer.vocab_size, n)
        inputs = np.where(chosen & (fate < 0.8), self.mask, tokens)
        inputs = np.where(chosen & (fate >= 0.8) & (fate < 0.9), random_ids, inputs)
        return self._one_sided(inputs, ends, np.where(chosen, tokens, IGNORE))

    def cloze(self, tokens: np.ndarray, ends: np.ndarray, spans: list[tuple[int, int]]) -> Sample:
        labels = only(tokens, spans)
        return self._one_sided(np.where(labels == IGNORE, tokens, self.mask), ends, labels)


def random_parts(total: int, parts: int, rng: np.random.Generator) -> np.ndarray:
    """`total` cut at random into `parts` positive integers."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1 if parts > 1 else np.empty(0, dtype=np.int64)
    return np.diff(np.concatenate([[0], cuts, [total]]))


@dataclass
class Sides:
    """Encoder and decoder sequences under construction, with where documents start on each."""

    inputs: list[Any]
    targets: list[Any]
    input_starts: list[int]
    target_starts: list[int]

    @property
    def num_inputs(self) -> int:
        return sum(len(part) for part in self.inputs)

    @property
    def num_targets(self) -> int:
        return sum(len(part) for part in self.targets)


class EncoderDecoder(Objective):
    """Shared by spans and infilling: the decoder's inputs are its targets shifted right, afresh in each document."""

    start: int

    @property
    def cloze_length(self) -> int:
        return self.length - 1  # the encoder's eos; a gap is never shorter than its mark

    @property
    def cloze_room(self) -> int:
        return self.decoder_length - 1

    def _borders(self, tokens: np.ndarray, ends: np.ndarray) -> np.ndarray:
        return ends[ends < len(tokens)] if self.settings.document_masks else ends[:0]

    def _gapped(
        self,
        tokens: np.ndarray,
        borders: np.ndarray,
        spans: list[tuple[int, int]],
        mark: Callable[[int], np.ndarray],
    ) -> Sides:
        """Inputs with `mark(number in its document)` for each span; targets: each mark and what it hides."""
        sides = Sides([], [], [], [])
        at = number = 0
        edges = sorted(set(borders.tolist()))
        for start, stop in [*spans, (len(tokens), len(tokens))]:
            while edges and edges[0] <= start:  # documents that begin before this span
                edge = edges.pop(0)
                sides.inputs.append(tokens[at:edge])
                at, number = edge, 0
                sides.input_starts.append(sides.num_inputs)
                sides.target_starts.append(sides.num_targets)
            sides.inputs.append(tokens[at:start])
            if start < stop:
                sides.inputs.append(mark(number))
                sides.targets += [mark(number), tokens[start:stop]]
                number += 1
            at = stop
        return sides

    def _finish(self, sides: Sides) -> Sample:
        inputs = np.concatenate(sides.inputs) if sides.inputs else np.empty(0, dtype=np.int64)
        targets = np.concatenate(sides.targets) if sides.targets else np.empty(0, dtype=np.int64)
        starts = np.array(sides.target_starts, dtype=np.int64)
        shifted = np.concatenate([[self.start], targets[:-1]])[: len(targets)]
        if self.settings.document_masks:
            shifted[starts[starts < len(shifted)]] = self.start
        out = self._side("", inputs, np.array(sides.input_starts, dtype=np.int64), self.length)
        out.update(self._side("decoder_", shifted, starts, self.decoder_length))
        out["labels"] = padded(targets, self.decoder_length, IGNORE)
        return out


class Spans(EncoderDecoder):
    """T5's span corruption (arXiv 1910.10683, section 3.1.4): spans become sentinels, the target names them.

    A span never crosses from one document into the next, and each document starts again at the first sentinel, so that
    a packed window is exactly its documents side by side.
    """

    def __init__(self, settings: ObjectiveSettings, tokenizer: TokenizerInfo) -> None:
        super().__init__(settings, tokenizer)
        if tokenizer.sentinel_first is None or not tokenizer.sentinel_count:
            raise UsageError("span corruption needs sentinels, and the tokenizer has none reserved")
        _, self.decoder_length = span_lengths(self.length, settings.noise_density, settings.mean_span)
        self.first, self.count = tokenizer.sentinel_first, tokenizer.sentinel_count
        self.start = self.pad

    def noise_spans(self, length: int, borders: np.ndarray, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Spans (start, stop) to hide; one that would cross a document's end is moved before or behind it, or cut."""
        if length < 2:
            return []
        noise, spans = noise_spans(length, self.settings.noise_density, self.settings.mean_span)
        spans = min(spans, length - noise)
        kept, hidden = random_parts(length - noise, spans, rng), random_parts(noise, spans, rng)
        starts = np.cumsum(kept) + np.concatenate([[0], np.cumsum(hidden)[:-1]])
        out: list[tuple[int, int]] = []
        for number, (start, size) in enumerate(zip(starts.tolist(), hidden.tolist(), strict=True)):
            stop = start + size
            inside = borders[(borders > start) & (borders < stop)]
            if len(inside):
                border = int(inside[0])
                before = out[-1][1] if out else 0
                after = int(starts[number + 1]) if number + 1 < spans else length
                later = borders[borders > border]
                if border - size > before and not np.any((borders > border - size) & (borders < border)):
                    start, stop = border - size, border
                elif border + size < after and not np.any(later < border + size):
                    start, stop = border, border + size
                else:
                    stop = border
            out.append((start, stop))
        return out

    def sample(self, tokens: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> Sample:
        borders = self._borders(tokens, ends)
        return self._hide(tokens, borders, self.noise_spans(len(tokens), borders, rng))

    def cloze(self, tokens: np.ndarray, ends: np.ndarray, spans: list[tuple[int, int]]) -> Sample:
        sample = self._hide(tokens, self._borders(tokens, ends), spans)
        labels = sample["labels"]
        mark = (labels >= self.first) & (labels < self.first + self.count)
        return {**sample, "labels": np.where(mark | (labels == self.tokenizer.eos_id), IGNORE, labels)}

    def _hide(self, tokens: np.ndarray, borders: np.ndarray, spans: list[tuple[int, int]]) -> Sample:
        sides = self._gapped(tokens, borders, spans, lambda number: np.array([self.first + number % self.count]))
        end = np.array([self.tokenizer.eos_id])
        sides.inputs.append(end)
        sides.targets.append(end)
        return self._finish(sides)


class Infilling(EncoderDecoder):
    """BART's text infilling (arXiv 1910.13461, section 2.2): spans of Poisson length, some of them empty, become
    one mask token each; the decoder writes the whole text."""

    def __init__(self, settings: ObjectiveSettings, tokenizer: TokenizerInfo) -> None:
        super().__init__(settings, tokenizer)
        if tokenizer.mask_id is None:
            raise UsageError("infilling needs a mask token, and the tokenizer has none")
        self.mask = np.array([tokenizer.mask_id])
        self.decoder_length = self.length
        self.start = tokenizer.eos_id

    def sample(self, tokens: np.ndarray, ends: np.ndarray, rng: np.random.Generator) -> Sample:
        n = len(tokens)
        borders = self._borders(tokens, ends).tolist()
        sides = Sides([], [], [], [])
        for start, stop in zip([0, *borders], [*borders, n], strict=True):
            if start:
                sides.input_starts.append(sides.num_inputs)
                sides.target_starts.append(start)
            sides.targets.append(tokens[start:stop])
            self._corrupt(tokens[start:stop], sides, rng)
        return self._finish(sides)

    def cloze(self, tokens: np.ndarray, ends: np.ndarray, spans: list[tuple[int, int]]) -> Sample:
        borders = self._borders(tokens, ends)
        sides = self._gapped(tokens, borders, spans, lambda _: self.mask)
        sides.targets, sides.target_starts = [tokens], borders.tolist()
        return {**self._finish(sides), "labels": padded(only(tokens, spans), self.decoder_length, IGNORE)}

    def _corrupt(self, document: np.ndarray, sides: Sides, rng: np.random.Generator) -> None:
        """Append the corrupted document. Never longer than the document: empty spans only where tokens were hidden."""
        n = len(document)
        budget = round(n * self.settings.infill_density)
        lengths: list[int] = []
        while sum(lengths) < budget:
            lengths.append(min(int(rng.poisson(self.settings.mean_span)), budget - sum(lengths)))
        hidden, empty = sum(lengths), lengths.count(0)
        while empty and n - hidden + len(lengths) > n:
            lengths.remove(0)
            empty -= 1
        # spread the spans over the kept tokens: a span stands before kept token number `slot`
        slots = np.sort(rng.integers(0, n - hidden + 1, len(lengths))).tolist()
        at = taken = 0
        for slot, length in zip(slots, lengths, strict=True):
            sides.inputs.append(document[at : at + slot - taken])
            at += slot - taken + length
            taken = slot
            sides.inputs.append(self.mask)
        sides.inputs.append(document[at:])


OBJECTIVES: dict[str, type[Objective]] = {"causal": Causal, "masked": Masked, "spans": Spans, "infilling": Infilling}


def build_objective(settings: ObjectiveSettings, tokenizer: TokenizerInfo) -> Objective:
    """The objective the settings name. Raises UsageError when the tokenizer lacks a token it needs."""
    return OBJECTIVES[settings.kind or "causal"](settings, tokenizer)
