"""Settings for all tests: library, notebooks, book."""

# programs beside the masters are read by the grader, not searched for doctests
collect_ignore_glob = ["book/assignments/*.py", "book/assignments/*/*.py"]


def pytest_collection_finish(session):
    """Measure coverage in pytest's own processes only: nbval's attempt inside kernels stalls."""
    session.config.option.cov_source = None
