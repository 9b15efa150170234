# SPDX-License-Identifier: GPL-2.0-or-later
# steps.R - statistics, forked workers, pipes; until there is ./go
suppressMessages(library(parallel))
set.seed(1)
step <- function(n) {
	x <- (1:5000 * (n + 3)) %% 101
	y <- x * 2 + (1:5000 %% 7)
	fit <- lm(y ~ x)
	m <- matrix((1:10000 * (n + 1)) %% 97, 100)
	parts <- unlist(mclapply(1:4, function(k) sum(m[k, ]^k) %% 1000003,
				 mc.cores = 2))
	p <- pipe(sprintf("seq 1 %d | sort -rn", n + 10))
	lines <- readLines(p)
	close(p)
	sprintf("%.6f %.3f %s %s %d", coef(fit)[2], sum(solve(m + diag(1e4, 100))) * 1e6,
		paste(parts, collapse = "+"), lines[1], length(lines))
}
seen <- character()
acc <- 1
i <- 0
while (i < 30 || !file.exists("go")) {
	n <- i %% 30
	result <- step(n)
	if (i < 30) {
		seen[n + 1] <- result
		acc <- (acc * 69069 + sum(utf8ToInt(result)) +
			floor(runif(1) * 1000)) %% 2^31
		cat(sprintf("%d: %s: %.0f\n", i, result, acc))
	} else if (seen[n + 1] != result) {
		cat(sprintf("wrong: %d: %s, %s\n", n, seen[n + 1], result))
	}
	i <- i + 1
}
cat(sprintf("end: %.0f\n", acc))
