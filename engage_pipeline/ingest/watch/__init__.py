"""The watch over the raw parts: observing files, remembering them, and deciding what to ingest."""
