<?php
// easy.php HTTP_PORT TLS_PORT: a bad day of ext/curl.
// SPDX-License-Identifier: MIT
[, $port, $tls_port] = $argv;
$http = "http://127.0.0.1:$port/v1/chat/completions";
$tls = "https://127.0.0.1:$tls_port/v1/chat/completions";

function ask(string $url, array $options = [], string $body = '{"model":"m"}'): void
{
    $show = function (string $what) {
        return function ($handle, string $data) use ($what): int {
            printf("  %s %d %s\n", $what, strlen($data), md5($data));
            return strlen($data);
        };
    };
    $handle = curl_init($url);
    curl_setopt_array($handle, [
        CURLOPT_POSTFIELDS => $body,
        CURLOPT_WRITEFUNCTION => $show('write'),
        CURLOPT_HEADERFUNCTION => $show('header'),
    ] + $options);
    echo "$url\n";
    var_dump(curl_exec($handle));
    printf("  %d %s\n", curl_errno($handle), curl_error($handle));
    echo json_encode(curl_getinfo($handle), JSON_PRETTY_PRINT), "\n";
    curl_close($handle);
}

$trusted = [CURLOPT_CAINFO => getenv('CURL_CA_BUNDLE')];
for ($i = 0; $i < 3; $i++) {
    ask("$http?mock=fail_first%3D2:429");
}
ask("$http?mock=chunk_delay_ms%3D30", [], '{"stream":true}');
ask("$http?mock=latency_ms%3D3000", [CURLOPT_TIMEOUT_MS => 200]);
ask("$http?mock=stall_ms%3D3000,size%3D20000", [CURLOPT_TIMEOUT_MS => 300]);
ask("$http?mock=status%3D500", [CURLOPT_FAILONERROR => true]);
ask("$http?mock=reset%3Dbody,size%3D20000");
ask("$http?mock=reset%3Dheaders");
ask("$http?mock=truncate%3D2,size%3D20000");
ask("$http?mock=encoding%3Dgzip", [CURLOPT_ENCODING => '']);
ask("$http?mock=redirect%3D/v1/messages", [CURLOPT_FOLLOWLOCATION => true]);
ask('http://no-such-name.invalid/');
ask('http://127.0.0.1:1/');
ask($tls, $trusted);
ask($tls, [CURLOPT_CAINFO => '/dev/null']);
ask("$http?mock=size%3D50000", [CURLOPT_WRITEFUNCTION => fn($handle, $data) => 0]);
