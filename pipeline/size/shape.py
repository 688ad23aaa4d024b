"""Shapes of transformers: the one table of architectures and presets, with the parameters and memory-relevant sizes of each.

Planner, hand-off and trainer read the same table, so a preset has the same parameters in a plan, in train.yaml and in
the model that is built: `tests/pretrain/test_presets.py` compares every one with a model of transformers.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

from pipeline.errors import named
from pipeline.size.published import TABLES

Architecture = Literal["llama", "qwen3", "gpt2", "bert", "roberta", "modernbert", "t5", "bart"]
Objective = Literal["causal", "masked", "spans", "infilling"]
Kind = Literal["decoder", "encoder", "encoder_decoder"]


class Anatomy(NamedTuple):
    """What an architecture has beside the matrices of attention and feed-forward."""

    objective: Objective
    """What it was made to learn, and the only objective it is trained on here."""
    gated: bool = False
    """The feed-forward has three matrices (SwiGLU, GeGLU) instead of two."""
    biases: bool = True
    """Linear layers have biases, and norms a shift beside their scale."""
    norms: int = 1
    """Norms outside layers and embeddings: final ones, an encoder's in its head. (ModernBERT has a final norm as well,
    but none before its first layer's attention; BART's two stand behind its embeddings.)"""
    position_tables: int = 0
    """Tables of learnt positions; 0 with rotary or relative positions."""
    extra_positions: int = 0
    """Rows of such a table that no position uses (RoBERTa starts after its pad id, BART at 2)."""
    token_types: int = 0
    """Segment embeddings."""


ARCHITECTURES: dict[str, Anatomy] = {
    "llama": Anatomy("causal", gated=True, biases=False),
    "qwen3": Anatomy("causal", gated=True, biases=False),
    "gpt2": Anatomy("causal", position_tables=1),
    "bert": Anatomy("masked", position_tables=1, token_types=2),
    "roberta": Anatomy("masked", position_tables=1, extra_positions=2, token_types=1),
    "modernbert": Anatomy("masked", gated=True, biases=False),
    "t5": Anatomy("spans", biases=False, norms=2),
    "bart": Anatomy("infilling", norms=2, position_tables=2, extra_positions=2),
}
KINDS: dict[str, Kind] = {
    "causal": "decoder",
    "masked": "encoder",
    "spans": "encoder_decoder",
    "infilling": "encoder_decoder",
}
RELATIVE_BUCKETS = 32
"""Rows of T5's table of relative positions, one table for each stack."""


