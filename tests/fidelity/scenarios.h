/* SPDX-License-Identifier: MIT */
/*
 * The scenarios: X(name, function, members of struct scenario...). One list for each file of cases.
 */
#ifndef FIDELITY_SCENARIOS_H
#define FIDELITY_SCENARIOS_H

#include "tests/fidelity/scenario.h"

#define BODY_SCENARIOS(X)                                                                                    \
  X(body_of_five_bytes, body_of_length, .number = 5)                                                         \
  X(body_of_one_call, body_of_length, .number = 16384)                                                       \
  X(body_of_one_call_and_a_byte, body_of_length, .number = 16385)                                            \
  X(body_of_many_calls, body_of_length, .number = 100000)                                                    \
  X(body_of_a_megabyte, body_of_length, .number = 1048576)                                                   \
  X(body_empty, body_empty)                                                                                  \
  X(body_of_204, body_of_204)                                                                                \
  X(body_in_chunks, body_in_chunks)                                                                          \
  X(body_in_pieces_with_time_between, body_in_pieces)                                                        \
  X(body_until_close, body_until_close)                                                                      \
  X(body_to_stdout, body_to_stdout)                                                                          \
  X(body_to_a_file, body_to_file)                                                                            \
  X(body_with_zero_bytes, body_with_zeros)                                                                   \
  X(body_to_a_small_buffer, body_to_buffer, .number = 1024)                                                  \
  X(body_to_a_large_buffer, body_to_buffer, .number = 102400)                                                \
  X(body_not_asked_for, body_nobody, .rule = "method=HEAD")                                                  \
  X(body_of_get, body_of_get, .rule = "method=GET")                                                          \
  X(body_taken_by_two_functions, body_changes_hands)

#define HEADER_SCENARIOS(X)                                                                                  \
  X(headers_plain, headers_plain)                                                                            \
  X(headers_many, headers_many)                                                                              \
  X(headers_long_line, headers_long_line)                                                                    \
  X(headers_folded, headers_folded)                                                                          \
  X(headers_folded_in_body, headers_folded_in_body)                                                          \
  X(headers_in_body, headers_in_body)                                                                        \
  X(headers_in_body_only, headers_in_body_only)                                                              \
  X(headers_to_data_only, headers_to_data_only)                                                              \
  X(headers_to_a_file, headers_to_a_file)                                                                    \
  X(headers_to_nobody, headers_to_nobody)                                                                    \
  X(headers_status_words, headers_status_words)                                                              \
  X(headers_no_status_words, headers_no_status_words)                                                        \
  X(headers_of_http_10, headers_of_http_10)                                                                  \
  X(headers_bare_newlines, headers_bare_newlines)                                                            \
  X(headers_continue, headers_continue)                                                                      \
  X(headers_early_hints, headers_early_hints)                                                                \
  X(headers_trailers, headers_trailers)                                                                      \
  X(headers_trailers_after_nothing, headers_trailers_after_nothing)                                          \
  X(headers_trailers_in_callback, headers_trailers_in_callback)                                              \
  X(headers_trailers_in_body, headers_trailers_in_body)                                                      \
  X(headers_trailer_refused, headers_trailer_refused, .settled = true)                                       \
  X(headers_in_pieces, headers_in_pieces)                                                                    \
  X(headers_code_in_callback, headers_code_in_callback)                                                      \
  X(headers_code_in_write, headers_code_in_write)                                                            \
  X(infos_in_header_callback, infos_in_header_callback)                                                      \
  X(infos_in_write_callback, infos_in_write_callback)                                                        \
  X(infos_in_write_callback_of_chunks, infos_in_write_callback_of_chunks)

#define INFO_SCENARIOS(X)                                                                                    \
  X(infos_of_a_fresh_handle, infos_of_a_fresh_handle)                                                        \
  X(infos_after_success, infos_after_success)                                                                \
  X(infos_of_chunked, infos_of_chunked)                                                                      \
  X(infos_without_type, infos_without_type)                                                                  \
  X(infos_with_parameters, infos_with_parameters)                                                            \
  X(infos_of_retry_after, infos_of_retry_after, .rule = "status=200-599")                                    \
  X(infos_of_retry_after_in_success, infos_of_retry_after_in_success)                                        \
  X(infos_of_authentication, infos_of_authentication, .rule = "status=200-599")                              \
  X(infos_of_201, infos_with_status, .number = 201)                                                          \
  X(infos_of_299, infos_with_status, .number = 299)                                                          \
  X(infos_of_404, infos_with_status, .number = 404, .rule = "status=200-599")                                \
  X(infos_of_429, infos_with_status, .number = 429, .rule = "status=200-599")                                \
  X(infos_of_500, infos_with_status, .number = 500, .rule = "status=200-599")                                \
  X(infos_of_a_500_that_is_no_answer, infos_with_status, .number = 500, .way = WAY_LIVE,                     \
    .why = "a failure is no answer, unless status= says so")                                                 \
  X(infos_of_file_time, infos_of_file_time, .way = WAY_TRANSPORT, .option = "FILETIME",                      \
    .why = "wants the remote time")                                                                          \
  X(infos_of_time_not_asked, infos_of_time_not_asked)                                                        \
  X(infos_private, infos_private)                                                                            \
  X(infos_of_referer, infos_of_referer)                                                                      \
  X(infos_of_the_second_call, infos_of_the_second_call)                                                      \
  X(infos_after_a_refused_connection, infos_after_a_refused_connection, .way = WAY_NONE,                     \
    .why = "the call fails before it is sent")                                                               \
  X(infos_after_success_and_refusal, infos_after_success_and_refusal)                                        \
  X(infos_after_a_bad_url, infos_after_a_bad_url, .way = WAY_NONE,                                           \
    .why = "the call fails before it is sent")                                                               \
  X(infos_after_reset, infos_after_reset)                                                                    \
  X(infos_of_a_copy, infos_of_a_copy)                                                                        \
  X(infos_stay, infos_stay)                                                                                  \
  X(infos_unknown, infos_unknown)                                                                            \
  X(infos_of_speed_and_time, infos_of_speed_and_time)

