"""From token ids to sketches: masked-language-model fine-tuning, token vectors, EMDE codes."""
