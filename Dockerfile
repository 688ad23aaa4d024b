# syntax=docker/dockerfile:1
# Curation: docker build -t domain-corpus .            Training too: docker build --target train -t domain-corpus:train .
# A run: docker run -v $PWD/runs:/app/runs domain-corpus run finance --no-train        Any command: docker run domain-corpus --help
FROM python:3.11-slim-bookworm AS base

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/home/pipeline/.cache/numba \
    HF_HUB_OFFLINE=1

RUN useradd --create-home --uid 10001 pipeline
WORKDIR /src

COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pipeline ./pipeline
COPY tokenizer ./tokenizer
COPY recipes ./recipes
RUN pip install --constraint constraints.txt . \
    && mkdir -p /data /app/runs \
    && chown -R pipeline:pipeline /data /app

# The package is installed; its sources are not in the working folder, where a recipe of one's own may lie.
WORKDIR /app
USER 10001
VOLUME ["/app/runs"]
ENTRYPOINT ["domain-corpus"]
CMD ["run", "finance", "--no-train"]

FROM base AS train
USER 0
RUN pip install --constraint /src/constraints.txt "/src[train]"
USER 10001
CMD ["run", "finance", "--train"]

FROM base AS curate
