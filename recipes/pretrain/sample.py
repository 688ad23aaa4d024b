"""`python -m recipes.pretrain.sample HANDOFF`: what the trained model writes, and how much it reads like the domain.

Causal models only, from the exported folder, on the CPU, with the run's seed: the same text every time. A prompt is a
term of the domain, or the opening of a document of each held-out source; unprompted texts are what is counted.
"""

import argparse
import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.handoff import EXIT_OK, UsageError
from recipes.pretrain.command import need_torch, parser, run
from recipes.pretrain.inputs import Handoff, open_handoff
from recipes.pretrain.storage import local_copy, place
from recipes.pretrain.token_stream import TokenStream

NEW_TOKENS, OPENING, UNPROMPTED = 60, 16, 32
TEMPERATURE, TOP_K = 0.8, 40
COUNTED = 400_000
"""Tokens of a role and split in which words are counted."""
WORD = re.compile(r"[^\W\d_]{2,}")


def prompts(handoff: Handoff, terms: int) -> Iterator[tuple[str, list[int]]]:
    """(what it is, tokens): terms evenly spaced in their list, then the opening of a held-out document of each source."""
    tokenizer, listed = handoff.read_tokenizer(), handoff.manifest.terms
    for at in range(min(terms, len(listed))):
        term = listed[at * len(listed) // min(terms, len(listed))]
        yield "term", tokenizer.encode(term[:1].upper() + term[1:], add_special_tokens=False).ids
    for source in handoff.manifest.sources:
        stream = TokenStream(handoff, source.splits.get("validation", []))
        tokens, ends = stream.read(0, min(stream.num_tokens, COUNTED))
        for start, stop in itertools.pairwise([0, *ends.tolist()]):
            if stop - start > 2 * OPENING:
                yield f"held-out {source.name}", tokens[start : start + OPENING].tolist()
                break


def continuations(model: Any, handoff: Handoff, asked: Sequence[Sequence[int]], number: int = 0) -> list[list[int]]:
    """New tokens after each prompt, all prompts equally long; drawn from the run's seed and the number of the drawing."""
    import torch

    eos = handoff.manifest.tokenizer.eos_id
    start = torch.tensor([[eos, *prompt] for prompt in asked])
    room = (handoff.config.objective.sequence_length or 256) - start.shape[1]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed((handoff.config.seed << 16) + number)  # prompts that share their draws write alike
        out = model.generate(
            start, attention_mask=torch.ones_like(start), do_sample=True, temperature=TEMPERATURE, top_k=TOP_K,
            max_new_tokens=max(1, min(NEW_TOKENS, room)), pad_token_id=eos,
        )  # fmt: skip
    return [row[: row.index(eos)] if eos in row else row for row in out[:, start.shape[1] :].tolist()]


def words(text: str) -> list[str]:
    """Words of two letters and more, in lower case."""
    return WORD.findall(text.lower())


def text_of(handoff: Handoff, role: str, split: str) -> str:
    """Text of one role's documents, its sources side by side, up to COUNTED tokens in all."""
    sources = [s for s in handoff.manifest.sources if s.role == role and s.num_tokens(split)]
    tokenizer, text = handoff.read_tokenizer(), []
    for source in sources:
        stream = TokenStream(handoff, source.splits[split])
        tokens, _ = stream.read(0, min(stream.num_tokens, COUNTED // len(sources)))
        text.append(tokenizer.decode(tokens.tolist()))
    return "\n".join(text)


def likeness(handoff: Handoff, generated: str) -> dict[str, Any]:
    """Of the words of a text, the share that stands more often in the domain's training text than in the general one.

    Beside the generated text's, that share of both roles' held-out text: the two ends of the scale. Unknown words, of
    neither role, count as not the domain's and are given as a share of their own.
    """
    domain, general = (Counter(words(text_of(handoff, role, "train"))) for role in ("domain", "general"))
    of_domain, of_general = max(1, domain.total()), max(1, general.total())

    def share(text: str) -> float | None:
        listed = words(text)
        more_in_domain = sum(domain[word] * of_general > general[word] * of_domain for word in listed)
        return more_in_domain / len(listed) if listed else None

    listed = words(generated)
    return {
        "generated": share(generated),
        "held_out_domain": share(text_of(handoff, "domain", "validation")),
        "held_out_general": share(text_of(handoff, "general", "validation")),
        "words": len(listed),
        "unknown": sum(word not in domain and word not in general for word in listed) / max(1, len(listed)),
    }


def sample(model: Any, handoff: Handoff, terms: int) -> dict[str, Any] | None:
    """{texts: [{kind, prompt, text}], likeness} of a causal model from transformers; None where terms is 0."""
    if not terms:
        return None
    model.eval()
    decode = handoff.read_tokenizer().decode
    texts = [
        {"kind": kind, "prompt": decode(prompt), "text": decode(continuations(model, handoff, [prompt], 1 + number)[0])}
        for number, (kind, prompt) in enumerate(prompts(handoff, terms))
    ]
    unprompted = [decode(row) for row in continuations(model, handoff, [[]] * UNPROMPTED)]
    texts += [{"kind": "unprompted", "prompt": "", "text": text} for text in unprompted[:3]]
    return {"texts": texts, "likeness": likeness(handoff, "\n".join(unprompted))}


def sentences(written: dict[str, Any]) -> list[str]:
    """The result for a person; also in the model card."""
    lines = [f"{text['kind']}: «{text['prompt']}»{text['text']}" for text in written["texts"]]
    scale = {name: written["likeness"][name] for name in ("generated", "held_out_domain", "held_out_general")}
    if None not in scale.values():
        lines.append(
            "Words more frequent in domain than in general training text: {generated:.1%} of what it writes unprompted, "
            "{held_out_domain:.1%} of held-out domain text, {held_out_general:.1%} of held-out general text.".format(
                **scale
            )
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    cli = parser(".sample", "What the trained model writes.", "the hand-off folder of a run that has trained")
    cli.add_argument("--terms", type=int, default=8, metavar="N", help="prompts from the domain's terms, at least 1")
    return run(cli, _main, arguments)


def _main(options: argparse.Namespace) -> int:
    need_torch()
    handoff = open_handoff(options.handoff, options.set)
    folder = place(handoff.at(handoff.config.out)) / "model"
    if not (folder / "config.json").exists():
        raise UsageError(f"{folder} holds no model: train first")
    if handoff.config.objective.kind != "causal":
        raise UsageError(f"a model trained on the objective {handoff.config.objective.kind!r} cannot continue text")
    from transformers import AutoModelForCausalLM

    with local_copy(folder) as here:
        model = AutoModelForCausalLM.from_pretrained(here, dtype="float32")
    written = sample(model, handoff, max(1, options.terms)) or {}
    print(json.dumps(written) if options.json else "\n".join(sentences(written)))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