#define REDIRECT_SCENARIOS(X)                                                                                \
  X(redirect_301_followed, redirect_followed, .number = 301)                                                 \
  X(redirect_302_followed, redirect_followed, .number = 302)                                                 \
  X(redirect_303_followed, redirect_followed, .number = 303)                                                 \
  X(redirect_307_followed, redirect_followed, .number = 307)                                                 \
  X(redirect_308_followed, redirect_followed, .number = 308)                                                 \
  X(redirect_301_not_followed, redirect_not_followed, .number = 301, .rule = "status=200-599")               \
  X(redirect_303_not_followed, redirect_not_followed, .number = 303, .rule = "status=200-599")               \
  X(redirect_308_not_followed, redirect_not_followed, .number = 308, .rule = "status=200-599")               \
  X(redirect_of_a_relative_place, redirect_of_a_relative_place)                                              \
  X(redirect_to_another_host, redirect_to_another_host)                                                      \
  X(redirect_chain, redirect_chain)                                                                          \
  X(redirect_too_many, redirect_too_many, .number = 307, .way = WAY_LIVE, .why = "an error is no answer")    \
  X(redirect_not_too_many, redirect_not_too_many)                                                            \
  X(redirect_to_a_loop, redirect_to_a_loop, .number = 302, .way = WAY_LIVE, .why = "an error is no answer")  \
  X(redirect_301_as_post, redirect_as_post, .number = 301)                                                   \
  X(redirect_303_as_post, redirect_as_post, .number = 303)                                                   \
  X(redirect_with_referer, redirect_with_referer)                                                            \
  X(redirect_without_location, redirect_without_location, .rule = "status=200-599")                          \
  X(redirect_with_headers_in_body, redirect_with_headers_in_body)                                            \
  X(redirect_to_a_forbidden_scheme, redirect_to_a_forbidden_scheme, .way = WAY_LIVE,                         \
    .why = "an error is no answer")                                                                          \
  X(redirect_followed_no_more, redirect_followed_no_more, .rule = "status=200-599", .way = WAY_SOME_LIVE,    \
    .option = "FOLLOWLOCATION", .why = "the answer came after a redirect")                                   \
  X(redirect_followed_later, redirect_followed_later, .number = 307, .rule = "status=200-599",               \
    .way = WAY_SOME_LIVE, .option = "FOLLOWLOCATION", .why = "the answer is a redirect")                     \
  X(redirect_of_a_custom_method, redirect_of_a_custom_method, .number = 302, .rule = "method=PATCH")

