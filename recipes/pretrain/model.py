"""The model: transformers' classes built from the settings, and a wrapper whose forward returns sums of losses."""

from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
import transformers
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from pipeline.errors import named
from pipeline.handoff import ModelSettings, ObjectiveSettings, TokenizerInfo, UsageError, model_shape
from pipeline.size.shape import ARCHITECTURES, Shape
from recipes.pretrain import attention
from recipes.pretrain.loss import each_target, head_loss, logits_loss
from recipes.pretrain.objectives import IGNORE

MODELS = {"causal": transformers.MODEL_FOR_CAUSAL_LM_MAPPING, "masked": transformers.MODEL_FOR_MASKED_LM_MAPPING,
          "spans": transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
          "infilling": transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING}  # fmt: skip
"""transformers' tables of model classes by objective."""
ALL = {"vocab": "vocab_size", "tied": "tie_word_embeddings", "eos": "eos_token_id", "bos": "bos_token_id",
       "pad": "pad_token_id"}  # fmt: skip
USUAL = {**ALL, "hidden": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads",
         "ffn": "intermediate_size", "positions": "max_position_embeddings"}  # fmt: skip
LLAMA = {**USUAL, "kv_heads": "num_key_value_heads", "head_dim": "head_dim", "rope": "rope_parameters",
         "dropout": "attention_dropout"}  # fmt: skip
BERT = {**USUAL, "dropout": "hidden_dropout_prob attention_probs_dropout_prob", "token_types": "type_vocab_size"}
FIELDS: dict[str, dict[str, str]] = {
    "llama": LLAMA,
    "qwen3": LLAMA,
    "gpt2": {**ALL, "hidden": "n_embd", "layers": "n_layer", "heads": "n_head", "positions": "n_positions",
             "ffn": "n_inner", "dropout": "resid_pdrop embd_pdrop attn_pdrop"},
    "bert": BERT,
    "roberta": BERT,
    "modernbert": {**USUAL, "dropout": "attention_dropout mlp_dropout embedding_dropout", "cls": "cls_token_id",
                   "sep": "sep_token_id"},
    "t5": {**ALL, "hidden": "d_model", "head_dim": "d_kv", "ffn": "d_ff", "heads": "num_heads", "layers": "num_layers",
           "decoder_layers": "num_decoder_layers", "dropout": "dropout_rate",
           "pad": "pad_token_id decoder_start_token_id"},
    "bart": {**ALL, "hidden": "d_model", "layers": "encoder_layers", "decoder_layers": "decoder_layers",
             "heads": "encoder_attention_heads decoder_attention_heads", "positions": "max_position_embeddings",
             "ffn": "encoder_ffn_dim decoder_ffn_dim", "dropout": "dropout attention_dropout",
             "eos": "eos_token_id decoder_start_token_id"},
}  # fmt: skip
"""What transformers calls the fields of a Shape and of the tokenizer, by architecture; several names where it has several."""
FIXED: dict[str, dict[str, Any]] = {
    "llama": {"rms_norm_eps": 1e-5},
    "qwen3": {"rms_norm_eps": 1e-5},
    "bart": {"forced_eos_token_id": None},
}


def classes(architecture: str) -> tuple[Any, Any]:
    """transformers' configuration and model class."""
    config = transformers.CONFIG_MAPPING[architecture]
    return config, MODELS[ARCHITECTURES[architecture].objective][config]


def build_config(model: ModelSettings, objective: ObjectiveSettings, tokenizer: TokenizerInfo) -> PreTrainedConfig:
    """transformers' configuration of a resolved model (`resolve_model`)."""
    shape = model_shape(model, tokenizer.padded_vocab_size, objective.sequence_length or 256)
    special = {name: getattr(tokenizer, f"{name}_id") for name in ("eos", "bos", "pad", "cls", "sep")}
    special = {name: tokenizer.eos_id if token is None else token for name, token in special.items()}
    values: dict[str, Any] = {
        **vars(shape),
        **special,
        # RoBERTa counts positions from pad_token_id + 1
        "positions": shape.sequence + (special["pad"] + 1 if shape.architecture == "roberta" else 0),
        "token_types": shape.anatomy.token_types,
        "decoder_layers": shape.decoder_layers or shape.layers,
        "rope": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "dropout": model.dropout,
    }
    names = FIELDS[shape.architecture]
    if shape.architecture == "t5" and shape.gated:
        values["act"], names = "gated-gelu", {**names, "act": "feed_forward_proj"}
    fields = {theirs: values[ours] for ours, many in names.items() for theirs in many.split()}
    return classes(shape.architecture)[0](**fields, **FIXED.get(shape.architecture, {}))


class UntiedT5(transformers.T5ForConditionalGeneration):
    """T5 with a head of its own. Its configuration always says tied, and remembers the head by not scaling the decoder."""

    _tied_weights_keys = {  # transformers' own name
        name: source
        for name, source in transformers.T5ForConditionalGeneration._tied_weights_keys.items()
        if "lm_head" not in name
    }


def model_class(config: PreTrainedConfig) -> Any:
    """The class of a configuration's model."""
    return UntiedT5 if config.model_type == "t5" and not config.scale_decoder_outputs else classes(config.model_type)[1]


