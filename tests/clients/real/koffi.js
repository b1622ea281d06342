// Node's koffi: one call that libcurl writes out itself. Usage: node koffi.js URL
// SPDX-License-Identifier: MIT
const koffi = require('koffi');

const libcurl = koffi.load('libcurl.so.4');
const init = libcurl.func('void *curl_easy_init()');
const setopt = libcurl.func('int curl_easy_setopt(void *handle, int option, ...)');
const perform = libcurl.func('int curl_easy_perform(void *handle)');
const flush = koffi.load('libc.so.6').func('int fflush(void *stream)');

const handle = init();
setopt(handle, 10002, 'str', process.argv[2]);
setopt(handle, 10165, 'str', '{"messages":[{"role":"user","content":"From Node"}]}');
const result = perform(handle);
flush(null);
console.log(result);
