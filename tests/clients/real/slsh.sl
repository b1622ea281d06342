% S-Lang's curl module, one call with a callback. Usage: slsh slsh.sl URL
% SPDX-License-Identifier: MIT
require ("curl");

private define take (data, bytes)
{
   () = fputs (bytes, stdout);
   return 0;
}

define slsh_main ()
{
   variable handle = curl_new (__argv[1]);
   curl_setopt (handle, CURLOPT_POSTFIELDS, "{\"messages\":[{\"role\":\"user\",\"content\":\"From S-Lang\"}]}");
   curl_setopt (handle, CURLOPT_WRITEFUNCTION, &take, NULL);
   curl_perform (handle);
}
