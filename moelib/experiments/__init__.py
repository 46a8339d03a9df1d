"""Experiments too long for a page: declared grids, resumable runs, small CSV files.

``python -m moelib.experiments --list`` says what there is, ``python -m moelib.experiments NAME``
runs one.
"""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "tables": "read_table rows_again",
        "experiment": "Experiment cell_name",
        "runner": "EXPERIMENTS main run_experiment",
        "provenance": "code_hash",
        "failure_map": "FAILURE_MAP",
        "census": "CENSUS",
        "experts": "EXPERTS",
        "coverage": "COVERAGE",
        "own_data": "OWN_DATA",
        "regimes": "REGIMES",
        "many_experts": "MANY_EXPERTS",
        "tails": "TAILS",
        "samples": "SAMPLES",
        "efficiency": "EFFICIENCY",
        "cooling": "COOLING",
        "certificate": "CERTIFICATE",
        "frontier": "FRONTIER",
    },
)
