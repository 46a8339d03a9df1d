"""Six real data sets: what is concluded, what is warned of, what a straight line predicts.

    python -m benchmarks.real_data FOLDER

reads ``engel.csv``, ``faithful.csv``, ``mcycle.csv``, ``prestige.csv``, ``wage.csv`` and
``diabetes.csv`` from the folder, see ``book/data/real/SOURCES.txt``, and prints the table that is
stored beside it. None is transformed: frames go in as they are, categories and years too.
"""

import sys
import warnings
from pathlib import Path

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import RepeatedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from moelib import MixtureOfExperts, choose_n_experts

SETS = {
    "engel": ("foodexp", ["income"]),
    "faithful": ("waiting", ["eruptions"]),
    "mcycle": ("accel", ["times"]),
    "prestige": ("prestige", ["education", "income", "type"]),
    "wage": ("wage", ["year", "age", "education"]),
    "diabetes": ("target", ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]),
}
FOLDS = RepeatedKFold(n_splits=10, n_repeats=3, random_state=0)
MOST = 4  # experts


def study(name, folder):
    """One row: the number of experts, criteria, both cross-validated R2, and every warning."""
    label, columns = SETS[name]
    frame = pd.read_csv(Path(folder) / f"{name}.csv")[[*columns, label]].dropna()
    X, y = frame[columns], frame[label]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = choose_n_experts(MixtureOfExperts(random_state=0), X, y, n_experts=MOST)
    said = [str(one.message) for one in caught]
    best = [sentence for sentence in said if sentence.startswith(f"k = {found.best_k}:")]
    mixture = MixtureOfExperts(found.best_k, random_state=0)
    words = X.select_dtypes(exclude="number").columns
    encoder = make_column_transformer(
        (OneHotEncoder(drop="first", handle_unknown="ignore"), words), remainder="passthrough"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        r2 = [
            cross_val_score(one, X, y, cv=FOLDS, scoring="r2").mean()
            for one in (mixture, make_pipeline(encoder, LinearRegression()))
        ]
    return {
        "data": name,
        "n": len(y),
        "best_k": found.best_k,
        "bic_one": found.table["bic"].get(1),
        "bic_best": found.table["bic"][found.best_k],
        "degenerate": ", ".join(map(str, found.table.index[found.table["degenerate"]])),
        "r2_mixture": r2[0],
        "r2_line": r2[1],
        "noises": " ".join(f"{noise:.3g}" for noise in found.fits[found.best_k].noises_),
        "warnings": " | ".join(sentence.split(": ", 1)[1] for sentence in best),
    }


def main(folder):
    """Print the table as CSV."""
    rows = []
    for name in SETS:
        rows.append(study(name, folder))
        print(rows[-1], file=sys.stderr)
    print(pd.DataFrame(rows).to_csv(index=False, float_format="%.4g"), end="")


if __name__ == "__main__":
    main(sys.argv[1])
