# R's curl package, one call after the other: an answer, then a streamed one, in the pieces that R makes. Usage: Rscript r_curl.R URL
# SPDX-License-Identifier: MIT
library(curl)

url <- commandArgs(TRUE)[1]
ask <- function(stream) {
  handle <- new_handle()
  handle_setheaders(handle, "Content-Type" = "application/json")
  handle_setopt(handle, copypostfields = sprintf('{"stream":%s,"messages":[{"role":"user","content":"From R"}]}', stream))
  handle
}
tell <- function(answer) {
  cat(answer$status_code, answer$type, "\n")
  cat(rawToChar(answer$headers))
}

answer <- curl_fetch_memory(url, ask("false"))
tell(answer)
cat(rawToChar(answer$content), "\n")
tell(curl_fetch_stream(url, function(bytes) cat(rawToChar(bytes)), ask("true")))
