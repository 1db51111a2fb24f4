"""Small mathematics without a home in a stage."""
