"""The face of a package: its public names, each loaded on first use."""

from importlib import import_module


def face(package, modules):
    """What a package's ``__init__`` needs to list its names without importing their modules.

    Parameters
    ----------
    package : str
        Name of the package.
    modules : dict
        Maps the name of a module, relative to the package, to its public names, separated by
        spaces.

    Returns
    -------
    tuple
        For ``__getattr__, __dir__, __all__``.
    """
    home = {name: module for module, names in modules.items() for name in names.split()}

    def load(name):
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    return load, lambda: sorted([*vars(import_module(package)), *home]), [*home]