#define ERROR_SCENARIOS(X)                                                                                   \
  X(error_by_400, error_by_status, .number = 400, .rule = "status=200-599", .way = WAY_LIVE,                 \
    .why = "an error is no answer")                                                                          \
  X(error_by_404, error_by_status, .number = 404, .rule = "status=200-599", .way = WAY_LIVE,                 \
    .why = "an error is no answer")                                                                          \
  X(error_by_401, error_by_status, .number = 401, .rule = "status=200-599", .way = WAY_LIVE,                 \
    .why = "an error is no answer")                                                                          \
  X(error_by_401_settled, error_by_status, .number = 401, .rule = "status=200-599", .settled = true)         \
  X(error_by_404_settled, error_by_status, .number = 404, .rule = "status=200-599", .settled = true)         \
  X(error_by_status_200, error_by_status, .number = 200)                                                     \
  X(error_by_404_after_redirect, error_by_status_after_redirect, .number = 404, .rule = "status=200-599",    \
    .way = WAY_LIVE, .why = "an error is no answer")                                                         \
  X(error_by_404_on_second_thought, error_by_status_on_second_thought, .number = 404,                        \
    .rule = "status=200-599")                                                                                \
  X(error_by_429_on_second_thought, error_by_status_on_second_thought, .number = 429,                        \
    .rule = "status=200-599")                                                                                \
  X(error_by_503_kept_sending, error_by_status_kept_sending, .number = 503, .rule = "status=200-599",        \
    .way = WAY_LIVE, .why = "an error is no answer")                                                         \
  X(error_of_a_short_write, error_of_a_short_write, .number = 1, .way = WAY_LIVE,                            \
    .why = "an error is no answer")                                                                          \
  X(error_of_a_short_write_settled, error_of_a_short_write, .number = 1, .settled = true)                    \
  X(error_of_a_short_second_write, error_of_a_short_write, .number = 2, .way = WAY_LIVE,                     \
    .why = "an error is no answer")                                                                          \
  X(error_of_a_short_second_write_settled, error_of_a_short_write, .number = 2, .settled = true)             \
  X(error_of_no_write, error_of_no_write, .number = 1, .way = WAY_LIVE, .why = "an error is no answer")      \
  X(error_of_no_write_settled, error_of_no_write, .number = 1, .settled = true)                              \
  X(error_of_a_long_write, error_of_a_long_write, .number = 1, .way = WAY_LIVE,                              \
    .why = "an error is no answer")                                                                          \
  X(error_of_a_long_write_settled, error_of_a_long_write, .number = 1, .settled = true)                      \
  X(error_of_the_write_function, error_of_the_write_function, .number = 2, .way = WAY_LIVE,                  \
    .why = "an error is no answer")                                                                          \
  X(error_of_the_write_function_settled, error_of_the_write_function, .number = 2, .settled = true)          \
  X(error_of_the_first_header, error_of_the_header_function, .number = 1, .way = WAY_LIVE,                   \
    .why = "an error is no answer")                                                                          \
  X(error_of_the_first_header_settled, error_of_the_header_function, .number = 1, .settled = true)           \
  X(error_of_the_third_header, error_of_the_header_function, .number = 3, .way = WAY_LIVE,                   \
    .why = "an error is no answer")                                                                          \
  X(error_of_the_third_header_settled, error_of_the_header_function, .number = 3, .settled = true)           \
  X(error_of_the_last_header, error_of_the_header_function, .number = 5, .way = WAY_LIVE,                    \
    .why = "an error is no answer")                                                                          \
  X(error_of_the_last_header_settled, error_of_the_header_function, .number = 5, .settled = true)            \
  X(error_returned_by_the_header_function, error_returned_by_the_header_function, .number = 2,               \
    .way = WAY_LIVE, .why = "an error is no answer")                                                         \
  X(error_returned_by_the_header_function_settled, error_returned_by_the_header_function, .number = 2,       \
    .settled = true)                                                                                         \
  X(error_of_a_header_in_the_body, error_of_a_header_in_the_body, .number = 2, .way = WAY_LIVE,              \
    .why = "an error is no answer")                                                                          \
  X(error_of_a_header_in_the_body_settled, error_of_a_header_in_the_body, .number = 2, .settled = true)      \
  X(error_and_again, error_and_again)                                                                        \
  X(error_of_a_size_within, error_of_size_known, .number = 10)                                               \
  X(error_of_a_size_beyond, error_of_size_known, .number = 9, .way = WAY_LIVE,                               \
    .why = "an error is no answer")                                                                          \
  X(error_of_a_size_beyond_settled, error_of_size_known, .number = 9, .way = WAY_MIXED,                      \
    .option = "MAXFILESIZE", .why = "libcurl counts the body", .settled = true)                              \
  X(error_of_an_unknown_size_within, error_of_size_unknown, .number = 10)                                    \
  X(error_of_an_unknown_size_beyond, error_of_size_unknown, .number = 7, .way = WAY_LIVE,                    \
    .before = WAY_TRANSPORT, .since = 0x080500, .option = "MAXFILESIZE", .why = "an error is no answer")     \
  X(error_of_a_size_on_second_thought, error_of_size_on_second_thought, .number = 9, .way = WAY_MIXED,       \
    .option = "MAXFILESIZE", .why = "libcurl counts the body")                                               \
  X(error_of_a_short_body, error_of_a_short_body, .way = WAY_LIVE, .why = "an error is no answer")           \
  X(error_of_an_unfinished_chunk, error_of_an_unfinished_chunk, .way = WAY_LIVE,                             \
    .why = "an error is no answer")                                                                          \
  X(error_of_bad_chunks, error_of_bad_chunks, .way = WAY_LIVE, .why = "an error is no answer")               \
  X(error_of_no_answer, error_of_no_answer, .way = WAY_LIVE, .why = "an error is no answer")                 \
  X(error_of_a_bad_status_line, error_of_a_bad_status_line, .way = WAY_LIVE, .why = "an error is no answer") \
  X(error_of_an_unfinished_header, error_of_an_unfinished_header, .way = WAY_LIVE,                           \
    .why = "an error is no answer")                                                                          \
  X(error_of_a_timeout, error_of_a_timeout, .way = WAY_LIVE, .why = "an error is no answer")                 \
  X(error_of_no_timeout, error_of_no_timeout)                                                                \
  X(error_without_a_buffer, error_without_a_buffer, .number = 404, .rule = "status=200-599",                 \
    .way = WAY_LIVE, .why = "an error is no answer")                                                         \
  X(error_without_a_buffer_settled, error_without_a_buffer, .number = 404, .rule = "status=200-599",         \
    .settled = true)                                                                                         \
  X(error_of_a_header_too_long, error_of_a_header_too_long, .way = WAY_LIVE, .why = "an error is no answer") \
  X(error_then_success_clears_the_buffer, error_then_success_clears_the_buffer)

