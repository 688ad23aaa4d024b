# syntax=docker/dockerfile:1
# Curation: docker build -t domain-corpus .            Training too: docker build --target train -t domain-corpus:train .
FROM python:3.11-slim-bookworm AS base

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/home/pipeline/.cache/numba \
    HF_HUB_OFFLINE=1

RUN useradd --create-home --uid 10001 pipeline
WORKDIR /app

COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pipeline ./pipeline
COPY tokenizer ./tokenizer
COPY recipes ./recipes
COPY bench ./bench
RUN pip install --constraint constraints.txt . \
    && mkdir -p /data /app/runs \
    && chown -R pipeline:pipeline /data /app/runs

USER 10001
VOLUME ["/app/runs"]
ENTRYPOINT ["python", "-m", "pipeline.run"]
CMD ["recipes/finance.yaml", "--no-train"]

FROM base AS train
USER 0
RUN pip install --constraint constraints.txt ".[train]"
USER 10001
CMD ["recipes/finance.yaml", "--train"]

FROM base AS curate
