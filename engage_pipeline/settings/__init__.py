"""The settings: one model, its sections, the file they are read from, the page that describes them."""
