"""The way of the reference, in plain Python from docs/specification.md: what a benchmark holds the library against.

It must compute what the library does: test_benchmarks checks that.
"""