#define COOKIE_SCENARIOS(X)                                                                                  \
  X(cookies_not_wanted, cookies_not_wanted)                                                                  \
  X(cookies_kept, cookies_kept, .way = WAY_TRANSPORT, .option = "COOKIEFILE",                                \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_kept_of_nothing, cookies_kept_of_nothing)                                                        \
  X(cookies_with_attributes, cookies_with_attributes, .way = WAY_TRANSPORT, .option = "COOKIEFILE",          \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_secure_over_http, cookies_secure_over_http, .way = WAY_TRANSPORT, .option = "COOKIEFILE",        \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_secure_over_tls, cookies_secure_over_tls, .way = WAY_LIVE, .option = "COOKIEFILE",               \
    .why = "a cookie that only https can set")                                                               \
  X(cookies_change, cookies_change, .way = WAY_TRANSPORT, .option = "COOKIEFILE",                            \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_put_in, cookies_put_in, .way = WAY_TRANSPORT, .option = "COOKIELIST",                            \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_put_in_as_a_line, cookies_put_in_as_a_line)                                                      \
  X(cookies_cleared, cookies_cleared, .way = WAY_TRANSPORT, .option = "COOKIEFILE",                          \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_in_a_jar, cookies_in_a_jar, .way = WAY_TRANSPORT, .option = "COOKIEFILE",                        \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_flushed, cookies_flushed, .way = WAY_TRANSPORT, .option = "COOKIEFILE",                          \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_from_a_file, cookies_from_a_file, .way = WAY_TRANSPORT, .option = "COOKIELIST",                  \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_deleted_beside_secure, cookies_deleted_beside_secure, .way = WAY_TRANSPORT,                      \
    .option = "COOKIEFILE", .why = "libcurl's cookie engine takes what the answer sets")                     \
  X(cookies_deleted_as_secure, cookies_deleted_as_secure, .way = WAY_TRANSPORT, .option = "COOKIEFILE",      \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_by_hand, cookies_by_hand)                                                                        \
  X(cookies_of_a_redirect, cookies_of_a_redirect, .way = WAY_LIVE, .option = "COOKIEFILE",                   \
    .why = "a cookie set on the way of a redirect")                                                          \
  X(cookies_of_a_copy, cookies_of_a_copy, .way = WAY_TRANSPORT, .option = "COOKIELIST",                      \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_stay_over_reset, cookies_stay_over_reset, .way = WAY_TRANSPORT, .option = "COOKIEFILE",          \
    .why = "libcurl's cookie engine takes what the answer sets")                                             \
  X(cookies_shared, cookies_shared, .way = WAY_TRANSPORT, .option = "SHARE",                                 \
    .why = "libcurl's cookie engine takes what the answer sets")

#define PAUSE_SCENARIOS(X)                                                                                   \
  X(pause_in_write_1, pause_in_write, .number = 1)                                                           \
  X(pause_in_write_2, pause_in_write, .number = 2)                                                           \
  X(pause_in_write_3, pause_in_write, .number = 3)                                                           \
  X(pause_in_header_1, pause_in_header, .number = 1)                                                         \
  X(pause_in_header_3, pause_in_header, .number = 3)                                                         \
  X(pause_in_header_5, pause_in_header, .number = 5)                                                         \
  X(pause_by_call_in_write, pause_by_call_in_write, .number = 1)                                             \
  X(pause_by_call_in_header, pause_by_call_in_header, .number = 2)                                           \
  X(pause_and_resume_in_one_callback, pause_and_resume_in_one_callback, .number = 1)                         \
  X(pause_in_each_write, pause_in_each_write)                                                                \
  X(pause_without_end, pause_without_end, .way = WAY_LIVE, .why = "an error is no answer")                   \
  X(pause_without_end_settled, pause_without_end, .settled = true)                                           \
  X(pause_ended_by_the_app, pause_ended_by_the_app, .way = WAY_LIVE, .why = "an error is no answer")         \
  X(pause_ended_by_the_app_settled, pause_ended_by_the_app, .settled = true)                                 \
  X(pause_of_an_idle_handle, pause_of_an_idle_handle)

#define PROGRESS_SCENARIOS(X)                                                                                \
  X(progress_facts, progress_facts)                                                                          \
  X(progress_of_chunks, progress_of_chunks)                                                                  \
  X(progress_of_nothing, progress_of_nothing)                                                                \
  X(progress_aborts_at_once, progress_aborts_at_once, .way = WAY_NONE,                                       \
    .why = "the call ends before it is sent")                                                                \
  X(progress_aborts_at_once_settled, progress_aborts_at_once, .settled = true)                               \
  X(progress_aborts_in_the_body, progress_aborts_in_the_body, .way = WAY_LIVE,                               \
    .why = "an error is no answer")                                                                          \
  X(progress_aborts_in_the_body_settled, progress_aborts_in_the_body, .settled = true)                       \
  X(progress_continues_with_the_meter, progress_continues_with_the_meter)                                    \
  X(progress_of_the_old_kind, progress_of_the_old_kind)                                                      \
  X(progress_of_both_kinds, progress_of_both_kinds)                                                          \
  X(progress_turned_off, progress_turned_off)                                                                \
  X(progress_turned_on_in_between, progress_turned_on_in_between)                                            \
  X(progress_over_two_calls, progress_over_two_calls)

#define DEBUG_SCENARIOS(X)                                                                                   \
  X(debug_of_a_call, debug_of_a_call)                                                                        \
  X(debug_of_pieces, debug_of_pieces)                                                                        \
  X(debug_of_chunks, debug_of_chunks, .number = 1)                                                           \
  X(debug_of_trailers, debug_of_trailers, .number = 1)                                                       \
  X(debug_of_a_redirect, debug_of_a_redirect)                                                                \
  X(debug_without_a_function, debug_without_a_function)                                                      \
  X(debug_turned_off, debug_turned_off)

