# Typhoeus' hydra, five calls at once, one of them streamed. Usage: typhoeus.rb URL
# SPDX-License-Identifier: MIT
$VERBOSE = nil # the MIME types that it loads warn of each other, at random
require 'json'
require 'typhoeus'

hydra = Typhoeus::Hydra.new
calls = (0...5).map do |i|
  body = JSON.dump(stream: i == 4, messages: [{ role: 'user', content: "Question #{i}" }])
  request = Typhoeus::Request.new(ARGV[0], method: :post, body: body, headers: { 'Content-Type' => 'application/json' })
  chunks = []
  request.on_body { |chunk| chunks << chunk.dup } if i == 4
  hydra.queue(request)
  [request, chunks]
end
hydra.run

calls.each do |request, chunks|
  response = request.response
  puts response.return_code, response.code, response.response_headers, response.body
  chunks.each { |chunk| puts "chunk of #{chunk.bytesize}", chunk }
end
