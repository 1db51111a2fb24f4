"""Names of files that more than one module writes or reads in the folders of artifacts.

| file | of |
|---|---|
| TWEETS, REJECTS | tweet_parts, validation_tweets; of test_tweets `<part>.parquet` and `<part>.rejects.parquet` |
| FEATURES, PROFILE | interaction_features, validation_features; of test_features `<part>.parquet` and its profile |
| LANGUAGES | interaction_counts |
| RESULTS | submission |
| REPORT | evaluation |

Names that one module alone writes and others import stand there, such as `language.codes.CODES`.
"""

TWEETS = "tweets.parquet"
REJECTS = "rejects.parquet"
FEATURES = "features.parquet"
PROFILE_ENDING = ".profile.parquet"
PROFILE = f"features{PROFILE_ENDING}"
LANGUAGES = "languages.parquet"
RESULTS = "results.csv"
REPORT = "report.html"
