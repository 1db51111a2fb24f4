"""Deleted users and tweets: their lists, the rows that match, and files rewritten without them."""
