// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <curl/curl.h>

// libcurl's variadic functions, which Swift does not see, with one type each. The parentheses keep its macros away.
static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) { return (curl_easy_setopt)(easy, option, value); }
static inline CURLcode ccurl_set_size(CURL *easy, CURLoption option, curl_off_t value) { return (curl_easy_setopt)(easy, option, value); }
static inline CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value) { return (curl_easy_setopt)(easy, option, value); }
static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value) { return (curl_easy_setopt)(easy, option, value); }
static inline CURLcode ccurl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) { return (curl_easy_setopt)(easy, option, value); }
static inline CURLcode ccurl_set_url(CURL *easy, CURLU *url) { return (curl_easy_setopt)(easy, CURLOPT_CURLU, url); }
static inline CURLcode ccurl_set_receiver(CURL *easy, CURLoption option, curl_write_callback function) { return (curl_easy_setopt)(easy, option, function); }
static inline CURLcode ccurl_set_opener(CURL *easy, curl_opensocket_callback function) { return (curl_easy_setopt)(easy, CURLOPT_OPENSOCKETFUNCTION, function); }
static inline CURLcode ccurl_get_long(CURL *easy, CURLINFO info, long *value) { return (curl_easy_getinfo)(easy, info, value); }
static inline CURLcode ccurl_get_size(CURL *easy, CURLINFO info, curl_off_t *value) { return (curl_easy_getinfo)(easy, info, value); }
static inline CURLcode ccurl_get_pointer(CURL *easy, CURLINFO info, void **value) { return (curl_easy_getinfo)(easy, info, value); }
static inline CURLcode ccurl_get_text(CURL *easy, CURLINFO info, const char **value) { return (curl_easy_getinfo)(easy, info, value); }
static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) { return (curl_multi_setopt)(multi, option, value); }
static inline CURLMcode ccurl_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) { return (curl_multi_setopt)(multi, option, value); }
static inline CURLMcode ccurl_multi_set_watcher(CURLM *multi, curl_socket_callback function) { return (curl_multi_setopt)(multi, CURLMOPT_SOCKETFUNCTION, function); }
static inline CURLMcode ccurl_multi_set_timer(CURLM *multi, curl_multi_timer_callback function) { return (curl_multi_setopt)(multi, CURLMOPT_TIMERFUNCTION, function); }

// The address is longer than the type of the field that it begins at.
static inline const struct sockaddr *ccurl_address(const struct curl_sockaddr *address) { return &address->addr; }
// Of a message that is CURLMSG_DONE.
static inline CURLcode ccurl_result(const CURLMsg *message) { return message->data.result; }
