"""Where raw input and the mirror lie: paths of this machine, and objects of stores that a URI names."""
