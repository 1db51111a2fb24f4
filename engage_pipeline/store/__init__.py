"""Where artifacts live: versions, manifests, verdicts, publishing, staleness, the plan, the ledger of deletions."""
