# Perl's WWW::Curl::Multi, which polls with sleep() since it has no wait call: five calls at once. Usage: www_curl_multi.pl URL
# SPDX-License-Identifier: MIT
use strict;
use warnings;
use WWW::Curl::Easy;
use WWW::Curl::Multi;

my $multi = WWW::Curl::Multi->new;
my (%easy, %headers, %bodies, %results);
for my $i (1 .. 5) {
    my $curl = $easy{$i} = WWW::Curl::Easy->new;
    $bodies{$i} = $headers{$i} = '';
    open(my $body, '>', \$bodies{$i});
    open(my $header, '>', \$headers{$i});
    $curl->setopt(CURLOPT_PRIVATE, $i);
    $curl->setopt(CURLOPT_URL, $ARGV[0]);
    $curl->setopt(CURLOPT_HTTPHEADER, ['Content-Type: application/json']);
    $curl->setopt(CURLOPT_POSTFIELDS, qq({"messages":[{"role":"user","content":"Question $i"}]}));
    $curl->setopt(CURLOPT_WRITEDATA, $body);
    $curl->setopt(CURLOPT_WRITEHEADER, $header);
    $multi->add_handle($curl);
}

while (keys %results < keys %easy) {
    $multi->perform;
    while (my ($id, $result) = $multi->info_read) {
        last unless $id;
        $results{$id} = $result;
    }
    select(undef, undef, undef, 0.002);
}
for my $i (sort keys %easy) {
    print $headers{$i}, $bodies{$i}, "\n", $results{$i}, ' ', $easy{$i}->getinfo(CURLINFO_RESPONSE_CODE), "\n";
}
