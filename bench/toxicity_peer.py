"""alt-profanity-check over a JSON list of texts: `python bench/toxicity_peer.py < texts`, one JSON object out.

Runs under `$BENCH_PEERS_PYTHON`, whose environment need not have this project's packages.
"""

import importlib.metadata
import json
import sys
import time


def main() -> None:
    """Scores of every text, and processor seconds."""
    from profanity_check import predict_prob  # type: ignore[import-not-found]

    texts = json.load(sys.stdin)
    predict_prob(texts[:1])
    begin = time.process_time()
    scores = predict_prob(texts)
    seconds = time.process_time() - begin
    version = importlib.metadata.version("alt-profanity-check")
    print(json.dumps({"scores": scores.tolist(), "seconds": seconds, "version": version}))


if __name__ == "__main__":
    main()
