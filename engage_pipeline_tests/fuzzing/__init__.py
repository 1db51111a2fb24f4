"""Random bytes spliced into everything that is read from outside: no crash, and every line accounted for.

    python -m engage_pipeline_tests.fuzzing --lines 100000 --seed 1      all campaigns; prints the figures
    python -m engage_pipeline_tests.fuzzing parts --lines 1000000        one of them
    python -m engage_pipeline_tests.fuzzing.guided -max_total_time=600   the parts' reader, guided by coverage (atheris)

test_fuzzing.py holds a small share of each in the tests.
"""