def config_shape(config: PreTrainedConfig, sequence: int) -> Shape:
    """The planner's shape of a configuration, read back through FIELDS; also of a model that was made elsewhere.

    >>> from pipeline.size.flops import flops_per_token
    >>> from transformers import LlamaConfig
    >>> config = LlamaConfig(vocab_size=128256, hidden_size=2048, num_hidden_layers=16, num_attention_heads=32,
    ...                      num_key_value_heads=8, head_dim=64, intermediate_size=8192, tie_word_embeddings=True)
    >>> f"{flops_per_token(config_shape(config, 4096), 4096):.4g}"
    '9.025e+09'
    """
    names = {ours: many.split()[0] for ours, many in FIELDS[config.model_type].items() if ours in Shape.__annotations__}
    read: dict[str, Any] = {ours: getattr(config, theirs, None) for ours, theirs in names.items()}
    hidden, heads = read["hidden"], read["heads"]
    derived = {"ffn": 4 * hidden, "kv_heads": heads, "head_dim": hidden // heads}
    read.update({field: value for field, value in derived.items() if not read.get(field)})
    if config.model_type == "t5":
        read |= {"gated": True if config.is_gated_act else None, "tied": config.scale_decoder_outputs}
    if config.model_type == "bart":  # its table has two rows more than the configuration says
        read["positions"] += 2
    return Shape(**read, architecture=config.model_type, sequence=sequence)  # pyright: ignore[reportArgumentType]


def load_model(folder: str | Path, **settings: Any) -> PreTrainedModel:
    """The model of a local Hugging Face folder in fp32, with this recipe's attention."""
    attention.register()
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    usual = {"attn_implementation": attention.NAME, "dtype": torch.float32, "local_files_only": True}
    model = model_class(config).from_pretrained(folder, **usual, **settings)
    attention.assign_roles(model)
    return model


def check_objective(architecture: str, objective: ObjectiveSettings) -> None:
    """Raises UsageError when the model cannot learn the objective."""
    learns = named("architecture", ARCHITECTURES, architecture).objective
    if objective.kind != learns:
        raise UsageError(f"{architecture} learns the objective {learns!r}, not {objective.kind!r}")


class Trainable(nn.Module):
    """A model and its loss. The forward is where all sharded parameters are whole, so the head's loss belongs inside.

    blocks: the repeated blocks, in order: what is sharded, checkpointed and compiled one by one, and Muon's matrices.
    forward(batch) -> tensor of three sums over the micro-batch: loss to minimise (z-loss included), cross-entropy in
    nats, predicted tokens.
    """

    def __init__(
        self, model: PreTrainedModel, z_loss: float = 0.0, use_varlen: bool = False, context: Any = None
    ) -> None:
        super().__init__()
        self.model = model
        self.z_loss = z_loss
        self.architecture = model.config.model_type
        self.causal = ARCHITECTURES[self.architecture].objective == "causal"
        self.use_varlen = use_varlen
        self.context = context
        # attention document by document (a CPU, no compiled blocks), and the compiled loss (`start`)
        self.split = self.fused_loss = False
        names = {n for n in (model._no_split_modules or []) if not n.endswith("Embeddings")}
        # found by their classes' names, which sharding changes
        self.blocks = [module for module in model.modules() if type(module).__name__ in names]
        for part in model.modules():
            if isinstance(part, PreTrainedModel):
                # for this warning GPT-2 would wait for the device in every forward pass
                part.warn_if_padding_and_no_attention_mask = lambda *_: None
        if self.architecture == "bart":
            # BART counts positions from 0 in each row and offers no argument for them
            self.bart_positions: dict[str, Tensor] = {}
            for side in ("encoder", "decoder"):
                embedding = getattr(cast(Any, model).model, side).embed_positions
                embedding.register_forward_hook(self._position_hook(side))

    def _position_hook(self, side: str) -> Any:
        def hook(module: Any, args: tuple[Any, ...], output: Tensor) -> Tensor:
            positions = self.bart_positions.get(side)
            return output if positions is None else F.embedding(positions + module.offset, module.weight)

        return hook

    def forward(self, batch: dict[str, Tensor], each: bool = False) -> Tensor:
        """The three sums; with `each`, [2, targets]: nats and whether the first choice was right, target by target."""
        docs = attention.prepare(batch, self.causal, self.use_varlen, self.context, self.split)
        labels = batch["labels"].flatten()
        if not self.causal:
            logits = self.logits(batch, docs).flatten(0, 1)
            return each_target(logits, labels) if each else logits_loss(logits, labels, self.z_loss)
        model = cast(Any, self.model)
        base = model.transformer if self.architecture == "gpt2" else model.model
        places = base(input_ids=batch["inputs"], position_ids=batch["positions"], docs=docs, use_cache=False)[0]
        hidden = places.flatten(0, 1)
        if each:
            is_target = labels != IGNORE
            return each_target(hidden[is_target] @ model.lm_head.weight.T, labels[is_target])
        return head_loss(hidden, model.lm_head.weight, labels, self.z_loss, fused=self.fused_loss)

    def logits(self, batch: dict[str, Tensor], docs: dict[str, Any] | None = None) -> Tensor:
        """Logits [B, places, vocabulary] of the predicted side."""
        model = cast(Any, self.model)
        docs = docs if docs is not None else attention.prepare(batch, self.causal, self.use_varlen, split=self.split)
        if self.architecture in ("t5", "bart"):
            if self.architecture == "bart":
                self.bart_positions = {"encoder": batch["positions"], "decoder": batch["decoder_positions"]}
            out = model(
                input_ids=batch["inputs"], decoder_input_ids=batch["decoder_inputs"], docs=docs, use_cache=False
            ).logits
            if self.architecture == "bart":
                self.bart_positions = {}
            return out
        positions = batch["positions"]
        if self.architecture == "roberta":
            positions = positions + model.config.pad_token_id + 1
        extra = {"use_cache": False} if self.causal else {}
        return model(input_ids=batch["inputs"], position_ids=positions, docs=docs, **extra).logits


def count(model: nn.Module) -> int:
    """Parameters, shared ones once."""
    return sum(p.numel() for p in model.parameters())
