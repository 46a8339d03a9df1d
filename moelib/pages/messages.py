"""What a call says besides what it returns, or instead of it."""

import warnings


def heard(function, *args, **options):
    """Call a function and keep the warnings that it gives, instead of showing them.

    Parameters
    ----------
    function : function
        What to call.
    *args, **options : object
        Its arguments.

    Returns
    -------
    result : object
        What the function returned.
    said : list of Warning
        What it warned of, in order; ``str(said[0])`` is the message.

    Examples
    --------
    >>> def halve(x):
    ...     warnings.warn("half is lost", stacklevel=2)
    ...     return x / 2
    >>> value, said = heard(halve, 3)
    >>> value, str(said[0])
    (1.5, 'half is lost')
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **options)
    return result, [warning.message for warning in caught]


def refused(function, *args, **options):
    """Call a function that ought to refuse its arguments, and keep what it says.

    Parameters
    ----------
    function : function
        What to call.
    *args, **options : object
        Its arguments.

    Returns
    -------
    message : str
        Of the ValueError that it raised.

    Raises
    ------
    AssertionError
        When it did not refuse.

    Examples
    --------
    >>> refused(int, "four")
    "invalid literal for int() with base 10: 'four'"
    """
    try:
        result = function(*args, **options)
    except ValueError as error:
        return str(error)
    raise AssertionError(f"not refused: the call returned {result!r}")
