"""Communities of users: clusters by who was shown whom, without labels, in two roles.

The exposure matrix A (exposure_matrix) is cut to the authors that are shown most. Its leading right singular vectors V
and values S give viewers the vectors A V S^-1/2, and authors A' (A V) S^-3/2, which is V S^1/2 for the authors of the
cut. Vectors are scaled to length 1 and clustered, both roles together. What does not belong here: uses of communities.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.interactions.graphs.exposure_matrix import ABSENT, ExposureMatrix
from engage_pipeline.machine.threads import one_blas_thread
from engage_pipeline.numerics.clustering import fit_centroids, nearest, ranked, unit_rows
from engage_pipeline.numerics.singular_vectors import leading_directions
from engage_pipeline.numerics.sorting import places_in
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings

Integers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Fingerprints = npt.NDArray[np.int64]

COMMUNITIES = "communities.parquet"
NO_COMMUNITY = -1
"""For a user without exposures in the role, or whose exposures have no link to the authors of the cut."""
SCHEMA = pa.schema(
    [
        pa.field("user", pa.int64(), nullable=False),
        pa.field("as_author", pa.int32(), nullable=False),
        pa.field("as_viewer", pa.int32(), nullable=False),
    ]
)
SAMPLE_VECTORS = 200_000
"""Largest number of vectors that the centroids are fitted on."""
HELD_AUTHORS = 2_000_000
"""Largest number of authors with vectors in memory; the pairs are read once for every such number of authors."""
_COUNT_FACTOR = 1.5


@dataclass(frozen=True)
class Communities:
    """`user` int64 [users], rising fingerprints of ids; `as_author`, `as_viewer` int32 [users], their communities."""

    user: Fingerprints
    as_author: Integers
    as_viewer: Integers

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads communities.parquet. Raises UserError if the file is something else."""
        try:
            table = pq.read_table(path, schema=SCHEMA)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: not a table of communities; materialize user_communities again") from error
        return cls(*(table[name].to_numpy() for name in SCHEMA.names))

    def of_authors(self, users: Fingerprints) -> Integers:
        """Returns the communities of authors, int32 [n], by fingerprint [n]; NO_COMMUNITY for unknown ones."""
        return self._of(self.as_author, users)

    def of_viewers(self, users: Fingerprints) -> Integers:
        """Returns the communities of viewers, int32 [n], by fingerprint [n]; NO_COMMUNITY for unknown ones."""
        return self._of(self.as_viewer, users)

    def _of(self, role: Integers, users: Fingerprints) -> Integers:
        if not len(self.user):
            return np.full(len(users), NO_COMMUNITY, np.int32)
        places = np.minimum(places_in(self.user, users), len(self.user) - 1)
        return np.where(self.user[places] == users, role[places], np.int32(NO_COMMUNITY))


@dataclass(frozen=True)
class Embedding:
    """The vectors of users, computed on each call. `columns` [users + 1] holds the places of the authors of the cut;
    `directions` [authors of the cut, d] and `values` [d] are their singular vectors and values."""

    matrix: ExposureMatrix
    columns: Integers
    directions: Floats
    values: Floats

    def viewers(self, wanted: Integers, sums: Floats) -> Iterator[tuple[Integers, Floats]]:
        """Yields numbers [b] and vectors [b, d] of viewers, block by block; vectors have length 1 or 0.

        Adds A' (A V) of the authors with a place in `wanted` to `sums` [authors, d], which must start as zeros.
        """
        for block in self.matrix.blocks():
            products = block.matrix(self.columns, len(self.directions)) @ self.directions
            shown = block.matrix(wanted, len(sums))
            # Few authors occur in a block, so the product has rows for these only: [present, d].
            present, shown.indices = np.unique(shown.indices, return_inverse=True)
            shown.resize(len(products), len(present))
            sums[present] += shown.T @ products
            yield block.viewers, unit_rows(products * self.values**-0.5)

    def authors(self, sums: Floats) -> Floats:
        """Returns the vectors [authors, d] of `sums`, each of length 1 or 0."""
        return unit_rows(sums * self.values**-1.5)


