"""Numbers and changes in words, for the sentences that say what a picture shows."""

import numpy as np

SMALL_NUMBERS = "no one two three four five six seven eight nine ten".split()


def short(value):
    """Three digits, or all before the point.

    Examples
    --------
    >>> short(3.14159), short(-1998.4), short(25000), short(-0.00012)
    ('3.14', '-1998', '25,000', '-0.00012')
    """
    value = float(value)
    if 1000 <= abs(value) < 1e9:
        return f"{value:.0f}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:.3g}"


def percent(share):
    """A share in per cent, with words for what rounds to none or all.

    Examples
    --------
    >>> percent(0.123), percent(0.0), percent(0.001), percent(0.999)
    ('12 %', '0 %', 'under 1 %', 'over 99 %')
    """
    if 0 < share < 0.005:
        return "under 1 %"
    if 0.995 < share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"


def listed(words):
    """Join with commas and a last "and".

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last


def counted(n, thing):
    """A number and its thing, in singular or plural.

    Examples
    --------
    >>> counted(2, "line"), counted(1, "panel"), counted(12, "row of bars")
    ('two lines', 'one panel', '12 rows of bars')
    """
    one, _, of = thing.partition(" of ")
    thing = f"{one}{'' if n == 1 else 's'}{' of ' * bool(of)}{of}"
    number = SMALL_NUMBERS[n] if n < len(SMALL_NUMBERS) else str(n)
    return f"{number} {thing}"


def change(values, form=short):
    """How a curve runs from left to right.

    Examples
    --------
    >>> change([1, 2, 3]), change([3, 2, 2.5]), change([1, 1])
    ('rises from 1 to 3', 'goes from 3 to 2.5, between 2 and 3', 'stays at 1')
    """
    values = np.asarray(values, dtype=float)
    first, last, low, high = map(form, (values[0], values[-1], values.min(), values.max()))
    if low == high:
        return f"stays at {first}"
    if {first, last} == {low, high}:
        return f"{'rises' if values[-1] > values[0] else 'falls'} from {first} to {last}"
    return f"goes from {first} to {last}, between {low} and {high}"


def sentence(text):
    """Begin with a capital letter and end with a full stop."""
    return f"{text[0].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")
