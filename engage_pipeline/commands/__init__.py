"""The commands of `engage`; each calls one function of the library."""
