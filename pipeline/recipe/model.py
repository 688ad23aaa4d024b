"""The recipe: one YAML file that says everything a run does, checked as a whole before anything runs."""

import os
import re
from functools import cache
from typing import Annotated, Any, Literal, get_args

import fsspec
from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from pipeline.apply.paragraphs import RepeatSettings
from pipeline.apply.select_settings import SelectSettings
from pipeline.apply.spans import ApplySettings
from pipeline.audit.bias_settings import BiasSettings
from pipeline.cluster.cluster_settings import ClusterSettings, SurvivorSettings
from pipeline.core.judge import judges
from pipeline.core.override import Path, override, path_text
from pipeline.core.sandbox import SandboxSettings
from pipeline.core.settings import JudgeSettings, Settings
from pipeline.errors import UsageError, did_you_mean, near
from pipeline.extract.extract_settings import ExtractSettings
from pipeline.handoff import TrainConfig
from pipeline.ingest.rights.licences import KNOWN, is_known
from pipeline.ingest.source import Source
from pipeline.plan.mix import MixSettings
from pipeline.plan.sizing import SizeSettings
from pipeline.recipe.located_yaml import Located, read_yaml
from pipeline.recipe.selection_check import check_selection
from pipeline.recipe.shipped import find
from pipeline.report.card_settings import CardSettings
from pipeline.report.gates import GateSettings
from pipeline.size.shape import PRESETS
from pipeline.tokens.shards import ShardSettings
from pipeline.tokens.vocabulary import TokenizerSettings

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class RecipeBase(Settings):
    """Everything a run does. Sections and their defaults live beside the code that reads them."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """Names the run folder: runs/<name>/."""
    domain: Literal["finance", "legal", "medical"] | str = "finance"
    """The term list reports use."""
    seed: int = Field(default=0, ge=0)
    """The one seed of everything that samples."""
    use: str
    """The set of `sources` this run reads."""
    sources: dict[str, list[Source]]
    """Named sets of sources."""
    tombstones: list[str] = []
    """Files `tombstones.json` of other runs: what they forgot, this run does not take in."""
    extract: ExtractSettings = ExtractSettings()
    sandbox: SandboxSettings = SandboxSettings()
    cluster: ClusterSettings = ClusterSettings()
    survivors: SurvivorSettings = SurvivorSettings()
    repeats: RepeatSettings = RepeatSettings()
    apply: ApplySettings = ApplySettings()
    select: SelectSettings | None = None
    """Keep the best share of what rules and duplicates leave; without it all of it stays."""
    overrides: str | None = Field(default=None, min_length=1)
    """A `review.jsonl` of the explorer: documents that a person keeps or drops, whatever rules say."""
    exclude_ids: str | None = Field(default=None, min_length=1)
    """A file of ids, one a line, as `inspect --export ids.txt` writes it: these documents are left out."""
    tokenizer: TokenizerSettings = TokenizerSettings()
    shards: ShardSettings = ShardSettings()
    size: SizeSettings = SizeSettings()
    mix: MixSettings = MixSettings()
    gates: GateSettings = GateSettings()
    bias: BiasSettings = BiasSettings()
    card: CardSettings = CardSettings()
    pretrain: TrainConfig | None = None
    """Present: the run ends by training, where torch is installed."""
    _written: dict[str, Any] | None = PrivateAttr(None)

    @property
    def written(self) -> dict[str, Any]:
        """JSON values as the file and `--set` had them: `${NAME}`, which may be a secret, is not expanded. See `rebuilt`."""
        return self.model_dump(mode="json", exclude_unset=True) if self._written is None else self._written

    @field_validator("sources")
    @classmethod
    def _unique_names(cls, sets: dict[str, list[Source]]) -> dict[str, list[Source]]:
        for name, sources in sets.items():
            names = [source.name for source in sources]
            if not names:
                raise ValueError(f"the set {name!r} has no source")
            if twice := sorted({found for found in names if names.count(found) > 1}):
                raise ValueError(f"the set {name!r} names {', '.join(twice)} twice; names must differ")
        return sets

    @model_validator(mode="after")
    def _selection_can_work(self) -> "RecipeBase":
        buckets = (self.select and self.select.buckets) or 0
        if wrong := [number for number in self.mix.buckets if not 0 < number <= buckets]:
            raise ValueError(f"mix.buckets.{wrong[0]}: select.buckets makes {f'1 to {buckets}' if buckets else 'none'}")
        if self.select is not None and hasattr(self, "curate") and self.use in self.sources:
            given = {next(iter(entry.model_fields_set)) for entry in self.curate}  # type: ignore[attr-defined]
            every = {source.name for sources in self.sources.values() for source in sources}
            names = [name for name, _ in self.judges]
            check_selection(self.select, names, given, every)
        return self

    @model_validator(mode="after")
    def _bias_can_act(self) -> "RecipeBase":
        if self.bias.action == "report" or not hasattr(self, "curate"):
            return self
        for stage in self.bias.stages:
            if stage not in judges():
                raise ValueError(f"bias.stages: there is no judge {stage!r}{near(stage, judges())}")
        names = {name for name, _ in self.judges}
        if self.bias.action == "rebalance" and (lacking := [n for n in ("identity", "toxicity") if n not in names]):
            raise ValueError(f"bias.action rebalance needs the judge {' and '.join(lacking)} under curate")
        return self

    @model_validator(mode="after")
    def _sources_of_judges_exist(self) -> "RecipeBase":
        known = {source.name for sources in self.sources.values() for source in sources}
        for source in self.card.origins:
            if source not in known:
                raise ValueError(f"card.origins: there is no source {source!r}{near(source, known)}")
        for name, settings in self.judges if hasattr(self, "curate") else []:
            for field in ("exempt", "by_source"):
                for source in getattr(settings, field):
                    if source not in known:
                        raise ValueError(f"{name}.{field}: there is no source {source!r}{near(source, known)}")
        return self

    @property
    def judges(self) -> list[tuple[str, JudgeSettings]]:
        """The judges with a section of their own, then those of `curate:` in its order, each with its settings."""
        sections = sorted((judge.section, name) for name, judge in judges().items() if judge.section)
        found = [(name, own) for section, name in sections if (own := getattr(self, section)) is not None]
        for entry in self.curate:  # type: ignore[attr-defined]
            name = next(iter(entry.model_fields_set))
            found.append((name, getattr(entry, name)))
        if (
            self.select is not None
            and self.select.ranks
            and self.select.judge == "quality"
            and "quality" not in dict(found)
        ):
            found.append(("quality", self._default_quality()))
        return found

    def _default_quality(self) -> JudgeSettings:
        """Documents whose role their source or host gives, which someone chose, against the rest of the raw crawl; where the set
        in use lacks one side there is nothing to learn, and the informative view stands alone."""
        crawls = [source for source in self.chosen if source.role == "auto"]
        raw = any(source.other_hosts == "auto" or not source.domain_hosts for source in crawls)
        picked = len(crawls) < len(self.chosen) or any(source.domain_hosts for source in crawls)
        sides = {"positives": {"roles": ["domain", "general"]}, "negatives": {"roles": ["auto"]}}
        return judges()["quality"].settings.model_validate(sides if raw and picked else {})

    @property
    def by_hand(self) -> dict[str, str | None]:
        """The lists of documents that people made, by name."""
        return {"overrides": self.overrides, "exclude_ids": self.exclude_ids}

    @property
    def chosen(self) -> list[Source]:
        """The sources of the set in use."""
        return self.sources[self.use]


@cache
def recipe_model() -> type[RecipeBase]:
    """The recipe with one `curate:` entry per registered judge: adding a judge's file adds its entry."""
    fields: dict[str, Any] = {
        name: (judge.settings | None, Field(None, description=_first_line(judge.settings)))
        for name, judge in sorted(judges().items())
        if judge.section is None
    }
    sections: dict[str, Any] = {
        judge.section: (judge.settings | None, Field(None, description=_first_line(judge.settings)))
        for _, judge in sorted(judges().items())
        if judge.section
    }

    def one_judge(self: BaseModel) -> BaseModel:
        if len(self.model_fields_set) != 1:
            raise ValueError("each entry under curate names one judge")
        return self

    def bare_name(value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict):
            return {key: {} if inner is None else inner for key, inner in value.items()}
        return value

    make: Any = create_model  # its overloads do not know fields given by name
    entry = make(
        "CurateEntry",
        __base__=Settings,
        __validators__={
            "one_judge": model_validator(mode="after")(one_judge),
            "bare_name": model_validator(mode="before")(bare_name),
        },
        **fields,
    )

    def no_judge_twice(value: list[Any]) -> list[Any]:
        names = [next(iter(found.model_fields_set)) for found in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} stands twice; put both settings in one entry")
        if "minhash" in names and "exact" not in names:
            raise ValueError("minhash needs exact: documents shorter than one shingle are only found by it")
        return value

    def known_licences(value: Any, info: ValidationInfo) -> Any:
        own = [source.licence for sources in info.data.get("sources", {}).values() for source in sources]
        for pattern in [*value.allow, *value.deny] if value else []:
            if not is_known(pattern, own):
                raise ValueError(f"no licence is named {pattern!r}{near(pattern, {*KNOWN, *own})}")
        return value

    return make(
        "Recipe",
        __base__=RecipeBase,
        __validators__={
            "no_judge_twice": field_validator("curate")(no_judge_twice),
            "known_licences": field_validator("licences")(known_licences),
        },
        **sections,
        curate=(Annotated[list[entry], Field(min_length=1, description="the judges, in the order of reasons")], ...),
    )


