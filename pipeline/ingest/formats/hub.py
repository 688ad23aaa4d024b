"""Data sets of the Hugging Face Hub through `datasets`, at a pinned revision."""

from collections.abc import Iterator

from pipeline.errors import InfrastructureError, UsageError
from pipeline.ingest.record import Record, Where
from pipeline.ingest.rows import record_of


def read_hub(where: Where) -> Iterator[Record]:
    """Every row of the split. Raises UsageError for a data set, revision or split that the Hub does not have,
    InfrastructureError when it cannot be reached."""
    import datasets  # here: importing it takes a second, and most recipes read no Hub data set
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    hub = where.source.hub
    if hub is None:
        raise UsageError(f"source {where.source.name}: kind hub needs a `hub:` block")
    label = f"{hub.dataset} at {hub.revision}"
    try:
        try:
            rows = datasets.load_dataset(
                hub.dataset, hub.config, split=hub.split, revision=hub.revision, streaming=hub.streaming
            )
        except (DatasetNotFoundError, ValueError) as error:
            raise UsageError(f"source {where.source.name}: cannot read {label}: {error}") from error
        for number, row in enumerate(rows):
            yield record_of(dict(row), where, f"row={number}")
    except (OfflineModeIsEnabled, ConnectionError) as error:
        raise InfrastructureError(
            f"source {where.source.name}: the Hub cannot be reached for {label}: {error}; "
            "run again with a network, or choose another set of sources with --set use=sample"
        ) from error
    except (OSError, ValueError, HfHubHTTPError, RuntimeError) as error:
        raise InfrastructureError(f"source {where.source.name}: cannot read {label}: {error}") from error
