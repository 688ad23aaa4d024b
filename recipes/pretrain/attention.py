"""Attention in which packed documents see only themselves, for every architecture, with no mask built by transformers.

transformers builds no mask for an attention function it does not know and hands extra keyword arguments through to it,
so one registered function avoids four traps of its own masks: `position_ids` are ignored as document borders unless
`use_cache=False`; encoders ignore them always; boolean 4-D masks are wrong under `eager`; and a whole-model compile
loses `is_causal`, and with it flash attention.
"""

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, PreTrainedModel

from recipes.pretrain.split import Parts, by_document, parts

NAME = "doc_attention"
GROUPED: dict[str, Any] = {"enable_gqa": True} if "enable_gqa" in inspect.signature(varlen_attn).parameters else {}
"""torch before 2.12 takes grouped keys and values unasked."""


def fits_varlen(model: PreTrainedModel, precision: str) -> bool:
    """Whether FlashAttention over documents can compute this: 16-bit values, no position bias, no dropout of weights."""
    config, dropouts = model.config, ("attention_dropout", "attn_pdrop", "attention_probs_dropout_prob")
    return (
        precision != "fp32"
        and config.model_type not in ("t5", "bart")
        and not any(getattr(config, name, 0.0) for name in dropouts)
    )


def prepare(
    batch: dict[str, Tensor], causal: bool, use_varlen: bool, context: Any = None, split: bool = False
) -> dict[str, Any]:
    """Masks or documents (CPU, or with a position bias) or sequence lengths (CUDA) of a micro-batch, computed once for all
    layers.

    batch: `docs` [B, T] and, for encoder-decoders, `decoder_docs` [B, S]. split: document by document where it is less work.
    """

    def mask_of(queries: Tensor, keys: Tensor, causal: bool) -> Tensor | Parts:
        return (parts(queries, keys, causal) if split else None) or _dense(queries, keys, causal)

    docs = batch["docs"]
    if "key_docs" in batch:  # this process has a part of the places
        return {"self": context.mask(docs, batch["key_docs"]), "context": context}
    if "decoder_docs" in batch:
        decoder = batch["decoder_docs"]
        return {
            "self": mask_of(docs, docs, causal=False),
            "decoder": mask_of(decoder, decoder, causal=True),
            "cross": mask_of(decoder, docs, causal=False),
        }
    if use_varlen:
        return {"cu_seqlens": batch["cu_seqlens"], "max_seqlen": int(batch["longest"]), "causal": causal}
    return {"self": mask_of(docs, docs, causal=causal)}


def _dense(queries: Tensor, keys: Tensor, causal: bool) -> Tensor:
    """Boolean [B, 1, Q, K]: same document, and for causal attention not later. A query with no key sees all of them."""
    mask = queries[:, None, :, None] == keys[:, None, None, :]
    if causal:
        mask = mask & torch.ones(mask.shape[-2:], dtype=torch.bool, device=mask.device).tril()
    return mask | ~mask.any(dim=-1, keepdim=True)


def doc_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_bias: Tensor | None = None,
    sliding_window: int | None = None,
    docs: dict[str, Any] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of [B, heads, places, width] in transformers' calling convention, inside documents when `docs` says so.

    Without `docs` (a model used outside this recipe) it is plain attention under `attention_mask`. `sliding_window` is
    ModernBERT's: keys at a distance below it.
    """
    grouped = key.shape[1] != query.shape[1]
    dropout = dropout if module.training else 0.0
    if docs is not None and "cu_seqlens" in docs and position_bias is None:
        out = _varlen(query, key, value, docs, scaling, sliding_window)
        return out, None
    if docs is not None and "context" in docs:
        key, value = docs["context"].gather(key, value)
    role = getattr(module, "attention_role", "self")
    mask = attention_mask if docs is None else docs[role]
    if isinstance(mask, Parts):
        out = by_document(query, key, value, mask, position_bias, dropout, scaling, sliding_window)
        return out.transpose(1, 2).contiguous(), None
    is_causal = docs is None and mask is None and getattr(module, "is_causal", False) and query.shape[2] > 1
    if sliding_window is not None and mask is not None:
        places = torch.arange(query.shape[2], device=query.device)
        mask = mask & ((places[:, None] - places[None, :]).abs() < sliding_window)
    if position_bias is not None:
        mask = position_bias if mask is None else position_bias.masked_fill(~mask, torch.finfo(query.dtype).min)
        mask = mask.to(query.dtype)
    out = F.scaled_dot_product_attention(
        query, key, value, mask, dropout, is_causal=bool(is_causal), scale=scaling, enable_gqa=grouped
    )
    return out.transpose(1, 2).contiguous(), None


def _varlen(
    query: Tensor, key: Tensor, value: Tensor, docs: dict[str, Any], scaling: float | None, sliding_window: int | None
) -> Tensor:
    """FlashAttention over documents laid end to end (CUDA). `cu_seqlens` is padded to a fixed length: no recompiles."""
    batch, heads, places, width = query.shape
    q, k, v = (x.transpose(1, 2).reshape(batch * places, -1, width) for x in (query, key, value))
    reach = -1 if sliding_window is None else sliding_window - 1
    ends, longest = docs["cu_seqlens"], docs["max_seqlen"]
    window = (reach, 0 if docs["causal"] else reach)
    out: Any = varlen_attn(q, k, v, ends, ends, longest, longest, scale=scaling, window_size=window, **GROUPED)
    return out.reshape(batch, places, heads, width)


def register() -> None:
    """Make `attn_implementation="doc_attention"` known to transformers."""
    AttentionInterface.register(NAME, doc_attention)  # pyright: ignore[reportArgumentType]


def assign_roles(model: PreTrainedModel) -> None:
    """Tell each attention module of an encoder-decoder which mask is its own."""
    for name, module in model.named_modules():
        if name.endswith(("EncDecAttention", "encoder_attn")):
            module.attention_role = "cross"  # pyright: ignore[reportArgumentType]
        elif "decoder." in name and name.endswith(("SelfAttention", "self_attn")):
            module.attention_role = "decoder"  # pyright: ignore[reportArgumentType]
