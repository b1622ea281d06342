# Ethon's Easy, which reaches libcurl by FFI, two calls on one handle: an answer, then a streamed one. Usage: ethon.rb URL
# SPDX-License-Identifier: MIT
require 'ethon'
require 'json'

def tell(easy, bytes)
  puts easy.response_headers, bytes, easy.return_code, easy.response_code, easy.primary_ip
end

messages = [{ role: 'user', content: 'From Ruby' }]
headers = { 'Content-Type' => 'application/json' }
easy = Ethon::Easy.new
easy.http_request(ARGV[0], :post, body: JSON.dump(messages: messages), headers: headers)
easy.perform
tell(easy, easy.response_body)

easy.reset
chunks = []
easy.http_request(ARGV[0], :post, body: JSON.dump(stream: true, messages: messages), headers: headers)
easy.on_body { |chunk| chunks << chunk.dup }
easy.perform
tell(easy, chunks.map { |chunk| "chunk of #{chunk.bytesize}\n#{chunk}" })
