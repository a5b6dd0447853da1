# Numbers of R's own statistics and of its package shapes, with which the tests compare ours.
#
# Rscript tests/morphometrics/reference/procgpa.R > tests/morphometrics/reference/procgpa.csv
#
# Written by R 4.2.2 with shapes 1.2.7 (Debian packages r-base-core and r-cran-shapes). The data are made here.
# Columns: what, then its values in R's order (the first subscript runs fastest).
options(rgl.useNULL = TRUE)
suppressPackageStartupMessages(library(shapes))

say <- function(what, values) cat(paste(c(what, trimws(formatC(as.vector(values), digits = 15, format = "g"))), collapse = ","), "\n", sep = "")

# 18 specimens of two groups, 6 landmarks, any pose; a second set that is drawn to the mean, biased and noisy.
set.seed(20)
n <- 18; k <- 6
group <- rep(c("a", "b"), c(8, 10))
base <- matrix(c(0, 0, 40, -8, 75, 10, 80, 45, 35, 60, -6, 38), k, 2, byrow = TRUE)
change <- matrix(rnorm(2 * k), k, 2)
growth <- matrix(rnorm(2 * k), k, 2)
times <- exp(rnorm(n, 2, 0.3))
manual <- predicted <- array(0, c(k, 2, n))
for (i in 1:n) {
  shape <- base + (group[i] == "b") * 2 * change + 3 * log(times[i]) * growth + rnorm(2 * k, 0, 1.5)
  angle <- runif(1, -pi, pi)
  turn <- matrix(c(cos(angle), sin(angle), -sin(angle), cos(angle)), 2, 2)
  shift <- matrix(rnorm(2, 1000, 200), k, 2, byrow = TRUE)
  manual[, , i] <- round(times[i] * shape %*% turn + shift, 2)
  seen <- shape + 0.5 * growth + rnorm(2 * k, 0, 0.8)
  predicted[, , i] <- round(times[i] * seen %*% turn + shift, 2)
}
say("manual", manual)
say("predicted", predicted)

# Partial Procrustes superimposition: unit centroid size beforehand, none afterwards.
sizes <- function(x) apply(x, 3, centroid.size)
unit <- function(x) sweep(x, 3, sizes(x), "/")
both <- procGPA(array(c(unit(manual), unit(predicted)), c(k, 2, 2 * n)), scale = FALSE, tol1 = 1e-14, tol2 = 1e-14)
alone <- procGPA(unit(manual), scale = FALSE, tol1 = 1e-14, tol2 = 1e-14)
say("manual_sizes", sizes(manual))
say("predicted_sizes", sizes(predicted))
say("mean", alone$mshape)
say("rho", alone$rho)
say("percent", alone$percent)
say("both_mean", both$mshape)
flat <- t(apply(both$rotated, 3, as.vector))
first <- flat[1:n, ]; second <- flat[n + 1:n, ]

# Distance between the mean shapes, and the sum of squares between the two sets, paired by specimen.
say("mean_distance", procdist(procGPA(unit(manual))$mshape, procGPA(unit(predicted))$mshape, type = "partial"))
specimen <- gl(n, 1, 2 * n); set <- gl(2, n)
table <- Reduce(`+`, lapply(1:(2 * k), function(j) anova(lm(flat[, j] ~ specimen + set))[, "Sum Sq"]))
say("anova_ss", table)

# Goodall's test for two independent groups (shapes), and the same sum of squares by lm on superimposed coordinates.
goodall <- NULL
invisible(capture.output(goodall <- suppressWarnings(
  testmeanshapes(manual[, , group == "a"], manual[, , group == "b"], resamples = 0))))
say("goodall_f", goodall$G)
one_term <- function(y, x) Reduce(`+`, lapply(1:(2 * k), function(j) anova(lm(y[, j] ~ x))[, "Sum Sq"]))
say("group_ss_manual", one_term(first, group))
say("group_ss_predicted", one_term(second, group))
slopes <- function(y, x) apply(y, 2, function(column) coef(lm(column ~ x))[2])
log_manual <- log(sizes(manual)); log_predicted <- log(sizes(predicted))
say("allometry_ss_manual", one_term(first, log_manual))
say("allometry_ss_predicted", one_term(second, log_predicted))
u <- slopes(first, log_manual); v <- slopes(second, log_predicted)
say("allometry_angle", acos(sum(u * v) / sqrt(sum(u^2) * sum(v^2))) * 180 / pi)
say("allometry_ratio", sqrt(sum(v^2) / sum(u^2)))

# Pairwise distances, principal components.
say("mantel_r", cor(dist(first), dist(second)))
components <- prcomp(first)
say("pc_share", (components$sdev^2 / sum(components$sdev^2))[1:4])
scores <- components$x[, 1:4]
guesses <- sweep(second, 2, components$center) %*% components$rotation[, 1:4]
say("pc_r", sapply(1:4, function(j) cor(scores[, j], guesses[, j])))
say("pc_slope", sapply(1:4, function(j) coef(lm(guesses[, j] ~ scores[, j]))[2]))

# Repeatability with unequal repeats: mean squares of an analysis of variance, over all coordinates.
repeats <- rep(1:7, c(3, 2, 2, 4, 2, 3, 2))
say("repeats_ss", one_term(flat[1:18, ], factor(repeats)))

# Landmark 3 alone, px: Hotelling's test of bias, two one-sided tests, and one-sided tests of all errors, Holm.
d <- t(predicted[3, , ] - manual[3, , ])
hotelling <- anova(lm(d ~ 1), test = "Hotelling")
say("hotelling_f", hotelling[1, "approx F"])
say("hotelling_p", hotelling[1, "Pr(>F)"])
say("scatter_sd", prcomp(d)$sdev)
errors <- t(sapply(1:n, function(i) sqrt(rowSums((predicted[, , i] - manual[, , i])^2))))
say("noninferior_p", sapply(1:k, function(j) t.test(errors[, j], mu = 12, alternative = "less")$p.value))
say("noninferior_upper", sapply(1:k, function(j) t.test(errors[, j], mu = 12, alternative = "less")$conf.int[2]))
say("noninferior_log_p", sapply(1:k, function(j) t.test(log(errors[, j]), mu = log(12), alternative = "less")$p.value))
say("noninferior_holm", p.adjust(sapply(1:k, function(j) t.test(errors[, j], mu = 12, alternative = "less")$p.value), "holm"))
tost <- function(x, margin) max(t.test(x, mu = margin, alternative = "less")$p.value,
                                t.test(x, mu = -margin, alternative = "greater")$p.value)
say("tost_p", c(tost(d[, 1], 5), tost(d[, 2], 5)))
say("size_limits", mean(sizes(predicted) - sizes(manual)) + c(-1.96, 1.96) * sd(sizes(predicted) - sizes(manual)))
