"""Numbers in the text of a page: how they are written, and how they get there.

A page computes every number that its text names. ``put(".2f", gain=gain)`` in a cell and
``{glue:text}`gain``` in the text are all it takes. Signs, per cent and powers of ten are typeset
in plain characters, since such text is not read as LaTeX.
"""

import math

import numpy as np

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value, form=""):
    """Write a number for the eye.

    Parameters
    ----------
    value : number or str
        Text is returned as it is.
    form : str
        A format of Python, such as ".2f", ",.0f", ".0%" or ".1e". Default: all digits of an
        integer, in groups of three, and "g" for the rest.

    Returns
    -------
    text : str
        With a true minus sign, a space before %, a power of ten instead of "e" (none between 1 and
        9,999), and no sign on zero.

    Raises
    ------
    ValueError
        When the value is not finite.

    Examples
    --------
    >>> number(-0.503, ".2f"), number(0.934, ".0%"), number(12000)
    ('−0.50', '93\xa0%', '12,000')
    >>> number(2.6e-7, ".0e"), number(1234.5, ".1e")
    ('3 · 10⁻⁷', '1,200')
    """
    if isinstance(value, str):
        return value
    value = np.asarray(value).item()
    if not math.isfinite(value):
        raise ValueError(f"value must be finite to be written, got {value}: what computes it?")
    if isinstance(value, float):
        form = "z" + (form or "g")  # z: no minus sign on zero
    text = format(value, form or ",")
    if "e" in text:
        digits, power = text.split("e")
        small = 0 <= int(power) < 4
        text = f"{float(text):,g}" if small else f"{digits} · 10{str(int(power)).translate(RAISED)}"
    return text.replace("-", "−").replace("%", "\N{NO-BREAK SPACE}%")


def low_to_high(values, form=""):
    """Write the least and the largest of some numbers; one of them when they read the same.

    Parameters
    ----------
    values : array
        At least one number; the two ends of an interval are a fine choice.
    form : str
        As in `number`.

    Returns
    -------
    text : str
        "low to high".

    Examples
    --------
    >>> low_to_high([3.2, 1.1, 2.5], ".1f"), low_to_high([3.2, 3.4], ".0f")
    ('1.1 to 3.2', '3')
    """
    low, high = (number(end, form) for end in _ends(values))
    return low if low == high else f"{low} to {high}"


def with_interval(value, low, high, form=""):
    """Write an estimate and its interval.

    Parameters
    ----------
    value : number
        The estimate.
    low, high : number
        The ends of its interval.
    form : str
        As in `number`.

    Returns
    -------
    text : str
        "value (low to high)".

    Examples
    --------
    >>> with_interval(0.72, 0.66, 0.78, ".2f")
    '0.72 (0.66 to 0.78)'
    """
    return f"{number(value, form)} ({number(low, form)} to {number(high, form)})"


def plus_minus(value, half, form=""):
    """Write an estimate and half the width of its interval.

    Parameters
    ----------
    value : number
        The estimate.
    half : number
        Half the width.
    form : str
        As in `number`.

    Returns
    -------
    text : str
        "value ± half".

    Examples
    --------
    >>> plus_minus(-0.497, 0.0214, ".2f")
    '−0.50 ± 0.02'
    """
    return f"{number(value, form)} ± {number(half, form)}"


def listed(values, form=""):
    """Write some numbers one after the other.

    Parameters
    ----------
    values : array
        In the order of the sentence.
    form : str
        As in `number`.

    Returns
    -------
    text : str
        "a, b and c".

    Examples
    --------
    >>> listed([1, 2, 3]), listed([0.25], ".1f")
    ('1, 2 and 3', '0.2')
    """
    *most, last = (number(value, form) for value in values)
    return f"{', '.join(most)} and {last}" if most else last


def put(form="", named=None, /, **values):
    """Make numbers known to the text of the page, under their names.

    Parameters
    ----------
    form : str
        As in `number`, for all of them.
    named : dict, optional
        Name -> value, for names that are made in a loop.
    **values : number or str
        Names with underscores for dashes: ``put(gain_low=2)`` makes "gain-low" known.

    Raises
    ------
    ValueError
        When a value is not finite; the message says which.

    Examples
    --------
    >>> put(".1f", gain=gain, gain_seen=seen)  # doctest: +SKIP
    >>> put(".0%", {f"right-{link}": right[link] for link in LINKS})  # doctest: +SKIP
    """
    _glue(_with_dashes(named, values), lambda value: number(value, form))


def put_ends(form="", named=None, /, **values):
    """Make the least and the largest of some numbers known, as NAME-low and NAME-high.

    Parameters
    ----------
    form : str
        As in `number`, for all of them.
    named : dict, optional
        Name -> array, for names that are made in a loop.
    **values : array
        Names with underscores for dashes.

    Raises
    ------
    ValueError
        When an end is not finite; the message says which.

    Examples
    --------
    >>> put_ends(".2f", slope=slopes)  # doctest: +SKIP
    """
    for name, several in _with_dashes(named, values).items():
        ends = dict(zip((f"{name}-low", f"{name}-high"), _ends(several)))
        _glue(ends, lambda value: number(value, form))


def _ends(values):
    values = np.asarray(values if hasattr(values, "__array__") else list(values))
    return np.min(values), np.max(values)


def _with_dashes(named, values):
    return {**(named or {}), **{name.replace("_", "-"): v for name, v in values.items()}}


def _glue(named, write):
    from myst_nb import glue

    for name, value in named.items():
        try:
            text = write(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        glue(name, text, display=False)
