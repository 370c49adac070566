// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <zlib.h>

// zlib's function-like macros, which Swift does not see, as functions: streams without zlib's own header (RFC 1951).
static inline int czlib_deflate_begin(z_stream *stream, int window_bits, int memory_level) {
    return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -window_bits, memory_level, Z_DEFAULT_STRATEGY);
}
static inline int czlib_inflate_begin(z_stream *stream) { return inflateInit2(stream, -MAX_WBITS); }