def _first_line(settings: type[BaseModel]) -> str:
    return (settings.__doc__ or "").strip().split("\n")[0]


def _model_at(path: Path) -> type[BaseModel] | None:
    """The settings model whose keys stand at this path of the recipe."""
    current: Any = recipe_model()
    for part in path:
        options = [current, *get_args(current)]
        found: Any = None
        for option in options:
            if isinstance(option, type) and issubclass(option, BaseModel) and part in option.model_fields:
                found = option.model_fields[str(part)].annotation
            elif isinstance(part, int) and getattr(option, "__origin__", None) is list:
                found = get_args(option)[0]
            elif isinstance(part, int) and getattr(current, "__origin__", None) is list:
                found = get_args(current)[0]
            elif getattr(option, "__origin__", None) is dict:
                found = get_args(option)[1]
        if found is None:
            return None
        current = found
    for option in (current, *get_args(current)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _sentence(error: ErrorDetails, path: Path) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        model = _model_at(path[:-1])
        what = "unknown judge" if path[:1] == ("curate",) and len(path) == 3 else "unknown key"
        return what + (near(str(path[-1]), model.model_fields) if model else "")
    if kind == "missing":
        return "is missing"
    message = error["msg"].removeprefix("Value error, ")
    shown = error.get("input")
    if isinstance(shown, str | int | float | bool) and not re.search(
        rf"(?<!\w){re.escape(repr(shown))}(?!\w)", message
    ):
        message += f", not {shown!r}"
    if kind == "literal_error" and isinstance(shown, str):
        choices = re.findall(r"'([^']*)'", error.get("ctx", {}).get("expected", ""))
        message += did_you_mean(shown, choices)
    return message[0].lower() + message[1:]


def expand(value: Any, variables: dict[str, str]) -> Any:
    """Put environment variables in for `${NAME}`. An unset one stays as it stands; `_settle_sources` deals with it."""
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: variables.get(found.group(1), found.group(0)), value)
    if isinstance(value, dict):
        return {key: expand(inner, variables) for key, inner in value.items()}
    return [expand(inner, variables) for inner in value] if isinstance(value, list) else value


