"""presidio-analyzer's pattern recognizers over JSON lines of texts: `python -m bench.pii_peer < texts`, one JSON object out.

Runs under `$BENCH_PEERS_PYTHON`, whose environment need not have this project's packages.
"""

import importlib.metadata
import json
import sys
import time

KINDS = {
    "EMAIL_ADDRESS": "email", "IP_ADDRESS": "ip", "US_SSN": "ssn", "CREDIT_CARD": "card", "IBAN_CODE": "iban",
    "PHONE_NUMBER": "phone",
}  # fmt: skip


def main() -> None:
    """Spans of every text, and processor seconds."""
    from presidio_analyzer import predefined_recognizers as known  # type: ignore[import-not-found]

    recognizers = [
        known.EmailRecognizer(), known.IpRecognizer(), known.IbanRecognizer(), known.CreditCardRecognizer(),
        known.UsSsnRecognizer(), known.PhoneRecognizer(),
    ]  # fmt: skip
    texts = [json.loads(line) for line in sys.stdin]
    spans, begin = [], time.process_time()
    for text in texts:
        found = [
            one for recognizer in recognizers for one in recognizer.analyze(text, recognizer.supported_entities, None)
        ]
        spans.append([(KINDS[one.entity_type], one.start, one.end, one.score) for one in found])
    seconds = time.process_time() - begin
    version = importlib.metadata.version("presidio-analyzer")
    print(json.dumps({"spans": spans, "seconds": seconds, "version": version}))


if __name__ == "__main__":
    main()
