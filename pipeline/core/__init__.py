"""The engine: batches, judges, fingerprints, the ledger, the store and the execution of units. Knows no stage."""