def _line(name: str, located: Located, where: Path, problem: str) -> str:
    """A problem after its place: file, line, column and the setting's path."""
    line, column = located.position(where)
    return f"{name}:{line}:{column} {path_text(where)} {problem}"


def _unknown_preset(value: dict[str, Any], located: Located, name: str) -> list[str]:
    """A located line when `pretrain.model.preset` names no shape, which training would only notice at the end of a run."""
    where: Path = ("pretrain", "model", "preset")
    found: Any = value
    for key in where:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str) or found in PRESETS:
        return []
    return [_line(name, located, where, f"no preset named {found!r}{near(found, PRESETS)}")]


def _settle_sources(value: dict[str, Any], located: Located, name: str) -> list[str]:
    """Clear the path of optional sources whose variable is unset; one located line for each other one in use.

    Also checks that `use` names a set.
    """
    problems = []
    sets = value.get("sources")
    if not isinstance(sets, dict):
        return []
    if isinstance(value.get("use"), str) and value["use"] not in sets:
        problem = f"there is no set of sources named {value['use']!r}{near(value['use'], sets)}"
        problems.append(_line(name, located, ("use",), problem))
    for set_name, sources in sets.items():
        for index, source in enumerate(sources if isinstance(sources, list) else []):
            path = source.get("path") if isinstance(source, dict) else None
            if not isinstance(path, str):
                continue
            unset = VARIABLE.search(path)
            problem = _unknown_scheme(path)
            if unset and source.get("optional"):
                source["path"] = None
            elif unset and set_name == value.get("use"):
                problem = f"the environment variable {unset.group(1)} is not set"
            if problem:
                problems.append(_line(name, located, ("sources", set_name, index, "path"), problem))
    return problems


