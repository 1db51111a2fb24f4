"""Users and tweets that are to be forgotten: their lists, the rows that they hit, files without them."""