def padded(vocab: int) -> int:
    """Rows of the embedding: the vocabulary rounded up to a multiple of 128, which fills whole tiles of a GPU.

    >>> padded(4096), padded(32_001)
    (4096, 32128)
    """
    return -(-vocab // 128) * 128


@dataclass(frozen=True)
class Shape:
    """Sizes of one model. Of an encoder-decoder, `layers` are those of the encoder."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool = True
    """Whether input embedding and LM head are one matrix."""
    architecture: Architecture = "llama"
    sequence: int = 512
    """Tokens of a sample, of an encoder-decoder on the encoder's side: learnt positions, and the decoder's length."""
    positions: int | None = None
    """Rows of a table of learnt positions; null: `sequence` and the rows the architecture leaves unused."""
    decoder_layers: int | None = None
    """Layers of an encoder-decoder's decoder; null: as many as `layers`."""
    rope_theta: float = 10_000.0
    """Base of rotary positions."""
    gated: bool | None = None
    """Whether the feed-forward has three matrices; null: as the architecture has it. T5 comes both ways (v1.1 is gated)."""

    @property
    def is_gated(self) -> bool:
        """Whether the feed-forward has three matrices."""
        return self.anatomy.gated if self.gated is None else self.gated

    @property
    def anatomy(self) -> Anatomy:
        """The architecture's row of the table."""
        return ARCHITECTURES[self.architecture]

    @property
    def kind(self) -> Kind:
        """Decoder, encoder or both: how compute is counted."""
        return KINDS[self.anatomy.objective]

    @property
    def depth(self) -> float:
        """Number of blocks; a block of an encoder-decoder is one encoder layer with one decoder layer."""
        decoder_layers = self.layers if self.decoder_layers is None else self.decoder_layers
        return (self.layers + decoder_layers) / 2

    def _layer(self, attentions: int = 1) -> tuple[int, int]:
        """(matrices, biases and norms) of one layer, in parameters; a layer with cross-attention has two attentions."""
        inner, anatomy = self.head_dim * (self.heads + self.kv_heads), self.anatomy
        matrices = attentions * 2 * self.hidden * inner + (3 if self.is_gated else 2) * self.hidden * self.ffn
        vectors = (attentions + 1) * self.norm_params
        if anatomy.biases:
            vectors += attentions * (inner + self.head_dim * self.kv_heads + self.hidden) + self.ffn + self.hidden
        if self.architecture == "qwen3":  # norms of queries and keys
            vectors += 2 * self.head_dim
        return matrices, vectors

    @property
    def _decoder_layer(self) -> tuple[int, int]:
        """The same of a layer of an encoder-decoder's decoder; nothing elsewhere."""
        return self._layer(2) if self.kind == "encoder_decoder" else (0, 0)

    @property
    def norm_params(self) -> int:
        """Parameters of one norm."""
        return (2 if self.anatomy.biases else 1) * self.hidden

    @property
    def block_matmul_params(self) -> int:
        """Parameters of the matrices of one block."""
        return self._layer()[0] + self._decoder_layer[0]

    @property
    def block_params(self) -> int:
        """Parameters of one block, biases and norms included."""
        return sum(self._layer()) + sum(self._decoder_layer)

    @property
    def embedding_params(self) -> int:
        """Words, positions, segments; also the LM head where it is untied, an encoder's embedding norm and output bias."""
        anatomy = self.anatomy
        positions = self.sequence + anatomy.extra_positions if self.positions is None else self.positions
        rows = self.vocab * (1 if self.tied else 2) + anatomy.position_tables * positions + anatomy.token_types
        params = rows * self.hidden
        if self.kind == "encoder":
            params += self.norm_params + self.vocab
        if self.architecture == "t5":
            params += 2 * RELATIVE_BUCKETS * self.heads
        return params

    @property
    def params(self) -> int:
        """All parameters."""
        decoder_layers = self.layers if self.decoder_layers is None else self.decoder_layers
        layers = self.layers * sum(self._layer()) + decoder_layers * sum(self._decoder_layer)
        params = self.embedding_params + layers + self.anatomy.norms * self.norm_params
        if self.kind == "encoder":  # the dense layer of the head
            params += self.hidden**2 + (self.hidden if self.anatomy.biases else 0)
        return params

    @property
    def matmul_params(self) -> int:
        """Parameters that multiply tokens: blocks, the LM head, an encoder's dense layer; no input embedding, no norms."""
        dense = self.hidden**2 if self.kind == "encoder" else 0
        return round(self.depth * self.block_matmul_params) + dense + self.vocab * self.hidden

    @property
    def targets(self) -> int:
        """Tokens with logits in a sample: T5's decoder writes the hidden spans alone."""
        return span_lengths(self.sequence)[1] if self.architecture == "t5" else self.sequence

    @property
    def head_tokens(self) -> float:
        """Tokens with logits for each token of the input."""
        return self.targets / self.sequence

    def to_json(self) -> dict[str, Any]:
        """Fields and counts as JSON values."""
        return asdict(self) | {"params": self.params, "non_embedding_params": self.params - self.embedding_params}


def span_lengths(inputs: int, density: float = 0.15, mean_span: float = 3.0) -> tuple[int, int]:
    """(raw tokens, target tokens) of T5's span corruption whose corrupted inputs fill `inputs` places.

    Each noise span becomes one sentinel in the inputs and stands after its sentinel in the targets; both end with one
    end-of-text token (arXiv 1910.10683, section 3.1.4).

    >>> span_lengths(512), span_lengths(256)
    ((568, 114), (284, 58))
    """
    raw = inputs
    while True:
        noise, spans = noise_spans(raw + 1, density, mean_span)
        if raw + 1 - noise + spans + 1 > inputs:
            noise, spans = noise_spans(raw, density, mean_span)
            return raw, noise + spans + 1
        raw += 1


def noise_spans(raw: int, density: float, mean_span: float) -> tuple[int, int]:
    """(noise tokens, spans) of a window of `raw` tokens, as T5 counts them."""
    noise = min(max(round(raw * density), 1), raw - 1)
    return noise, max(round(noise / mean_span), 1)


def _published(name: str, hidden: int, heads: int, kv_heads: int | None = None, **other: Any) -> Shape:
    return Shape(hidden=hidden, heads=heads, kv_heads=kv_heads or heads, head_dim=hidden // heads, **other)


PRESETS: dict[str, Shape] = {row["name"]: _published(**row) for row in TABLES["presets"]}
"""Published shapes by name."""


def preset(name: str, vocab: int, sequence: int = 512) -> Shape:
    """A named shape with the given vocabulary, padded, for samples of `sequence` tokens; a UsageError names the nearest."""
    return replace(named("preset", PRESETS, name), vocab=padded(vocab), sequence=sequence)
