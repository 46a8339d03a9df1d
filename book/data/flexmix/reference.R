# Fits the data sets of this folder with flexmix and writes reference.csv.
# Run `Rscript reference.R` here. On Debian, R and the package come with
# `apt-get install r-base-core r-cran-flexmix`.
#
# Two things differ from a plain call of flexmix, so that what is stored is a
# maximum of the likelihood, as exact as it can be had:
#
# 1. FLXMRglm() divides the squared residuals of a component by nrow - p and
#    not by nrow (nrow: all samples, p: coefficients). This sigma is too large
#    by a factor sqrt(nrow / (nrow - p)), and the log-likelihood ends a little
#    below its maximum: 0.004 to 0.010 for these data. Here sigma is that of the
#    maximum. The rows "logLik_as_shipped" say where flexmix ends without this
#    change.
# 2. FLXPmultinom() calls nnet, which stops after 100 steps or at a relative
#    gain of 1e-8. Here it goes on. nnet also depends on the units of its
#    inputs; they are centred and scaled, and the coefficients carried back.

suppressMessages(library(flexmix))

tight <- list(tolerance = 1e-13, iter.max = 20000, minprior = 0)
loose <- list(tolerance = 1e-8, iter.max = 500, minprior = 0)

experts_of_maximum <- function() {
  model <- FLXMRglm()
  model@fit <- function(x, y, w, component) {
    fit <- lm.wfit(x, y, w)
    sigma <- sqrt(sum(w * fit$residuals^2) / sum(w))
    model@defineComponent(list(coef = coef(fit), sigma = sigma, df = ncol(x) + 1))
  }
  model
}

gates_of_maximum <- function(formula) {
  gate <- FLXPmultinom(formula)
  gate_fit <- gate@fit
  gate@fit <- function(x, y, w, ...) {
    if (missing(w)) w <- rep(1, nrow(x))
    gate_fit(x, y, w, maxit = 10000, reltol = 1e-15)
  }
  gate@refit <- function(x, y, w, ...) {
    if (missing(w) || is.null(w)) w <- rep(1, nrow(x))
    nnet::multinom(y ~ 0 + x, weights = w, data = list(y = y, x = x),
                   maxit = 10000, reltol = 1e-15, trace = FALSE)
  }
  gate
}

# The best of 100 random starts, then to the end from there.
climb <- function(table, k, weights, experts, gates) {
  inputs <- setdiff(names(table), c("y", "weight"))
  formula <- reformulate(inputs, "y")
  fit <- function(...) flexmix(formula, table, k = k, weights = weights, model = experts(),
                               concomitant = gates(reformulate(inputs)), ...)
  tries <- lapply(1:100, function(i) try(fit(control = loose), silent = TRUE))
  tries <- Filter(function(one) is(one, "flexmix") && one@k == k, tries)
  values <- sapply(tries, function(one) one@logLik)
  best <- fit(cluster = posterior(tries[[which.max(values)]]), control = tight)
  stopifnot(best@converged)
  list(fit = best, reached = mean(values > best@logLik - 1e-2), starts = length(values))
}

# Coefficients (1 + d, k) in centred and scaled inputs -> in the inputs themselves.
carry_back <- function(coefficients, centre, scale) {
  slopes <- coefficients[-1, , drop = FALSE] / scale
  rbind(coefficients[1, ] - centre %*% slopes, slopes)
}

rows <- function(data, quantity, values, terms = "") {
  values <- as.matrix(values)
  component <- if (length(values) > 1) as.vector(col(values)) else ""
  data.frame(data, quantity, component,
             term = rep(terms, ncol(values)), value = as.vector(values))
}

study <- function(data, k) {
  set.seed(1)
  table <- read.csv(paste0(data, ".csv"), comment.char = "#")
  inputs <- setdiff(names(table), c("y", "weight"))
  centre <- colMeans(table[inputs])
  scale <- apply(table[inputs], 2, sd)
  table[inputs] <- base::scale(table[inputs], centre, scale)
  weights <- if ("weight" %in% names(table)) as.integer(table$weight)
  found <- climb(table, k, weights, experts_of_maximum, gates_of_maximum)
  shipped <- climb(table, k, weights, FLXMRglm, FLXPmultinom)
  fit <- found$fit
  cat(sprintf("%s: logLik %.6f, as shipped %.6f; %d steps; %.0f %% of %d starts\n", data,
              fit@logLik, shipped$fit@logLik, fit@iter, 100 * found$reached, found$starts))
  values <- parameters(fit)
  terms <- c("intercept", inputs)
  experts <- carry_back(values[-nrow(values), ], centre, scale)
  gates <- carry_back(parameters(fit, which = "concomitant"), centre, scale)
  rbind(rows(data, "k", k), rows(data, "logLik", fit@logLik), rows(data, "df", fit@df),
        rows(data, "BIC", BIC(fit)), rows(data, "logLik_as_shipped", shipped$fit@logLik),
        rows(data, "expert", experts, terms), rows(data, "gate", gates, terms),
        rows(data, "sigma", t(values[nrow(values), ])))
}

sets <- c(crossing = 2, fan = 2, three = 3, years = 2, units = 2)
reference <- do.call(rbind, Map(study, names(sets), sets))
reference$value <- formatC(reference$value, digits = 12, format = "g", width = 1)
header <- c("# Maxima of the likelihood found by flexmix; made by reference.R.",
            paste("#", R.version.string),
            paste0("# flexmix ", packageVersion("flexmix"), ", nnet ", packageVersion("nnet")))
writeLines(header, "reference.csv")
suppressWarnings(write.table(reference, "reference.csv", append = TRUE, sep = ",",
                             quote = FALSE, row.names = FALSE))
