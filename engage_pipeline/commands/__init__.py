"""The commands of `engage`, each a thin shell over one library call."""
