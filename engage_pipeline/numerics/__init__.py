"""Small mathematics that several stages share."""
