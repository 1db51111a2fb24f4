"""The features of one row, from counters in memory."""
