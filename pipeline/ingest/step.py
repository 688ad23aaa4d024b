"""Ingest: sources that must be made first (the embedded sample, a live crawl) are frozen into files, once."""

from pipeline.core.execute import Assignment, Produced, Unit, libraries
from pipeline.core.run_folder import Commits, Run
from pipeline.core.steps import Step
from pipeline.core.store import Store
from pipeline.ingest.source import SamplePlan, Source
from pipeline.sample import SAMPLE_VERSION, generate

FROZEN_KINDS = ("sample", "crawl")


def freeze(store: Store, assignments: list[Assignment]) -> list[Produced]:
    """Write what a made source gives as files of the run folder."""
    produced = []
    for assigned in assignments:
        source = Source.model_validate(assigned.settings["source"])
        files = {}
        folder = assigned.path("raw", suffix="")
        if source.kind == "sample":
            plan = source.sample or SamplePlan()
            for name, data in generate(assigned.settings["domain"], plan.seed, plan.pages):
                files[name] = store.put(f"{folder}/{name}", data)
        elif source.crawl is not None:
            from pipeline.ingest.crawl.crawler import crawl  # network clients are only loaded where there is a crawl

            with store.create(f"{folder}/crawl-00000.warc.gz") as writer:
                crawl(source.crawl, writer)
                files["crawl-00000.warc.gz"] = writer.finish()
        produced.append(Produced(files))
    return produced


def ingest(run: Run) -> Commits:
    """One unit per made source. A crawl is fetched once per settings: its frozen WARC is the input from then on."""
    units = [
        Unit(
            name=source.name,
            settings={
                "source": source.model_dump(
                    mode="json", include={"name", "kind", "role", "licence", "sample", "crawl"}
                ),
                "domain": run.recipe.domain,
            },
            version=SAMPLE_VERSION,
            libraries=libraries("fastwarc"),
        )
        for source in run.recipe.chosen
        if source.kind in FROZEN_KINDS
    ]
    return run.execute(Step.INGEST, units, freeze)
