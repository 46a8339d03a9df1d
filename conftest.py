"""Settings for all tests: library, notebooks, book."""


def pytest_collection_finish(session):
    """Measure coverage in pytest's own processes only: nbval's attempt inside kernels stalls."""
    session.config.option.cov_source = None