#define ENCODING_SCENARIOS(X)                                                                                \
  X(encoding_gzip, encoding_gzip)                                                                            \
  X(encoding_gzip_in_chunks, encoding_gzip_in_chunks)                                                        \
  X(encoding_any, encoding_any)                                                                              \
  X(encoding_not_asked_for, encoding_not_asked_for)                                                          \
  X(encoding_not_applied, encoding_not_applied)                                                              \
  X(encoding_left_raw, encoding_left_raw)                                                                    \
  X(encoding_identity, encoding_identity)                                                                    \
  X(encoding_broken, encoding_broken, .way = WAY_LIVE, .why = "an error is no answer")                       \
  X(encoding_with_progress, encoding_with_progress)                                                          \
  X(encoding_of_transfer_left_raw, encoding_of_transfer_left_raw, .way = WAY_LIVE,                           \
    .option = "HTTP_TRANSFER_DECODING",                                                                      \
    .why = "JSON in raw chunks does not parse, so that nothing says that it is whole")                       \
  X(encoding_asked_for_later, encoding_asked_for_later)

#define RANGE_SCENARIOS(X)                                                                                   \
  X(range_of_a_part, range_of_a_part, .rule = "method=GET status=200-599", .way = WAY_TRANSPORT,             \
    .option = "RANGE", .why = "asks for a part of the answer")                                               \
  X(range_not_honoured, range_not_honoured, .rule = "method=GET status=200-599", .way = WAY_TRANSPORT,       \
    .option = "RANGE", .why = "asks for a part of the answer")                                               \
  X(resume_of_a_part, resume_of_a_part, .rule = "method=GET status=200-599", .way = WAY_TRANSPORT,           \
    .option = "RESUME_FROM", .why = "asks for a part of the answer")                                         \
  X(resume_not_honoured, resume_not_honoured, .rule = "method=GET status=200-599", .way = WAY_LIVE,          \
    .why = "an error is no answer")                                                                          \
  X(resume_beyond_the_end, resume_beyond_the_end, .rule = "method=GET status=200-599", .way = WAY_TRANSPORT, \
    .before = WAY_LIVE, .since = 0x080500, .option = "RESUME_FROM", .why = "asks for a part of the answer")  \
  X(resume_at_the_end, resume_at_the_end, .rule = "method=GET", .way = WAY_LIVE,                             \
    .why = "a failure is no answer, unless status= says so")                                                 \
  X(resume_at_the_end_of_what_is_kept, resume_at_the_end, .rule = "method=GET status=200-599",               \
    .way = WAY_TRANSPORT, .before = WAY_LIVE, .since = 0x080500, .option = "RESUME_FROM",                    \
    .why = "asks for a part of the answer")                                                                  \
  X(condition_unmet, condition_unmet, .rule = "method=GET status=200-599", .way = WAY_LIVE,                  \
    .option = "TIMECONDITION", .why = "asks for an answer by its age")                                       \
  X(condition_met, condition_met, .rule = "method=GET status=200-599", .way = WAY_LIVE,                      \
    .option = "TIMECONDITION", .why = "asks for an answer by its age")                                       \
  X(condition_not_honoured, condition_not_honoured, .rule = "method=GET status=200-599", .way = WAY_LIVE,    \
    .option = "TIMECONDITION", .why = "asks for an answer by its age")

#define HEADER_API_SCENARIOS(X)                                                                              \
  X(header_api_all, header_api_all)                                                                          \
  X(header_api_by_name, header_api_by_name)                                                                  \
  X(header_api_misused, header_api_misused)                                                                  \
  X(header_api_in_header_callback, header_api_in_header_callback)                                            \
  X(header_api_in_write_callback, header_api_in_write_callback)                                              \
  X(header_api_in_a_redirect, header_api_in_a_redirect)                                                      \
  X(header_api_of_interim_answers, header_api_of_interim_answers)                                            \
  X(header_api_of_the_second_call, header_api_of_the_second_call)                                            \
  X(header_api_after_reset, header_api_after_reset)                                                          \
  X(header_api_of_a_copy, header_api_of_a_copy)                                                              \
  X(header_api_after_an_error, header_api_after_an_error, .way = WAY_LIVE, .why = "an error is no answer")   \
  X(header_api_after_an_error_settled, header_api_after_an_error, .settled = true)

