<?php
// PHP's curl_multi with curl_multi_select(): five calls at once, one of them streamed. Usage: php curl_multi.php URL
// SPDX-License-Identifier: MIT
$multi = curl_multi_init();
$handles = $headers = $chunks = [];
for ($i = 0; $i < 5; $i++) {
    $handles[$i] = $handle = curl_init($argv[1]);
    $headers[$i] = '';
    $chunks[$i] = [];
    curl_setopt_array($handle, [
        CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
        CURLOPT_POSTFIELDS => json_encode(['stream' => $i == 4, 'messages' => [['role' => 'user', 'content' => "Question $i"]]]),
        CURLOPT_HEADERFUNCTION => function ($handle, $line) use (&$headers, $i) {
            $headers[$i] .= $line;
            return strlen($line);
        },
        CURLOPT_WRITEFUNCTION => function ($handle, $bytes) use (&$chunks, $i) {
            $chunks[$i][] = $bytes;
            return strlen($bytes);
        },
    ]);
    curl_multi_add_handle($multi, $handle);
}

$results = [];
do {
    $code = curl_multi_exec($multi, $running);
    while ($done = curl_multi_info_read($multi)) {
        $results[array_search($done['handle'], $handles, true)] = $done['result'];
    }
    if ($running) {
        curl_multi_select($multi, 1.0);
    }
} while ($running && $code == CURLM_OK);

foreach ($handles as $i => $handle) {
    echo $headers[$i], implode("\n|", $chunks[$i]), "\n";
    echo $results[$i], ' ', curl_getinfo($handle, CURLINFO_RESPONSE_CODE), ' ', curl_error($handle), "\n";
    curl_multi_remove_handle($multi, $handle);
}
curl_multi_close($multi);
