# Curb, one call by its easy interface, and one by its multi. Usage: ruby curb.rb URL
# SPDX-License-Identifier: MIT
require 'curb'

call = Curl::Easy.new(ARGV[0])
call.headers['Content-Type'] = 'application/json'
call.http_post('{"messages":[{"role":"user","content":"From curb"}]}')
puts call.response_code, call.body_str
Curl::Multi.post([{ url: ARGV[0], post_fields: { 'prompt' => 'From many' } }], {}, {}) { |done, *| puts done.response_code, done.body_str }
