"""From token ids to sketches and topics: fine-tuning by masked language modelling, token vectors, EMDE codes."""