@one_blas_thread()
def find_communities(counts: Path, output: Path, settings: Settings) -> dict[str, Any]:
    """Writes user, as_author, as_viewer to the file `output` for every user in `counts`, the folder of
    interaction_counts; ordered by user, the fingerprint of the id.

    Returns users, authors, viewers, communities, dimensions, and `shares`: for authors and viewers, rank and share of
    each community, see `ranked`.
    """
    pairs = output.with_name("pairs_by_viewer.parquet")
    matrix = ExposureMatrix.write(counts, pairs)
    users = matrix.users.view(np.int64)
    embedding = embed(matrix, settings)
    centroids = _fit(embedding, settings)
    as_author, as_viewer = _assign(embedding, centroids)
    pairs.unlink()
    order = np.argsort(users, kind="stable")
    columns = [pa.array(values[order]) for values in (users, as_author[1:], as_viewer[1:])]
    pq.write_table(pa.table(columns, schema=SCHEMA), output, compression="zstd")
    return {
        "users": len(users),
        "authors": int((matrix.authors > 0).sum()),
        "viewers": int((matrix.viewers > 0).sum()),
        "communities": len(centroids),
        "dimensions": len(embedding.values),
        "shares": {name: _shares(found) for name, found in (("authors", as_author), ("viewers", as_viewer))},
    }


def embed(matrix: ExposureMatrix, settings: Settings) -> Embedding:
    """Computes the leading singular vectors for the authors that are shown most; ties are broken by number."""
    shown = np.argsort(-matrix.authors, kind="stable")[: settings.communities.max_authors]
    cut = np.sort(shown[matrix.authors[shown] > 0])
    columns = _placed(cut, len(matrix.authors))
    directions, values = leading_directions(
        lambda: (block.matrix(columns, len(cut)) for block in matrix.blocks()),
        len(cut),
        settings.communities.dimensions,
        seed=settings.seed,
    )
    return Embedding(matrix, columns, directions, values)


def _placed(numbers: npt.NDArray[np.int64], size: int) -> Integers:
    """Returns int32 [size]: at each of `numbers` its place among them, elsewhere ABSENT."""
    places = np.full(size, ABSENT, np.int32)
    places[numbers] = np.arange(len(numbers))
    return places


def _fit(embedding: Embedding, settings: Settings) -> Floats:
    """Fits centroids [communities, d] to a sample of all vectors that are not zero."""
    matrix = embedding.matrix
    viewers, authors = np.flatnonzero(matrix.viewers), np.flatnonzero(matrix.authors)
    total = len(viewers) + len(authors)
    rng = np.random.default_rng(settings.seed)
    chosen = np.sort(rng.choice(total, min(total, SAMPLE_VECTORS), replace=False, shuffle=False))
    in_sample = np.zeros(len(matrix.viewers), np.bool_)
    in_sample[viewers[chosen[chosen < len(viewers)]]] = True
    wanted = authors[chosen[chosen >= len(viewers)] - len(viewers)]
    sums = np.zeros((len(wanted), len(embedding.values)), np.float32)
    vectors = [found[in_sample[numbers]] for numbers, found in embedding.viewers(_placed(wanted, len(in_sample)), sums)]
    sample = np.concatenate([*vectors, embedding.authors(sums)])
    sample = sample[sample.any(axis=1)]
    count = settings.communities.count or max(2, round(_COUNT_FACTOR * np.sqrt(len(matrix.viewers) - 1)))
    return fit_centroids(sample, count, seed=settings.seed)


def _assign(embedding: Embedding, centroids: Floats) -> tuple[Integers, Integers]:
    """Returns the communities of authors and of viewers, int32 [users + 1] each, by number."""
    matrix = embedding.matrix
    as_author, as_viewer = (np.full(len(matrix.viewers), NO_COMMUNITY, np.int32) for _ in range(2))
    if not len(centroids):
        return as_author, as_viewer
    authors = np.flatnonzero(matrix.authors)
    with progress("user_communities", len(authors), "authors") as done:
        for start in range(0, len(authors), HELD_AUTHORS):
            wanted = authors[start : start + HELD_AUTHORS]
            sums = np.zeros((len(wanted), len(embedding.values)), np.float32)
            for numbers, vectors in embedding.viewers(_placed(wanted, len(as_author)), sums):
                if start == 0:
                    as_viewer[numbers] = _communities(vectors, centroids)
            as_author[wanted] = _communities(embedding.authors(sums), centroids)
            done.advance(len(wanted))
    return as_author, as_viewer


def _communities(vectors: Floats, centroids: Floats) -> Integers:
    return np.where(vectors.any(axis=1), nearest(vectors, centroids), np.int32(NO_COMMUNITY))


def _shares(found: Integers) -> list[tuple[int, float]]:
    sizes = np.bincount(found[found != NO_COMMUNITY])
    return [(rank, round(size / sizes.sum(), 6)) for rank, size in ranked(sizes)]
