"""Which designs the experiment ``frontier`` has, and on how many data sets each method runs there.

The sizes are multiples of k^3, chosen about the borders that first looks had suggested.
"""

DATA_SETS, SOME, FEW = 10, 5, 2
LONGEST = 4_000_000  # samples, but for STREAM
HELD = 150_000_000  # numbers: 1.2 GB
ADAM, LEAKY, TRUTH = "adam", "adam, leaky", "from the truth"
FALLING = "adam, falling leak"
RAW, L4, BOTH, COLD = "two-loss", "two-loss, l4", "two-loss, adam", "adam, cold"
COOLED, MERGED = "em, cooling 0.01", "em-split-merge"
METHODS = (ADAM, LEAKY, COOLED, MERGED, RAW, L4, BOTH, COLD, TRUTH, FALLING)

# By design, which n / k^3 each method gets: in the first list some of its runs may fail and some
# not; in the second all or none
PLAN: dict[tuple, dict[str, tuple]] = {
    ("identity", 0.05, "equal"): {
        ADAM: ((1.2, 1.7, 2.4), (0.85, 3.4, 6.0, 12.0, 24.0, 48.0)),
        COOLED: ((1.7, 2.4, 3.4), (1.2, 6.0)),
        MERGED: ((1.7, 2.4, 3.4), (1.2, 6.0)),
        RAW: ((12.0, 24.0, 48.0), (6.0,)),
        L4: ((24.0, 48.0, 96.0), ()),
        BOTH: ((3.4, 6.0), (12.0, 24.0, 48.0)),
        TRUTH: ((), (0.85, 1.7)),
    },
    ("identity", 0.5, "equal"): {
        ADAM: ((4.0, 5.6, 8.0), (2.8, 12.0, 24.0, 48.0)),
        RAW: ((24.0, 48.0), (12.0, 96.0)),
        BOTH: ((8.0, 12.0, 24.0), (48.0,)),
        TRUTH: ((), (2.8, 5.6)),
    },
    ("identity", 0.05, "skew"): {
        ADAM: ((3.0, 6.0, 12.0), (24.0, 48.0, 100.0, 200.0)),
        RAW: ((100.0, 200.0), (400.0,)),
        BOTH: ((24.0, 48.0, 100.0), (200.0,)),
        TRUTH: ((), (3.0, 24.0)),
    },
    ("relu", 0.05, "equal"): {
        ADAM: ((6.0, 12.0), (3.0, 24.0, 48.0)),
        LEAKY: ((6.0, 12.0, 24.0), (3.0, 48.0, 96.0)),
        FALLING: ((6.0, 12.0, 24.0), (3.0, 48.0, 96.0)),
        RAW: ((24.0, 48.0, 96.0), ()),
        L4: ((96.0, 200.0), (48.0,)),
        BOTH: ((6.0, 12.0, 24.0), (48.0, 96.0)),
        TRUTH: ((), (3.0, 12.0)),
    },
    ("tanh", 0.05, "equal"): {
        ADAM: ((2.4, 4.8), (6.0, 12.0, 24.0)),
        RAW: ((24.0,), (12.0, 48.0)),
        BOTH: ((6.0, 12.0), (24.0,)),
        TRUTH: ((), (2.4,)),
    },
}

SIZES = {
    ("identity", 0.05, "equal"): (8, 12, 16, 24, 32, 48),
    ("identity", 0.5, "equal"): (8, 16, 24),
    ("identity", 0.05, "skew"): (8, 16),
    ("relu", 0.05, "equal"): (8, 16, 24, 32),
    ("tanh", 0.05, "equal"): (16,),
}
STREAM = dict(link="relu", noise=0.05, shares="equal", k=16, n=10_000_000)
# what takes long, or finds nothing, gets fewer data sets: (link, shares, k, method)
CAPS = {
    ("identity", "equal", 12, MERGED): SOME,
    ("identity", "skew", 16, ADAM): FEW,
    ("relu", "equal", 24, ADAM): 1,
    ("relu", "equal", 24, LEAKY): 1,
    ("relu", "equal", 24, FALLING): 1,
    ("relu", "equal", 32, ADAM): 0,
    ("relu", "equal", 32, LEAKY): 0,
    ("relu", "equal", 32, FALLING): 0,
}
MOST = {32: SOME, 48: FEW}  # data sets, by k
TIMED = (
    ADAM,
    LEAKY,
    FALLING,
    BOTH,
)  # whose seconds are compared beyond their first list, on so many, by k:
CLEAR = {8: DATA_SETS, 12: DATA_SETS, 16: DATA_SETS, 24: SOME}
LARGEST = {COOLED: 12, MERGED: 12, L4: 16, COLD: 32, TRUTH: 24}  # k


def make_grid():
    """All cells, the smallest k first."""
    cells: list[dict] = [STREAM]
    for (link, noise, shares), plan in PLAN.items():
        for k in SIZES[link, noise, shares]:
            design = dict(link=link, noise=noise, shares=shares, k=k)
            sizes = {size_of(c, k) for lists in plan.values() for part in lists for c in part}
            cells += [design | dict(n=n) for n in sorted(sizes)]
    cells = [cell for cell in cells if any(n_data_sets(cell, method) for method in METHODS)]
    return sorted(cells, key=lambda cell: (cell["k"], cell["n"] * cell["k"] ** 2))


def size_of(c, k):
    """The number of samples c k^3, to two digits.

    Examples
    --------
    >>> size_of(1.7, 16)
    7000
    """
    return int(float(f"{c * k**3:.2g}"))


def n_data_sets(cell, method):
    """On how many data sets of a cell a method runs."""
    if cell == STREAM:
        return FEW if method == RAW else 0
    link, noise, shares, k, n = (cell[key] for key in ("link", "noise", "shares", "k", "n"))
    many, few = PLAN[link, noise, shares].get(BOTH if method == COLD else method, ((), ()))
    if k > LARGEST.get(method, k) or n > LONGEST or (2 * k * n > HELD and method not in (RAW, L4)):
        return 0
    count = 0
    beyond = many and method in TIMED and shares == "equal" and n > size_of(max(many), k)
    clear = CLEAR.get(k, FEW) if beyond else FEW
    for number, part in ((DATA_SETS, many), (clear, few)):
        if n in [size_of(c, k) for c in part]:
            count = min(number, MOST.get(k, number))
    if link == "tanh" or (noise > 0.1 and k == 24):
        count = min(count, SOME)
    if method == COLD and k > 16:
        count = min(count, FEW)
    return min(count, CAPS.get((link, shares, k, method), count))
