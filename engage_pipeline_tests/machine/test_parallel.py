"""Work of several threads, whose results come in order."""

import threading
from collections.abc import Iterator

import pytest

from engage_pipeline.machine.parallel import in_order

THREADS = pytest.mark.parametrize("threads", [1, 2, 5])


@THREADS
@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_each_item_is_worked_on_once_and_results_come_in_order(threads: int, count: int) -> None:
    worked: list[int] = []

    def work(item: int) -> int:
        worked.append(item)
        return item * item

    assert list(in_order(work, range(count), threads)) == [item * item for item in range(count)]
    assert sorted(worked) == list(range(count))


def test_so_many_threads_work_at_once() -> None:
    """Each waits until all others came: with fewer threads it would wait for ever."""
    met = threading.Barrier(3)
    assert list(in_order(lambda _: met.wait(60) is not None, range(6), 3)) == [True] * 6


@pytest.mark.parametrize("caller_works", [False, True])
def test_a_caller_that_works_is_one_of_the_threads(caller_works: bool) -> None:
    """Both others are there at once; a third would have begun a third item before they went on."""
    met, seen = threading.Barrier(2), set()

    def work(_: int) -> None:
        seen.add(threading.get_ident())
        met.wait(60)

    assert len(list(in_order(work, range(6), 2 + caller_works, caller_works=caller_works))) == 6
    assert len(seen) == 2
    assert threading.get_ident() not in seen


def test_a_later_result_waits_for_an_earlier_one() -> None:
    later = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert later.wait(60)
        else:
            later.set()
        return item

    assert list(in_order(work, range(4), 2)) == [0, 1, 2, 3]


def test_one_thread_is_the_callers_own() -> None:
    assert list(in_order(lambda _: threading.current_thread(), range(2), 1)) == [threading.current_thread()] * 2


@THREADS
def test_few_results_wait_to_be_taken(threads: int) -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            asked.append(item)
            yield item

    found = in_order(lambda item: item, items(), threads)
    assert next(found) == 0
    assert len(asked) <= 2 * threads + 1
    found.close()


@THREADS
def test_an_error_is_raised_in_its_place_and_nothing_new_begins(threads: int) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    seen: list[int] = []
    asked: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            asked.append(item)
            yield item

    with pytest.raises(ValueError, match="three"):
        seen.extend(in_order(work, items(), threads))
    assert seen == [0, 1, 2]
    assert len(asked) <= 4 + 2 * threads


@pytest.mark.parametrize("closed", [False, True])
def test_work_that_takes_long_hears_that_it_is_given_up(closed: bool) -> None:
    """The second item would wait for ever."""
    given_up = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            assert given_up.wait(60)
        elif item == 2:
            raise ValueError("two")
        return item

    found = in_order(work, [0, 1] if closed else [0, 2, 1], 2, given_up)
    assert next(found) == 0
    assert not given_up.is_set()
    if closed:
        found.close()
    else:
        with pytest.raises(ValueError, match="two"):
            next(found)


def test_work_that_is_done_was_not_given_up() -> None:
    given_up = threading.Event()
    assert list(in_order(lambda item: item, range(5), 2, given_up)) == [0, 1, 2, 3, 4]
    assert not given_up.is_set()
