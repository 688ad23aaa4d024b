"""What a run leaves for others: a Hugging Face folder that `from_pretrained` opens, with tokenizer and card."""

import json
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from huggingface_hub import split_state_dict_into_shards_factory
from jinja2 import Environment, PackageLoader
from safetensors.torch import save_file
from tokenizers import Tokenizer, processors
from transformers import GenerationConfig

from pipeline.handoff import TokenizerInfo
from pipeline.size.memory import EXPORT_FILE_BYTES
from recipes.pretrain.evaluate import Validation
from recipes.pretrain.inputs import Handoff
from recipes.pretrain.metrics import say
from recipes.pretrain.model import Trainable, classes, load_model
from recipes.pretrain.parallel import World, whole
from recipes.pretrain.quantize import need_torchao
from recipes.pretrain.sample import TEMPERATURE, sample, sentences
from recipes.pretrain.storage import Where, local_copy, place, remove_tree, send

SAMPLED = 300_000_000
"""Parameters up to which the exported model is loaded again to write samples."""


def write_weights(
    trainable: Trainable, world: World, folder: Path, dtype: str, ready: Callable[[Path], None] = lambda file: None
) -> None:
    """Write the weights as safetensors of at most EXPORT_FILE_BYTES, gathered one tensor at a time. Collective.

    Beside its shard rank 0 holds one file and every process one whole tensor, never a second model. `ready` is called
    there with each file.
    """
    model, kind = trainable.model, torch.bfloat16 if dtype == "bf16" else torch.float32
    tensors = model.state_dict()  # shards; of a shared tensor the first name is written, as transformers reads it
    ties = {name for name, _ in model.named_parameters(remove_duplicate=False)} - dict(model.named_parameters()).keys()
    split = split_state_dict_into_shards_factory(
        {name: tensor for name, tensor in tensors.items() if name not in ties},
        get_storage_size=lambda tensor: tensor.numel() * kind.itemsize,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=EXPORT_FILE_BYTES,
    )
    for title, names in split.filename_to_tensors.items():
        held: dict[str, torch.Tensor] = {}
        for name in names:
            tensor = whole(tensors[name])
            if world.is_main:
                held[name] = tensor.detach().to(device="cpu", dtype=kind, copy=True).contiguous()
            del tensor
        if world.is_main:
            save_file(held, folder / title, metadata={"format": "pt"})
            ready(folder / title)
    if world.is_main and split.is_sharded:
        index = json.dumps(
            {"metadata": split.metadata, "weight_map": split.tensor_to_filename}, indent=2, sort_keys=True
        )
        (folder / "model.safetensors.index.json").write_text(index + "\n", "utf-8")


def export_huggingface(
    handoff: Handoff, trainable: Trainable, world: World, folder: Where, summary: dict[str, Any]
) -> None:
    """Write `folder` with weights, configuration, tokenizer and card; it appears under its name only when whole.

    On an object store config.json comes last, without which nothing opens the folder; files of weights go there one by
    one, so that the disk holds one at a time (all of them where samples are written). A causal model of up to SAMPLED
    parameters also writes samples, for which rank 0 loads what was exported. Collective.
    """
    transformers.utils.logging.disable_progress_bar()
    samples = trainable.causal and summary["parameters"] <= SAMPLED
    local = isinstance(folder, Path)
    partial = _partial(folder)
    if world.is_main:
        remove_tree(partial)
        partial.mkdir(parents=True)
        if not local:
            remove_tree(folder)
    dtype = handoff.config.export.dtype
    write_weights(
        trainable, world, partial, dtype, (lambda file: None) if local or samples else lambda file: send(file, folder)
    )
    if not world.is_main:
        return
    config = trainable.model.config
    fields = {k: v for k, v in config.to_dict().items() if k not in ("transformers_version", "dtype")}
    plain_config, plain_model = classes(config.model_type)
    plain = plain_config(**fields)
    plain.architectures = [plain_model.__name__]
    plain.dtype = "bfloat16" if dtype == "bf16" else "float32"
    plain.save_pretrained(partial)
    tokenizer = handoff.manifest.tokenizer
    GenerationConfig(
        eos_token_id=tokenizer.eos_id,
        bos_token_id=tokenizer.bos_id if tokenizer.bos_id is not None else tokenizer.eos_id,
        pad_token_id=tokenizer.pad_id if tokenizer.pad_id is not None else tokenizer.eos_id,
        decoder_start_token_id=getattr(plain, "decoder_start_token_id", None),
    ).save_pretrained(partial)
    with local_copy(place(handoff.at(tokenizer.path))) as source:
        shutil.copytree(source, partial, dirs_exist_ok=True)
    if trainable.causal:
        start_documents(partial, tokenizer)
    if samples:
        model = plain_model.from_pretrained(partial, dtype=torch.float32)
        summary["written"] = sample(model, handoff, handoff.config.evaluate.samples)
    (partial / "README.md").write_text(_card(handoff, config.model_type, summary), encoding="utf-8")
    put_whole(partial, folder)


