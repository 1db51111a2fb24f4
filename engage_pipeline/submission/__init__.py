"""results.csv, made by the pipeline or by the streaming command of the challenge's test phase."""
