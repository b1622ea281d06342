<?php
// PHP's curl_exec(), two calls on one handle: an answer, then a streamed one. Usage: php curl_easy.php URL
// SPDX-License-Identifier: MIT
$handle = curl_init($argv[1]);
curl_setopt_array($handle, [
    CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Authorization: Bearer test-credential-alpha'],
    CURLOPT_TIMEOUT => 30,
    CURLOPT_HEADERFUNCTION => function ($handle, $line) {
        echo $line;
        return strlen($line);
    },
]);
if (getenv('CURL_CA_BUNDLE')) {
    curl_setopt($handle, CURLOPT_CAINFO, getenv('CURL_CA_BUNDLE'));
}

function tell($handle)
{
    foreach ([CURLINFO_RESPONSE_CODE, CURLINFO_CONTENT_TYPE, CURLINFO_EFFECTIVE_URL, CURLINFO_PRIMARY_IP] as $info) {
        echo curl_getinfo($handle, $info), "\n";
    }
    echo curl_errno($handle), curl_error($handle), "\n";
}

$messages = [['role' => 'user', 'content' => 'From PHP']];
curl_setopt($handle, CURLOPT_POSTFIELDS, json_encode(['messages' => $messages]));
curl_setopt($handle, CURLOPT_RETURNTRANSFER, true);
echo curl_exec($handle), "\n";
tell($handle);

curl_setopt($handle, CURLOPT_POSTFIELDS, json_encode(['stream' => true, 'messages' => $messages]));
curl_setopt($handle, CURLOPT_WRITEFUNCTION, function ($handle, $bytes) {
    echo 'chunk of ', strlen($bytes), "\n", $bytes;
    return strlen($bytes);
});
var_dump(curl_exec($handle));
tell($handle);
