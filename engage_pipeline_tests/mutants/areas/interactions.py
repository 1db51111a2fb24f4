"""Mutations of interactions: similarity, drift, profiles, communities."""

from engage_pipeline_tests.mutants.mutation import mutations

MUTATIONS = [
    *mutations(
        "interactions",
        "interactions/graphs/similarity.py",
        "interactions/graphs/test_similarity.py interactions/test_edges_by_hand.py",
        ("kept = (jaccard >= threshold)", "kept = (jaccard > threshold)"),
        ("place, top_n - 1)", "place, top_n)"),
        ("np.lexsort((place[column], -jaccard, row))", "np.lexsort((column, -jaccard, row))"),
        ("(sizes[row] + sizes[column] - shared.data)", "(sizes[row] + sizes[column])"),
        ("np.ceil(sizes[highest - 1] / threshold)", "np.ceil(sizes[lowest] / threshold)"),
    ),
    *mutations(
        "interactions",
        "interactions/graphs/followers.py",
        "interactions/graphs/test_similarity.py",
        ("shared = follows > 1", "shared = follows > 2"),
    ),
    *mutations(
        "interactions",
        "interactions/drift/stability.py",
        "interactions/drift/test_stability.py interactions/test_edges_by_hand.py",
        ("index - limit - chance(", "index - limit + 0 * chance("),
        ("(p - q) * (np.log(p) - np.log(q))", "p * (np.log(p) - np.log(q))"),
        ("+ 3 * np.sqrt(", "+ 30 * np.sqrt("),
        ("{*known, MISSING, OTHERS}", "{*known, MISSING}"),
        ("share**rows < IMPROBABLE", "share**rows > IMPROBABLE"),
        ("if len(profiles) < 2:", "if len(profiles) < 1:"),
        (
            "(counts + others > 0).astype(np.float64), starts, axis=1) - 1",
            "(counts + others > 0).astype(np.float64), starts, axis=1)",
        ),
    ),
    *mutations(
        "interactions",
        "interactions/drift/profile.py",
        "interactions/drift/test_profile.py",
        ("codes[values == 0] = _ZERO", "codes[values == 0] = _LEAST"),
        ("codes[mantissa < 0] = _NEGATIVE", "codes[mantissa < 0] = _ZERO"),
        ("2 * (exponent - 1) + (mantissa", "2 * exponent + (mantissa"),
        ("if rest := sum(rows for _, rows in ordered[MOST_VALUES:]):", "if rest := 0:"),
        ("step = max(1, -(-rows", "step = max(2, -(-rows"),
    ),
    *mutations(
        "interactions",
        "interactions/graphs/communities.py",
        "interactions/graphs/test_communities.py interactions/test_edges_by_hand.py",
        ("np.argsort(-matrix.authors, kind=", "np.argsort(matrix.authors, kind="),
        ("np.where(self.user[places] == users, role[places]", "np.where(self.user[places] <= users, role[places]"),
        ("self.values**-1.5", "self.values**-0.5"),
        ("if start == 0:", "if start > 0:"),
    ),
    *mutations(
        "interactions",
        "numerics/outliers.py",
        "numerics/test_outliers.py",
        ("if found[worst] <= 0:", "if found[worst] < 0:"),
        ("len(found) - 1 - int(np.argmax(found[::-1]))", "int(np.argmax(found))"),
        ("np.count_nonzero(kept) >= 2", "np.count_nonzero(kept) >= 3"),
    ),
]
