# file(DOWNLOAD), which can only GET. Usage: cmake -P download.cmake URL
# SPDX-License-Identifier: MIT
file(DOWNLOAD "${CMAKE_ARGV3}" "$ENV{HOME}/downloaded" STATUS status HTTPHEADER "Accept: application/json" TIMEOUT 30)
file(READ "$ENV{HOME}/downloaded" body)
file(REMOVE "$ENV{HOME}/downloaded")
message(STATUS "${status}")
message(STATUS "${body}")
