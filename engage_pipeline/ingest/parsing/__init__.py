"""From the bytes of a raw part to typed columns."""
