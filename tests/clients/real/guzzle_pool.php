<?php
// Guzzle's pool: six calls, three at a time. Usage: php guzzle_pool.php URL
// SPDX-License-Identifier: MIT
require 'GuzzleHttp/autoload.php';

use GuzzleHttp\Psr7\Request;

$requests = function () use ($argv) {
    for ($i = 0; $i < 6; $i++) {
        $body = json_encode(['messages' => [['role' => 'user', 'content' => "Question $i"]]]);
        yield new Request('POST', $argv[1], ['Content-Type' => 'application/json'], $body);
    }
};

$told = [];
$pool = new GuzzleHttp\Pool(new GuzzleHttp\Client(), $requests(), [
    'concurrency' => 3,
    'fulfilled' => function ($response, $index) use (&$told) {
        $told[$index] = $response->getStatusCode() . "\n";
        foreach ($response->getHeaders() as $name => $values) {
            $told[$index] .= $name . ': ' . implode(', ', $values) . "\n";
        }
        $told[$index] .= $response->getBody() . "\n";
    },
    'rejected' => function ($reason, $index) use (&$told) {
        $told[$index] = get_class($reason) . ' ' . $reason->getMessage() . "\n";
    },
]);
$pool->promise()->wait();
ksort($told);
echo implode('', $told);
