"""Packages that the library runs without: asked for where they are needed, by name."""

from importlib import import_module

from moelib.threads import one_blas_thread

# the extra of pyproject.toml that brings a package; "book" brings all of them
EXTRAS = {"torch": "torch", "matplotlib": "plots", "formulaic": "formula"} | dict.fromkeys(
    ("nbgrader", "psutil", "pyseccomp", "jinja2"), "classroom"
)


def load(name, what):
    """Import a module of an optional package, or say how to get it.

    Parameters
    ----------
    name : str
        The module, such as ``"torch"`` or ``"matplotlib.pyplot"``.
    what : str
        What needs it, for the message.

    Returns
    -------
    module
        The module that ``name`` says, its threads held as :mod:`moelib.threads` says.

    Raises
    ------
    ImportError
        When the package is missing.

    Examples
    --------
    >>> load("math", "this line").sqrt(4)
    2.0
    """
    package = name.partition(".")[0]
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise  # the package is there, and what it needs is not
        extra = EXTRAS.get(package, "book")
        message = f"{what} needs {package}: pip install 'moelib[{extra}]'"
        raise ImportError(message, name=package) from error
    one_blas_thread.hold_new()
    return module