#define REQUEST_SCENARIOS(X)                                                                                 \
  X(request_of_fields_with_zeros, request_of_fields_with_zeros)                                              \
  X(request_of_fields_of_a_size, request_of_fields_of_a_size)                                                \
  X(request_of_nothing, request_of_nothing)                                                                  \
  X(request_fed_with_size, request_fed_with_size)                                                            \
  X(request_fed_without_size, request_fed_without_size)                                                      \
  X(request_fed_with_progress, request_fed_with_progress)                                                    \
  X(request_fed_in_chunks_with_progress, request_fed_in_chunks_with_progress)                                \
  X(request_fed_by_nobody, request_fed_by_nobody, .way = WAY_NONE,                                           \
    .why = "the app's reader gives up while the call is sent")                                               \
  X(request_of_an_upload, request_of_an_upload, .rule = "method=PUT")                                        \
  X(request_of_a_file, request_of_a_file)                                                                    \
  X(request_of_a_mime, request_of_a_mime)                                                                    \
  X(request_of_a_form, request_of_a_form)                                                                    \
  X(request_with_headers, request_with_headers)                                                              \
  X(request_with_a_password, request_with_a_password)                                                        \
  X(request_of_a_custom_method, request_of_a_custom_method, .rule = "method=SEARCH")                         \
  X(request_by_url_handle, request_by_url_handle)                                                            \
  X(request_with_query_and_fragment, request_with_query_and_fragment)                                        \
  X(request_without_a_scheme, request_without_a_scheme)                                                      \
  X(request_with_the_port_as_an_option, request_with_the_port_as_an_option)                                  \
  X(request_of_a_megabyte, request_of_a_megabyte)

#define REUSE_SCENARIOS(X)                                                                                   \
  X(reuse_of_one_handle, reuse_of_one_handle)                                                                \
  X(reuse_for_hit_miss_hit, reuse_for_hit_miss_hit, .way = WAY_SOME_LIVE,                                    \
    .why = "a failure is no answer, unless status= says so")                                                 \
  X(reuse_for_get_and_post, reuse_for_get_and_post, .rule = "method=POST,GET")                               \
  X(reuse_after_reset, reuse_after_reset)                                                                    \
  X(reuse_after_reset_alone, reuse_after_reset_alone)                                                        \
  X(copy_made_before, copy_made_before)                                                                      \
  X(copy_made_after, copy_made_after)                                                                        \
  X(copy_made_in_a_callback, copy_made_in_a_callback)                                                        \
  X(copy_of_a_fresh_handle, copy_of_a_fresh_handle)                                                          \
  X(private_stays, private_stays)                                                                            \
  X(callbacks_changed_in_a_header_callback, callbacks_changed_in_a_header_callback)                          \
  X(data_changed_in_a_write_callback, data_changed_in_a_write_callback)                                      \
  X(error_buffer_taken_in_a_callback, error_buffer_taken_in_a_callback, .way = WAY_LIVE,                     \
    .why = "an error is no answer")                                                                          \
  X(error_buffer_taken_in_a_callback_settled, error_buffer_taken_in_a_callback, .settled = true)             \
  X(marked, marked, .marked = true)                                                                          \
  X(marked_in_the_body, marked_in_the_body, .marked = true)                                                  \
  X(keyed, keyed, .keyed = true)

#define NESTED_SCENARIOS(X)                                                                                  \
  X(nested_on_itself_in_write, nested_on_itself_in_write)                                                    \
  X(nested_on_itself_in_header, nested_on_itself_in_header)                                                  \
  X(nested_on_another_in_write, nested_on_another_in_write)                                                  \
  X(nested_on_another_in_header, nested_on_another_in_header)                                                \
  X(nested_on_the_same_request, nested_on_the_same_request)                                                  \
  X(nested_in_progress, nested_in_progress)                                                                  \
  X(options_set_in_a_callback, options_set_in_a_callback, .way = WAY_LIVE,                                   \
    .why = "options of the request change while it is answered")

#define TLS_SCENARIOS(X)                                                                                     \
  X(tls_plain, tls_plain)                                                                                    \
  X(tls_not_verified, tls_not_verified)                                                                      \
  X(tls_certificates, tls_certificates)                                                                      \
  X(tls_certificates_not_asked_for, tls_certificates_not_asked_for)                                          \
  X(tls_certificates_asked_for_later, tls_certificates_asked_for_later, .way = WAY_SOME_LIVE,                \
    .option = "CERTINFO", .why = "the certificates were not asked for when the answer was stored")           \
  X(tls_not_trusted, tls_not_trusted, .way = WAY_NONE, .why = "the call fails before it is sent")            \
  X(tls_by_protocols, tls_by_protocols)                                                                      \
  X(tls_by_protocols_by_name, tls_by_protocols_by_name)                                                      \
  X(http_by_protocols, http_by_protocols, .way = WAY_NONE, .why = "the call fails before it is sent")        \
  X(tls_with_hsts, tls_with_hsts, .way = WAY_TRANSPORT, .since = 0x074d00, .option = "HSTS",                 \
    .why = "rewrites URLs from a cache")                                                                     \
  X(tls_session_in_write, tls_session_in_write)                                                              \
  X(http_version_1_0, http_version, .number = 1)                                                             \
  X(http_version_1_1, http_version, .number = 2)                                                             \
  X(http_version_2_tls, http_version, .number = 4)                                                           \
  X(http_version_3, http_version, .number = 30, .before = WAY_NONE, .since = 0x075800)

