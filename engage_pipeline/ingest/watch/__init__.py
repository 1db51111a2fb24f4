"""The watch over the raw parts: what is seen, what is remembered, what is to be done."""
