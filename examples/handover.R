# Landmarks that pronotum has placed, in R. With base R: coordinates, mean form, centroid sizes. With geomorph, where it is
# installed: superimposition and principal components.
#
#   Rscript handover.R FOLDER        FOLDER has predictions.tps and covariates.csv

folder <- c(commandArgs(trailingOnly = TRUE), "handover")[1]

# A TPS file that pronotum has written: LM=, coordinates, IMAGE=, ID=, SCALE=. Returns landmarks x 2 x specimens, in units of SCALE
# (here mm), y up; NA = missing.
read_tps <- function(path) {
  lines <- trimws(readLines(path))
  start <- grep("^LM=", lines)
  n <- as.integer(sub("LM=", "", lines[start]))
  stopifnot(length(unique(n)) == 1)
  end <- c(start[-1] - 1, length(lines))
  one <- function(i) {
    record <- lines[start[i]:end[i]]
    value <- function(key) sub(paste0(key, "="), "", grep(paste0("^", key, "="), record, value = TRUE))
    numbers <- suppressWarnings(as.numeric(unlist(strsplit(record[2:(n[1] + 1)], " +"))))
    scale <- as.numeric(value("SCALE"))
    list(
      points = matrix(numbers, ncol = 2, byrow = TRUE) * ifelse(length(scale) == 1, scale, 1),
      image = value("IMAGE")
    )
  }
  records <- lapply(seq_along(start), one)
  coords <- simplify2array(lapply(records, function(r) r$points))
  dimnames(coords)[[3]] <- vapply(records, function(r) r$image, "")
  coords
}

coords <- read_tps(file.path(folder, "predictions.tps"))
table <- read.csv(file.path(folder, "covariates.csv"))
table <- table[match(dimnames(coords)[[3]], table$image), ]
stopifnot(!anyNA(table$image))

centroid_size <- apply(coords, 3, function(p) sqrt(sum(scale(p, scale = FALSE)^2, na.rm = TRUE)))
cat(dim(coords)[3], "specimens of", dim(coords)[1], "landmarks\n")
cat("mean centroid size by sex, mm:\n")
print(round(tapply(centroid_size, table$sex, mean), 3))
write.csv(cbind(table, centroid_size), file.path(folder, "sizes.csv"), row.names = FALSE)

complete <- coords[, , !apply(is.na(coords), 3, any)]
if (requireNamespace("geomorph", quietly = TRUE)) {
  gpa <- geomorph::gpagen(complete, print.progress = FALSE)
  print(summary(geomorph::gm.prcomp(gpa$coords)))
} else {
  cat("geomorph is not installed: no superimposition\n")
}