#define CONNECTION_SCENARIOS(X)                                                                              \
  X(connection_of_own_sockets, connection_of_own_sockets, .way = WAY_LIVE,                                   \
    .option = "OPENSOCKETFUNCTION, SOCKOPTFUNCTION", .why = "may bring a connection to any server")          \
  X(connection_of_ftp_behind_http, connection_of_ftp_behind_http, .rule = "method=GET", .way = WAY_NONE,     \
    .why = "a URL of another protocol is no call of ours, also behind an HTTP proxy")                        \
  X(connection_alone, connection_alone, .way = WAY_LIVE, .option = "CONNECT_ONLY",                           \
    .why = "wants the connection itself")                                                                    \
  X(connection_told_before_the_request, connection_told_before_the_request, .way = WAY_TRANSPORT,            \
    .since = 0x075000, .option = "PREREQFUNCTION", .why = "is told the connection's addresses")              \
  X(connection_with_a_resolver, connection_with_a_resolver)                                                  \
  X(connection_without_a_proxy, connection_without_a_proxy)                                                  \
  X(connection_through_a_proxy, connection_through_a_proxy)                                                  \
  X(connection_through_a_proxy_with_a_password, connection_through_a_proxy_with_a_password)                  \
  X(connection_past_a_proxy, connection_past_a_proxy)                                                        \
  X(connection_from_an_interface, connection_from_an_interface)                                              \
  X(connection_by_a_resolved_name, connection_by_a_resolved_name)                                            \
  X(connection_by_a_detour, connection_by_a_detour)                                                          \
  X(connection_by_a_name, connection_by_a_name)                                                              \
  X(connection_with_many_wishes, connection_with_many_wishes)                                                \
  X(connection_closed_each_time, connection_closed_each_time)                                                \
  X(connection_asked_for_afterwards, connection_asked_for_afterwards)                                        \
  X(connection_shared, connection_shared)

#define DETOUR_SCENARIOS(X)                                                                                  \
  X(detour_by_unix_socket, detour_by_unix_socket)                                                            \
  X(detour_by_tunnel, detour_by_tunnel)                                                                      \
  X(detour_by_silent_tunnel, detour_by_silent_tunnel, .number = 1)                                           \
  X(detour_by_tunnel_over_tls, detour_by_tunnel_over_tls)                                                    \
  X(detour_by_socks, detour_by_socks)                                                                        \
  X(detour_by_two_proxies, detour_by_two_proxies)                                                            \
  X(credential_asked_for_digest, credential_asked_for, .number = 2)                                          \
  X(credential_asked_for_any, credential_asked_for, .number = 3)                                             \
  X(credential_refused, credential_refused, .number = 2, .rule = "status=200-599")                           \
  X(credential_from_netrc, credential_from_netrc)                                                            \
  X(credential_from_no_file, credential_from_no_file, .way = WAY_LIVE, .option = "NETRC",                    \
    .why = "takes the credential from a file that cannot be read for certain")                               \
  X(request_of_another_target, request_of_another_target, .way = WAY_LIVE, .option = "REQUEST_TARGET",       \
    .why = "the path is not the URL's")                                                                      \
  X(headers_of_an_alias, headers_of_an_alias, .way = WAY_LIVE, .option = "HTTP200ALIASES",                   \
    .why = "accepts status lines that are not HTTP")                                                         \
  X(body_of_an_ignored_length, body_of_an_ignored_length, .way = WAY_TRANSPORT,                              \
    .option = "IGNORE_CONTENT_LENGTH", .why = "the end of the body is not the header's")                     \
  X(headers_may_be_missing, headers_may_be_missing, .way = WAY_TRANSPORT, .option = "HTTP09_ALLOWED",        \
    .why = "accepts answers without a header")                                                               \
  X(request_of_lines, request_of_lines, .way = WAY_LIVE, .option = "CRLF",                                   \
    .why = "changes the body on its way")                                                                    \
  X(connection_with_a_cache_of_services, connection_with_a_cache_of_services, .way = WAY_TRANSPORT,          \
    .since = 0x074900, .option = "ALTSVC", .why = "reroutes from a cache")

#define MULTI_DRIVER_SCENARIOS(X)                                                                            \
  X(multi_wait_one, multi_of_one, .number = 0, .way = WAY_TRANSPORT, .option = "the multi interface",        \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_poll_one, multi_of_one, .number = 1, .way = WAY_TRANSPORT, .option = "the multi interface",        \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_fdset_one, multi_of_one, .number = 2, .way = WAY_TRANSPORT, .option = "the multi interface",       \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_sleep_one, multi_of_one, .number = 3, .way = WAY_TRANSPORT, .option = "the multi interface",       \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_action_one, multi_of_one, .number = 4, .way = WAY_TRANSPORT, .option = "the multi interface",      \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_action_all_one, multi_of_one, .number = 5, .way = WAY_TRANSPORT, .option = "the multi interface",  \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_wait_several, multi_of_several, .number = 0, .way = WAY_TRANSPORT,                                 \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_poll_several, multi_of_several, .number = 1, .way = WAY_TRANSPORT,                                 \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_fdset_several, multi_of_several, .number = 2, .way = WAY_TRANSPORT,                                \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_sleep_several, multi_of_several, .number = 3, .way = WAY_TRANSPORT,                                \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_action_several, multi_of_several, .number = 4, .way = WAY_TRANSPORT,                               \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_action_all_several, multi_of_several, .number = 5, .way = WAY_TRANSPORT,                           \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_wait_again, multi_of_one_again, .number = 0, .way = WAY_TRANSPORT,                                 \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_poll_again, multi_of_one_again, .number = 1, .way = WAY_TRANSPORT,                                 \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_fdset_again, multi_of_one_again, .number = 2, .way = WAY_TRANSPORT,                                \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_sleep_again, multi_of_one_again, .number = 3, .way = WAY_TRANSPORT,                                \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_action_again, multi_of_one_again, .number = 4, .way = WAY_TRANSPORT,                               \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_wait_hits_and_misses, multi_of_hits_and_misses, .number = 0, .way = WAY_SOME_TRANSPORT,            \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_poll_hits_and_misses, multi_of_hits_and_misses, .number = 1, .way = WAY_SOME_TRANSPORT,            \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_fdset_hits_and_misses, multi_of_hits_and_misses, .number = 2, .way = WAY_SOME_TRANSPORT,           \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_sleep_hits_and_misses, multi_of_hits_and_misses, .number = 3, .way = WAY_SOME_TRANSPORT,           \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_action_hits_and_misses, multi_of_hits_and_misses, .number = 4, .way = WAY_SOME_TRANSPORT,          \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_poll_paused, multi_paused, .number = 1, .way = WAY_TRANSPORT, .option = "the multi interface",     \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_action_paused, multi_paused, .number = 4, .way = WAY_TRANSPORT, .option = "the multi interface",   \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_poll_ended_by_the_app, multi_ended_by_the_app, .number = 1, .way = WAY_LIVE,                       \
    .why = "an error is no answer")                                                                          \
  X(multi_action_ended_by_the_app, multi_ended_by_the_app, .number = 4, .way = WAY_LIVE,                     \
    .why = "an error is no answer")

