"""Why one row got its predictions, in words and as JSON."""
