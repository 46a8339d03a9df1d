"""``python -m moelib.experiments``."""

from moelib.experiments.runner import main

main()