def _partial(folder: Where) -> Path:
    """Where a folder is made on this machine before `put_whole`."""
    local = isinstance(folder, Path)
    return folder.with_name(f"{folder.name}.partial") if local else Path(tempfile.mkdtemp(prefix="pretrain-"))


def put_whole(partial: Path, folder: Where) -> None:
    """Make a finished local folder appear as `folder`, in place of what was there."""
    if isinstance(folder, Path):
        remove_tree(folder)
        partial.rename(folder)
        return
    for file in sorted(partial.iterdir(), key=lambda file: (file.name == "config.json", file.name)):
        send(file, folder)
    partial.rmdir()


def start_documents(folder: Path, info: TokenizerInfo) -> None:
    """Make the tokenizer of an exported causal model begin a text as training did: after the token that ends documents.

    So an evaluation harness needs no setting. A tokenizer with a bos of its own, kept from a public model, stays as it is.
    """
    if info.bos_id not in (None, info.eos_id):
        return
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    eos = cast(str, tokenizer.id_to_token(info.eos_id))
    first = processors.TemplateProcessing(
        single=f"{eos} $A", pair=f"{eos} $A {eos}:1 $B:1", special_tokens=[(eos, info.eos_id)]
    )
    before = tokenizer.post_processor
    tokenizer.post_processor = first if before is None else processors.Sequence([before, first])
    tokenizer.save(str(folder / "tokenizer.json"))
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8")) if path.is_file() else {"tokenizer_class": "PreTrainedTokenizerFast"}
    config |= {"bos_token": eos, "eos_token": config.get("eos_token", eos), "add_bos_token": True}
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _mix(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())


def _card(handoff: Handoff, architecture: str, summary: dict[str, Any]) -> str:
    templates = Environment(loader=PackageLoader("recipes.pretrain"), trim_blocks=True, keep_trailing_newline=True)
    return templates.get_template("card.md.jinja").render(
        architecture=architecture,
        fingerprint=handoff.manifest.fingerprint[:12],
        sources=handoff.manifest.sources,
        mix=_mix({source.name: source.weight for source in handoff.manifest.sources}),
        mix_of=_mix,
        summary=summary,
        temperature=TEMPERATURE,
        written=sentences(summary["written"]) if summary.get("written") else [],
        eos=handoff.manifest.tokenizer.eos_id,
    )


def export_int8(out: Where, validation: Validation) -> dict[str, Any]:
    """Write `model-int8` from the `model` of a training; returns held-out loss of both and the difference, by source.

    `from_pretrained` opens it where torchao is installed. On one process, on the CPU.
    """
    need_torchao("export.int8")
    from torchao.quantization import Int8WeightOnlyConfig  # pyright: ignore[reportMissingImports]
    from transformers import TorchAoConfig

    alone = World(0, 1, 1, torch.device("cpu"))
    partial = _partial(out / "model-int8")
    with warnings.catch_warnings(), local_copy(out / "model") as folder:
        warnings.simplefilter("ignore")
        before = validation(Trainable(load_model(folder)), alone)
        rounded = Trainable(load_model(folder, quantization_config=TorchAoConfig(Int8WeightOnlyConfig())))
        after = validation(rounded, alone)
        remove_tree(partial)
        shutil.copytree(folder, partial, ignore=shutil.ignore_patterns("*.safetensors*"))
        rounded.model.save_pretrained(partial)
    remove_tree(out / "model-int8")
    put_whole(partial, out / "model-int8")
    rows = {}
    for name, result in before.items():
        loss, int8_loss = result["loss"], after[name]["loss"]
        rows[name] = {"loss": loss, "int8_loss": int8_loss, "difference": int8_loss - loss}
        say(f"int8  {name}: loss {loss:.4f} → {int8_loss:.4f} ({int8_loss - loss:+.5f})")
    return rows
