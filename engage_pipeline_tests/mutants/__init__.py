"""Mutations of the product, one at a time: do the tests that should notice notice?

    make mutants                                                    all of them
    python -m engage_pipeline_tests.mutants --only 'ingest/' --jobs 2   those whose area, file or text has this in it
    python -m engage_pipeline_tests.mutants --list                  prints the list

The list is by hand, a module an area in `areas`. A mutation names the tests that should fail, fast ones. In the normal
suite test_mutants.py checks that the list still fits the code. The exit status is 1 when fewer than 95 % are killed, or
when one can't be applied any more.
"""
