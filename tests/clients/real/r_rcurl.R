# RCurl: one call. Usage: Rscript r_rcurl.R URL
# SPDX-License-Identifier: MIT
library(RCurl)

cat(postForm(commandArgs(TRUE)[1], .opts = list(
  postfields = '{"messages":[{"role":"user","content":"From RCurl"}]}',
  httpheader = c("Content-Type" = "application/json"))), "\n")
