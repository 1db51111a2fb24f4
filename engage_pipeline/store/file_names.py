"""Names of files that more than one module writes or reads in the folders of artifacts.

| file | of |
|---|---|
| TWEETS, REJECTS | tweet_parts, validation_tweets; of test_tweets `<part>.parquet` and `<part>.rejects.parquet` |
| FEATURES, PROFILE | interaction_features, validation_features; of test_features `<part>.parquet` and its profile |
| tweets_beside | of each file of features |
| LANGUAGES | interaction_counts |
| RESULTS | submission |
| REPORT | evaluation |
| MODEL_CARD | trained_model |
| TOKENIZER_FILES, ENCODER_CARD | finetuned_encoder |

Names that one module alone writes and others import stand there, such as `language.codes.CODES`.
"""

TWEETS = "tweets.parquet"
REJECTS = "rejects.parquet"
FEATURES = "features.parquet"
PROFILE_ENDING = ".profile.parquet"
PROFILE = f"features{PROFILE_ENDING}"
_TWEETS_ENDING = ".typed-tweets.parquet"
LANGUAGES = "languages.parquet"
RESULTS = "results.csv"
REPORT = "report.html"
ENCODER_CARD = "README.md"
MODEL_CARD = "model-card.md"
DESCRIPTIONS = frozenset({ENCODER_CARD, MODEL_CARD})
"""Files that tell people of a version and are no part of its content: the hash that names it leaves them out."""
VOCABULARY_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
)
"""The files of which a tokenizer has one at least."""
TOKENIZER_FILES = (
    *VOCABULARY_FILES,
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
"""The files of a tokenizer, as transformers names them."""


def tweets_beside(features: str) -> str:
    """Returns the name of the file of the tweets whose features are in the Parquet file `features`, beside it."""
    return features.removesuffix(".parquet") + _TWEETS_ENDING