def _unknown_scheme(path: str) -> str:
    """What is wrong with the scheme of a path such as `s4://bucket/pages` or `zip://*.csv::s4://bucket/a.zip`."""
    schemes = [part.partition("://")[0] for part in path.split("::") if "://" in part]
    known = fsspec.available_protocols()
    unknown = [scheme for scheme in schemes if scheme not in known and "$" not in scheme]
    return f"unknown scheme {unknown[0]!r}{did_you_mean(unknown[0], known)}" if unknown else ""


def parse(name: str, located: Located, sets: list[str], variables: dict[str, str]) -> RecipeBase:
    """Validate a document. Raises UsageError with one located line per mistake, all at once."""
    value = located.value
    for assignment in sets:
        override(value, assignment)
    written = value
    value = expand(written, variables)
    problems = _settle_sources(value, located, name) + _unknown_preset(value, located, name)
    try:
        recipe = recipe_model().model_validate(value)
        if problems:
            raise UsageError("\n".join(problems))
        recipe._written = written
        return recipe
    except ValidationError as errors:
        lines = [(int(text[len(name) + 1 :].split(":")[0]), 0, text) for text in problems]
        for error in errors.errors():
            path = tuple(error["loc"])
            line, column = located.position(path)
            lines.append((line, column, f"{name}:{line}:{column} {path_text(path)} {_sentence(error, path)}".strip()))
        raise UsageError("\n".join(text for _, _, text in sorted(set(lines)))) from errors


def load(recipe: str, sets: list[str] | None = None) -> RecipeBase:
    """Read a recipe by its path, or a shipped one by its name. Raises UsageError when it is missing or wrong."""
    path = find(recipe)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return parse(str(path), read_yaml(str(path), data), sets or [], dict(os.environ))


def rebuilt(written: dict[str, Any]) -> RecipeBase:
    """The recipe of a run folder, from `written`, with today's variables; one that is unset stays as it stands."""
    return recipe_model().model_validate(expand(written, dict(os.environ)))


def json_schema() -> dict[str, Any]:
    """The JSON schema of a recipe, for editors: `recipes/recipe.schema.json`."""
    schema = recipe_model().model_json_schema()
    items = schema["properties"]["curate"]["items"]
    schema["properties"]["curate"]["items"] = {
        "anyOf": [items, {"enum": sorted(name for name, judge in judges().items() if judge.section is None)}]
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Recipe", **schema}
