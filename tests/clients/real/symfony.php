<?php
// Symfony's CurlHttpClient: two calls at once, one of them streamed. Usage: php symfony.php URL
// SPDX-License-Identifier: MIT
require 'Symfony/Component/HttpClient/autoload.php';

use Symfony\Component\HttpClient\CurlHttpClient;

$client = new CurlHttpClient();
$responses = [];
foreach ([false, true] as $stream) {
    $responses[] = $client->request('POST', $argv[1], [
        'json' => ['stream' => $stream, 'messages' => [['role' => 'user', 'content' => 'From Symfony']]],
    ]);
}
foreach ($responses as $response) {
    echo $response->getStatusCode(), "\n", $response->getHeaders()['content-type'][0], "\n", $response->getContent(), "\n";
}
