"""The arithmetic of the tables against values computed by hand, and what they show where a run is missing."""

from engage_pipeline.comparison.check_tables import ablation_table, check_table, problems
from engage_pipeline.comparison.outcomes import RunOutcome
from engage_pipeline.comparison.tables import engagement_table, group_table, overall_table
from engage_pipeline.comparison.worlds import Variant, WorldSpec
from engage_pipeline_tests.comparison.made import GOOD, POOR, WORLD, outcome

OTHER = WorldSpec(1000, 2)


def rows(table: str) -> list[list[str]]:
    """Cells of each line, header first, the ruler left out."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len({len(line) for line in lines}) == 1
    return [line for place, line in enumerate(lines) if place != 1]


def test_overall_shows_each_world_and_the_mean_of_the_seeds():
    found = [outcome("a", GOOD, seconds=10.0), outcome("a", POOR, OTHER, seconds=21.0), outcome("b", POOR)]
    _, *lines = rows(overall_table(found, [WORLD, OTHER], ["a", "b"]))
    good = 100 * (12.5 / 30 + 5 / 15 + 1.5 / 4.5 + 7.5 / 20) / 4
    poor = 100 * (10 / 30 + 0 / 15 - 2.5 / 4.5 + 5 / 20) / 4
    good_cells = ["31.2", "3.0", f"{good:.1f}", "8.12", "6.62", "0.6000", "0.6000"]
    poor_cells = ["0.0", "3.0", f"{poor:.1f}", "2.50", "3.12", "0.4000", "0.4000"]
    mean_cells = ["15.6", "2.1", f"{(good + poor) / 2:.1f}", "5.31", "4.88", "0.5000", "0.5000"]
    assert lines == [
        ["1,000 rows, seed 1", "a", *good_cells, "10", "20", "1234"],
        ["1,000 rows, seed 1", "b", *poor_cells, "61", "123", "1234"],
        ["1,000 rows, seed 2", "a", *poor_cells, "21", "42", "1234"],
        ["1,000 rows, seed 2", "b", "not run yet", *["-"] * 9],
        ["1,000 rows, mean", "a", *mean_cells, "16", "31", "1234"],
        ["1,000 rows, mean", "b", *lines[1][2:]],
    ]


def test_a_failed_run_has_its_place_and_leaves_no_mean():
    failed = RunOutcome(OTHER, "a", "key", {}, problem="no memory")
    lines = rows(overall_table([outcome("a", GOOD), failed], [WORLD, OTHER], ["a"]))
    assert [line[2] for line in lines[1:]] == ["31.2", "failed", "failed"]
    assert problems([outcome("a", GOOD), failed]) == ["- a on 1,000 rows, seed 2 (plain): no memory"]


def test_engagements_have_the_best_in_bold_and_the_oracle_below():
    lines = {tuple(line[:2]): line[2:] for line in rows(engagement_table([outcome("a", GOOD), outcome("b", POOR)]))}
    assert lines["like", "a"] == ["**0.6000**", "**20.00**", "**50.0**", "1.0", "**0.6000**", "**12.50**", "**41.7**"]
    assert lines["like", "b"] == ["0.4000", "10.00", "25.0", "1.0", "0.4000", "10.00", "33.3"]
    assert lines["like", "oracle"] == ["0.9000", "40.00", "-", "-", "0.9000", "30.00", "-"]
    assert lines["reply", "a"][1:3] == ["**5.00**", "**25.0**"]
    assert lines["reply", "b"][1:3] == ["**5.00**", "**25.0**"]
    assert lines["retweet_with_comment", "b"][2] == "-50.0"
    assert lines["mean", "a"][:4] == ["**0.6000**", "**8.12**", "**31.2**", "3.0"]
    assert lines["mean", "oracle"][1] == "22.50"


def test_nothing_is_bold_where_there_is_nothing_to_compare():
    assert "**" not in engagement_table([outcome("a", GOOD)]) + group_table([outcome("a", GOOD)])


def test_groups_show_the_share_of_each_and_their_mean_without_those_the_oracle_is_bad_at():
    header, *lines = rows(group_table([outcome("a", GOOD), outcome("b", POOR)]))
    assert header == ["engagement", "preset", "<240", "240+"]
    shares = {tuple(line[:2]): line[2:] for line in lines}
    assert shares["like", "a"] == ["**50.0**", "25.0"]
    assert shares["like", "b"] == ["25.0", "**50.0**"]
    assert shares["retweet_with_comment", "a"] == ["**25.0**", "-"]
    assert shares["mean", "a"] == ["**31.2**", "**41.7**"]  # (50 + 25 + 25 + 25) / 4, (25 + 50 + 50) / 3
    assert shares["mean", "b"] == ["0.0", "25.0"]  # (25 + 0 - 50 + 25) / 4, (50 + 0 + 25) / 3


def test_an_ablation_shows_what_leaving_a_family_out_changes():
    without = {"pairs": outcome("x", POOR), "hours": None, "text": RunOutcome(WORLD, "y", "", {}, problem="no")}
    _, base, *lines = rows(ablation_table(outcome("default", GOOD), without))
    assert base == ["nothing", "31.2", *["-"] * 6, "123"]
    by_group = 100 * ((10 - 12.5) / 30 + (0 - 5) / 15 + (-2.5 - 1.5) / 4.5 + (5 - 7.5) / 20) / 4
    assert lines[0] == ["pairs", "0.0", "-31.2", f"{by_group:+.1f}", "-25.0", "-25.0", "-75.0", "+0.0", "123"]
    assert lines[1] == ["hours", "not run yet", *["-"] * 7]
    assert lines[2] == ["text", "failed", *["-"] * 7]


def test_a_check_shows_rows_positives_and_rce_beside_the_oracles():
    _, *lines = rows(check_table(outcome("default", POOR, WorldSpec(1000, 1, Variant.SHUFFLED))))
    assert lines[0] == ["like", "100", "10", "10.00", "40.00", "25.0"]
    assert lines[2] == ["retweet_with_comment", "100", "10", "-5.00", "10.00", "-50.0"]
    assert lines[-1] == ["mean", "", "", "2.50", "22.50", "0.0"]
    assert check_table(None) == "Not run yet."
    assert check_table(RunOutcome(WORLD, "default", "", {}, problem="no memory")) == "Failed: no memory"
