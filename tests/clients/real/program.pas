{ Free Pascal's unit libcurl: one call with a callback. Usage: program-pas URL
  SPDX-License-Identifier: MIT }
program asks;
uses libcurl;

function take(bytes: PAnsiChar; size, count: SizeUInt; context: Pointer): SizeUInt; cdecl;
var
  text: AnsiString;
begin
  SetString(text, bytes, size * count);
  Write(text);
  take := size * count;
end;

var
  handle: PCURL;
  url, body: AnsiString;
begin
  url := ParamStr(1);
  body := '{"messages":[{"role":"user","content":"From Pascal"}]}';
  handle := curl_easy_init;
  curl_easy_setopt(handle, CURLOPT_URL, [PAnsiChar(url)]);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, [PAnsiChar(body)]);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, [@take]);
  WriteLn(Ord(curl_easy_perform(handle)));
end.
