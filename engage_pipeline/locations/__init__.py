"""Where raw input lies: paths of this machine, and objects of stores that a URI names."""
