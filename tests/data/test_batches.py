"""Blocks of rows and batches of samples: every row once, the same ones again, each checked."""

import numpy as np
import pandas as pd
import pytest

from moelib.data.batches import (
    BLOCK,
    as_batch,
    checked,
    drawn_batches,
    one_batch,
    row_blocks,
    shuffled_batches,
)
from moelib.validation import as_sample


@pytest.mark.parametrize("n", [0, 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_blocks_cut_the_rows_in_order(n):
    rows = [i for block in row_blocks(n) for i in range(n)[block]]
    assert rows == list(range(n))
    assert all(block.stop - block.start <= BLOCK for block in row_blocks(n))


def test_shuffled_batches_cover_every_row_once():
    X, y = np.arange(10.0)[:, None], np.arange(10.0)
    batches = shuffled_batches(X, y, np.random.default_rng(0), size=4)
    for _ in range(2):
        seen = list(batches())
        assert [len(labels) for _, labels in seen] == [4, 6]
        assert sorted(np.concatenate([labels for _, labels in seen])) == list(range(10))
        assert all(np.array_equal(rows[:, 0], labels) for rows, labels in seen)
    assert len(list(shuffled_batches(X[:3], y[:3], np.random.default_rng(0), size=4)())) == 1


@pytest.mark.parametrize("n, sizes", [(2500, [1000, 1000, 500]), (2000, [1000, 1000]), (3, [3])])
def test_drawn_batches_are_the_same_at_every_pass(standard, n, sizes):
    model, _, _ = standard(1)
    batches = drawn_batches(model, n, np.random.SeedSequence(5))
    first, second = list(batches()), list(batches())
    assert [len(y) for _, y in first] == sizes
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    seeds = np.random.SeedSequence(5).spawn(len(sizes))
    X, y = model.sample(sizes[-1], np.random.default_rng(seeds[-1]))
    np.testing.assert_array_equal(first[-1][0], X)
    np.testing.assert_array_equal(first[-1][1], y)
    assert len({float(y[0]) for _, y in first}) == len(sizes)


def test_a_sample_as_batches():
    X, y, weights = np.eye(3), np.arange(3.0), np.array([1.0, 2.0, 3.0])
    for _ in range(2):
        [batch] = one_batch(as_sample(X, y))()
        assert len(batch) == 2 and batch[0].shape == (3, 3)
    [(_, _, seen)] = one_batch(as_sample(X, y, weights))()
    np.testing.assert_allclose(seen, weights / 2)


def test_batches_are_checked_as_they_come_and_at_every_pass():
    """The generator is not read ahead: what comes before a bad batch has been used by then."""
    drawn = []

    def batches():
        for X, y in (([[1, 2]], [3]), ([[4, 5]], [6]), ([[7, np.inf]], [8])):
            drawn.append(y)
            yield X, y

    sound = checked(batches)
    for _ in range(2):
        drawn.clear()
        passing = sound()
        for n_drawn in (1, 2):
            X, y = next(passing)
            assert X.dtype == y.dtype == float and X.shape == (1, 2) and len(drawn) == n_drawn
        with pytest.raises(ValueError, match="X must be finite"):
            next(passing)


def test_weights_of_a_batch_stay_as_they_are():
    """Batches of different weight must not be brought to the same mean."""
    X, y = np.eye(2), np.ones(2)
    sound = checked(lambda: [(X, y, [1, 1]), (X, y, [5, 0])])
    np.testing.assert_array_equal([w for _, _, w in sound()], [[1, 1], [5, 0]])


@pytest.mark.parametrize(
    "batch, message",
    [
        ((np.eye(2), [1.0]), "y must have length 2, got 1"),
        ((np.ones(2), [1.0, 2.0]), "X must be a 2-d array"),
        ((np.eye(2), [1.0, np.nan]), "y must be finite"),
        ((np.eye(2), [1.0, 2.0], [1.0, -1.0]), "sample_weight must not be negative"),
        ((np.eye(2), [1.0, 2.0], [1.0]), "sample_weight must have length 2"),
    ],
)
def test_a_bad_batch_is_refused(batch, message):
    with pytest.raises(ValueError, match=message):
        as_batch(*batch)
    with pytest.raises(ValueError, match=message):
        list(checked(lambda: [batch])())


def test_batches_of_different_widths_are_refused():
    with pytest.raises(ValueError, match="X must have 2 columns, got shape .3, 3"):
        list(checked(lambda: [(np.eye(2), np.ones(2)), (np.eye(3), np.ones(3))])())


def test_batches_without_rows_are_passed_over_and_none_at_all_refused():
    X, y, none = np.eye(2), np.ones(2), np.zeros((0, 2))
    sound = checked(lambda: [(none, []), (X, y), (none, [])])
    assert [len(labels) for _, labels in sound()] == [2]
    for batches in (list, lambda: [(none, [])]):
        with pytest.raises(ValueError, match="batches must yield a batch .* at each call"):
            list(checked(batches)())


def test_a_generator_that_is_used_up_is_found_at_the_second_pass():
    once = iter([(np.eye(2), np.ones(2))])
    sound = checked(lambda: once)
    assert len(list(sound())) == 1
    with pytest.raises(ValueError, match="used up after one pass, so make it inside the function"):
        list(sound())


def test_what_is_no_function_is_refused():
    with pytest.raises(ValueError, match="batches must be a function .* got list: .* lambda: data"):
        checked([(np.eye(2), np.ones(2))])


def test_shuffled_batches_take_what_makes_an_array():
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6.0)
    frame, series = pd.DataFrame(X, index=list("fedcba")), pd.Series(y, index=range(10, 16))
    for inputs, labels in ((frame, series), (X.tolist(), y.tolist()), (np.float32(X), series)):
        one, other = (
            shuffled_batches(*data, np.random.default_rng(0), size=4)()
            for data in ((X, y), (inputs, labels))
        )
        for (rows, values), (again, those) in zip(one, other, strict=True):
            assert again.dtype == those.dtype == float
            np.testing.assert_array_equal(rows, again)
            np.testing.assert_array_equal(values, those)
    with pytest.raises(ValueError, match="y must have a label for each of the 6 rows of X, got 5"):
        shuffled_batches(X, y[:5], np.random.default_rng(0))


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_sizes_and_seeds_are_checked(standard, size):
    model, X, y = standard(3)
    with pytest.raises(ValueError, match="size must be an integer of at least 1"):
        shuffled_batches(X, y, np.random.default_rng(0), size=size)
    for changes, message in [
        (dict(size=size), "size must be an integer of at least 1"),
        (dict(n=size), "n must be an integer of at least 1"),
        (dict(seed=0), "seed must be a numpy.random.SeedSequence such as"),
    ]:
        with pytest.raises(ValueError, match=message):
            drawn_batches(model, **(dict(n=3, seed=np.random.SeedSequence(0)) | changes))
