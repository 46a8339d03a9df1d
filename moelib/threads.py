r"""One thread for small products: what a fit costs must not depend on what else the machine does.

The products of this library are small: a block of rows times a few columns. Split over threads
they gain little, and when another program holds one of the cores, every product waits for the
thread that has none: the same fit then takes ten or a hundred times as long. So the library's
doors run with one thread, whatever ``OMP_NUM_THREADS`` says.
"""

import sys
import threading
from functools import lru_cache, wraps


@lru_cache(maxsize=1)
def _libraries(n_modules):
    """The libraries of this process that have threads; listed anew when modules were imported."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().lib_controllers


class _Limit:
    """How many calls are inside, and how many threads each library had before the first."""

    def __init__(self):
        self.depth, self.before = 0, {}

    def hold(self, libraries):
        """Set those to one thread that are not held yet."""
        for library in libraries:
            if library.filepath not in self.before and (library.num_threads or 1) > 1:
                self.before[library.filepath] = library, library.num_threads
                library.set_num_threads(1)

    def release(self):
        """Give every library its threads back, if the last call has left."""
        if self.depth == 0:
            for library, n_threads in self.before.values():
                library.set_num_threads(n_threads)
            self.before.clear()


class _LimitOfThread(_Limit, threading.local):
    """A limit of its own for each Python thread."""


class OneThread:
    """A context manager and a decorator: products inside use one thread.

    It limits linear algebra (BLAS) and OpenMP, which torch and scikit-learn use. Use the one
    instance, :data:`one_blas_thread`.

    Notes
    -----
    BLAS has one number of threads for the whole process. So while a call is inside, products of
    other Python threads use one BLAS thread too; when the last call has left, every library has
    as many threads as before. Calls may be nested. Entering takes some ten microseconds, and a
    millisecond when modules were imported since the last time.

    Examples
    --------
    >>> import numpy
    >>> from threadpoolctl import threadpool_info
    >>> @one_blas_thread
    ... def threads_inside():
    ...     return {library["num_threads"] for library in threadpool_info()}
    >>> threads_inside()
    {1}
    """

    def __init__(self):
        self._lock = threading.RLock()
        self._limits = {"blas": _Limit(), "openmp": _LimitOfThread()}

    def __enter__(self):
        with self._lock:
            for limit in self._limits.values():
                limit.depth += 1
            self.hold_new()
        return self

    def __exit__(self, *error):
        with self._lock:
            for limit in self._limits.values():
                limit.depth -= 1
                limit.release()

    def hold_new(self):
        """Limit libraries that were loaded since, if a call is inside."""
        with self._lock:
            libraries = _libraries(len(sys.modules))
            for api, limit in self._limits.items():
                if limit.depth:
                    limit.hold(one for one in libraries if one.user_api == api)

    def __call__(self, function):
        """Decorate a function."""

        @wraps(function)
        def limited(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return limited


one_blas_thread = OneThread()