#define MULTI_LIFE_SCENARIOS(X)                                                                              \
  X(multi_counts, multi_counts, .way = WAY_TRANSPORT, .option = "the multi interface",                       \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_messages_in_queue, multi_messages_in_queue, .way = WAY_TRANSPORT, .option = "the multi interface", \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_joined_twice, multi_joined_twice, .way = WAY_TRANSPORT, .option = "the multi interface",           \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_left_with_a_message, multi_left_with_a_message, .way = WAY_TRANSPORT,                              \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_reset_while_done, multi_reset_while_done, .way = WAY_TRANSPORT, .option = "the multi interface",   \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_called_in_a_callback, multi_called_in_a_callback, .way = WAY_TRANSPORT,                            \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_of_a_queue, multi_of_a_queue, .way = WAY_TRANSPORT, .option = "the multi interface",               \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_resumed_from_the_loop, multi_resumed_from_the_loop, .way = WAY_TRANSPORT,                          \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_with_a_limit, multi_with_a_limit, .way = WAY_TRANSPORT, .option = "the multi interface",           \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_woken, multi_woken, .way = WAY_TRANSPORT, .option = "the multi interface",                         \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_sets_a_timer, multi_sets_a_timer, .way = WAY_TRANSPORT, .option = "the multi interface",           \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_cleaned_up_while_joined, multi_cleaned_up_while_joined, .way = WAY_TRANSPORT,                      \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_of_the_same_request, multi_of_the_same_request, .way = WAY_TRANSPORT,                              \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")                     \
  X(multi_with_cookies_and_redirects, multi_with_cookies_and_redirects, .way = WAY_LIVE,                     \
    .option = "COOKIEFILE", .why = "a cookie set on the way of a redirect")                                  \
  X(multi_out_of_time, multi_out_of_time, .way = WAY_LIVE, .why = "an error is no answer")                   \
  X(multi_and_perform, multi_and_perform, .way = WAY_MIXED, .option = "the multi interface",                 \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_after_perform, multi_after_perform, .way = WAY_MIXED, .option = "the multi interface",             \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_left_at_once, multi_left_at_once, .way = WAY_MIXED, .option = "the multi interface",               \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_closed_while_joined, multi_closed_while_joined, .way = WAY_MIXED, .option = "the multi interface", \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_left_while_paused, multi_left_while_paused, .way = WAY_MIXED, .option = "the multi interface",     \
    .why = "libcurl runs it in the program's own loop")                                                      \
  X(multi_with_a_nested_perform, multi_with_a_nested_perform, .way = WAY_MIXED,                              \
    .option = "the multi interface", .why = "libcurl runs it in the program's own loop")

#define SCENARIOS(X)                                                                                         \
  BODY_SCENARIOS(X)                                                                                          \
  HEADER_SCENARIOS(X)                                                                                        \
  INFO_SCENARIOS(X)                                                                                          \
  REDIRECT_SCENARIOS(X)                                                                                      \
  ERROR_SCENARIOS(X)                                                                                         \
  COOKIE_SCENARIOS(X)                                                                                        \
  PAUSE_SCENARIOS(X)                                                                                         \
  PROGRESS_SCENARIOS(X)                                                                                      \
  DEBUG_SCENARIOS(X)                                                                                         \
  ENCODING_SCENARIOS(X)                                                                                      \
  RANGE_SCENARIOS(X)                                                                                         \
  HEADER_API_SCENARIOS(X)                                                                                    \
  REQUEST_SCENARIOS(X)                                                                                       \
  REUSE_SCENARIOS(X)                                                                                         \
  NESTED_SCENARIOS(X)                                                                                        \
  TLS_SCENARIOS(X)                                                                                           \
  CONNECTION_SCENARIOS(X)                                                                                    \
  DETOUR_SCENARIOS(X)                                                                                        \
  MULTI_DRIVER_SCENARIOS(X)                                                                                  \
  MULTI_LIFE_SCENARIOS(X)

#endif
