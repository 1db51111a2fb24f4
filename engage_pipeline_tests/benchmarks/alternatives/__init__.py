"""What a user would pick instead of the library; each must compute the same: test_benchmarks checks that.

They come with the extra `bench`; where one is not installed its column says so.
"""
