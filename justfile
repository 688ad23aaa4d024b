# Daily chores. `just` alone lists them. Everything runs in the active environment.
set positional-arguments

_default:
    @just --list

# everything CI runs: format, lint, types, layers, tests (on all cores; `-n 0` for one process)
test *args:
    #!/usr/bin/env bash
    set -euo pipefail
    just warm & warming=$!  # the static checks use one core
    ruff format --check .
    ruff check .
    pyright
    lint-imports
    hadolint Dockerfile
    python -m pipeline schema --check recipes/recipe.schema.json
    wait $warming
    python -m pytest -m "not slow" -n auto --dist loadfile --no-loadscope-reorder "$@"

# the tests that take minutes: every architecture learns, four processes, memory of real steps, whole sweeps
slow *args:
    python -m pytest -m slow -n auto --dist loadfile "$@"

# compile the kernels once, by a small run, so that the test processes do not each compile their own
warm:
    out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT && python -m pipeline.run finance --set 'sources.sample.crawl.sample={pages: 400}' --to shards --json --out "$out/run" >/dev/null

# every kernel against its twin with each access to memory checked, at a third of the speed: an overrun raises and names its line
checked *args:
    KERNELS=checked python -m pytest -m "not slow and not faults and not train" tests/kernels tests/extract/test_slim.py tests/extract/test_lines.py tests/tokenizer tests/measure tests/classify tests/apply tests/cluster/test_verify.py tests/cluster/test_bounds.py "$@"

# the embedded sample, end to end
sample *args:
    python -m pipeline.run finance "$@"

# every operating-system call of a small run, then of one forgetting, fails once, in every way; the last lines are the
# scoreboards (`--log FILE` resumes the first)
faults *args:
    python -m tests.faults.sweep --all "$@"
    @just faults-forgetting

# every operating-system call of one forgetting fails once, in every way: six minutes of one core (`--part N --parts M`: a slice)
faults-forgetting *args:
    python -m tests.faults.forgetting --all "$@"

# a head, three nodes and an object store in network namespaces: processes are killed and links cut (root; half an hour)
machines *args:
    python -m tests.faults.machines "$@"

# each rule alone against datatrove's, on real and generated text: writes docs/certificate.md (peers extra, CORPORA; hours with --full)
certify *args:
    python -m bench.certify "$@"

# main content by every extractor on pages with gold text, ours also without the set it is asked about (peers extra, CORPORA)
gold *sets:
    python -m bench.gold "$@"

# run benches (or `all`) and write their rows of docs/benchmarks.md (peers extra, CORPORA, some CRAWL)
bench *names:
    python -m bench table "$@" --write

# regenerate what is generated: JSON schema, reference, licences; then check it
docs:
    python -m pipeline schema --write recipes/recipe.schema.json
    python -m bench.reference --write
    python -m bench.licences --write
    python -m pytest tests/test_docs.py

# the documentation as a site, in build/site (installs mkdocs-material where it is missing)
site:
    python -c "import material" 2>/dev/null || pip install "mkdocs-material>=9.5"
    mkdocs build --strict

# write the lock: exact versions for all extras
lock:
    uv pip compile pyproject.toml --extra train --extra dev --extra evaluate --extra lora --universal --python-version 3.11 --no-emit-index-url --output-file constraints.txt

# the lower bounds of pyproject.toml: exactly those versions in a fresh environment, and the tests on them (needs uv; no torch)
lowest *args:
    uv venv --clear --python 3.11 build/lowest
    uv pip install --python build/lowest --resolution lowest-direct --editable '.[dev]'
    build/lowest/bin/python -m pytest -m "not slow and not faults and not train" "$@"
