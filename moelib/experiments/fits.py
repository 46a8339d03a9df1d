"""The fit that experiments on the estimator share."""

import warnings

from moelib.estimator.mixture import MixtureOfExperts


def quiet_fit(model, X, y, settings, rng):
    """Fit a mixture with these settings; what it warns of shows in the rows of the experiment.

    What they leave open is as in the theory: no intercepts, one noise, a single start.

    Parameters
    ----------
    model : GatedModel
        The truth: its number of experts, its link and, for the setting ``noise="true"``, its noise
        are told to the method.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels.
    settings : dict
        Parameters of :class:`moelib.MixtureOfExperts`.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    MixtureOfExperts

    Raises
    ------
    ValueError
        When there are fewer samples than parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from moelib import standard_model
    >>> model = standard_model(d=4, n_experts=2)
    >>> X, y = model.sample(500, np.random.default_rng(0))
    >>> settings = dict(method="em", noise="true")
    >>> quiet_fit(model, X, y, settings, np.random.default_rng(0)).noise_
    0.05
    """
    settings = dict(fit_intercept=False, noise="shared", n_init=1) | settings  # as in the theory
    if settings.get("noise") == "true":
        settings["noise"] = model.noise
    estimator = MixtureOfExperts(model.n_experts, link=model.link, random_state=rng, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return estimator.fit(X, y)
