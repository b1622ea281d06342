<?php
// pecl_http's client: one call. Usage: php pecl_http.php URL
// SPDX-License-Identifier: MIT
$request = new http\Client\Request('POST', $argv[1], ['Content-Type' => 'application/json']);
$request->getBody()->append('{"messages":[{"role":"user","content":"From pecl_http"}]}');
$client = new http\Client();
$client->enqueue($request)->send();
$response = $client->getResponse();
echo $response->getResponseCode(), "\n", $response->getBody(), "\n";
