"""Who engaged with whom: counters, author similarity and the features made of them."""
