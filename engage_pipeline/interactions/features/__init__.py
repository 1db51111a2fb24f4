"""The features of whole parts."""
