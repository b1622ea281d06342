<?php
// Guzzle, synchronous: two calls of one client. Usage: php guzzle.php URL
// SPDX-License-Identifier: MIT
require 'GuzzleHttp/autoload.php';

$client = new GuzzleHttp\Client(['http_errors' => false, 'headers' => ['Authorization' => 'Bearer test-credential-alpha']]);
foreach (['first', 'second'] as $question) {
    $response = $client->post($argv[1], ['json' => ['messages' => [['role' => 'user', 'content' => $question]]]]);
    echo $response->getStatusCode(), ' ', $response->getReasonPhrase(), ' ', $response->getProtocolVersion(), "\n";
    foreach ($response->getHeaders() as $name => $values) {
        echo $name, ': ', implode(', ', $values), "\n";
    }
    echo $response->getBody(), "\n";
}
