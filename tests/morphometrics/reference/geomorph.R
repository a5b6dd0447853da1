# Procrustes ANOVA as geomorph prints it, of the configurations made by procgpa.R: individual + method, and groups.
#
# Rscript tests/morphometrics/reference/geomorph.R FOLDER > tests/morphometrics/reference/geomorph.csv
#
# FOLDER holds procD.lm.r and geomorph.support.code.r of geomorph 2.1.5 (CRAN, May 2015), whose procD.lm needs nothing but
# R's lm; Debian has no package of it. Written by R 4.2.2 from a transcript of the functions used, which is not kept here.
# pgpa superimposes until the sum of all distances changes by less than 1e-4: sums of squares to about 1e-6 of theirs.
# Columns: what, df, SS, MS, Rsq, F; the residual has the first three, the total the first two.
for (file in list.files(commandArgs(TRUE)[1], "^(procD.lm|geomorph.support.code).r$", full.names = TRUE)) source(file)

sets <- do.call(rbind, strsplit(readLines("tests/morphometrics/reference/procgpa.csv", n = 2), ","))
stopifnot(sets[, 1] == c("manual", "predicted"))
both <- array(as.numeric(t(sets[, -1])), c(6, 2, 36))
specimen <- gl(18, 1, 36); method <- gl(2, 18)
group <- factor(rep(c("a", "b"), c(8, 10)))

say <- function(what, table) for (row in 1:nrow(table)) {
  values <- Filter(function(value) !is.na(value), unlist(table[row, c("df", "SS", "MS", "Rsq", "F")]))
  cat(paste(c(paste(what, rownames(table)[row]), trimws(formatC(values, digits = 10, format = "g"))), collapse = ","), "\n", sep = "")
}
flat <- function(shapes) t(apply(shapes, 3, as.vector))

shapes <- pgpa(both)$rotated
coords <- flat(shapes)
say("shapes", procD.lm(coords ~ specimen + method, iter = 1))
coords <- flat(orp(shapes))
say("projected", procD.lm(coords ~ specimen + method, iter = 1))
first <- coords[1:18, ]
say("groups", procD.lm(first ~ group, iter = 1))
