# R's httr: an answer, then a streamed one, in the pieces that R makes. Usage: Rscript httr.R URL
# SPDX-License-Identifier: MIT
library(httr)

url <- commandArgs(TRUE)[1]
messages <- list(list(role = "user", content = "From httr"))
tell <- function(answer) {
  cat(status_code(answer), "\n")
  for (name in names(headers(answer))) cat(name, ": ", headers(answer)[[name]], "\n", sep = "")
}

answer <- POST(url, body = list(messages = messages), encode = "json", add_headers(Authorization = "Bearer test-credential-alpha"))
tell(answer)
cat(content(answer, "text", encoding = "UTF-8"), "\n")
tell(POST(url, body = list(stream = TRUE, messages = messages), encode = "json",
  write_stream(function(bytes) cat(rawToChar(bytes)))))
