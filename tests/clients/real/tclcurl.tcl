# TclCurl: one call. Usage: tclsh tclcurl.tcl URL
# SPDX-License-Identifier: MIT
package require TclCurl

set handle [curl::init]
$handle configure -url [lindex $argv 0] -httpheader {{Content-Type: application/json}} -bodyvar body \
  -postfields {{"messages":[{"role":"user","content":"From Tcl"}]}}
puts [$handle perform]
puts [$handle getinfo responsecode]
puts $body
