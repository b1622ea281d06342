# R's curl package, five calls at once, one of them streamed. Usage: Rscript r_curl_multi.R URL
# SPDX-License-Identifier: MIT
library(curl)

url <- commandArgs(TRUE)[1]
# Else all wait for the first connection, and what they then open is up to when its answer comes.
pool <- new_pool(multiplex = FALSE)
told <- list()
pieces <- list()
for (i in 1:5) local({
  i <- i
  stream <- if (i == 5) "true" else "false"
  handle <- new_handle(url = url)
  handle_setheaders(handle, "Content-Type" = "application/json")
  handle_setopt(handle, copypostfields = sprintf('{"stream":%s,"messages":[{"role":"user","content":"Question %d"}]}', stream, i))
  multi_add(handle, pool = pool,
    done = function(answer) told[[i]] <<- c(answer$status_code, rawToChar(answer$headers), rawToChar(answer$content)),
    fail = function(message) told[[i]] <<- message,
    data = if (i == 5) function(bytes, ...) pieces[[length(pieces) + 1]] <<- rawToChar(bytes))
})
done <- multi_run(pool = pool)
cat(done$success, done$error, done$pending, "\n")
for (lines in told) cat(lines, sep = "\n")
for (piece in pieces) cat("chunk of", nchar(piece), "\n", piece)
