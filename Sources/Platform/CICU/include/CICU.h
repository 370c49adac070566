// SPDX-License-Identifier: Apache-2.0
// ICU's functions carry a version suffix that only its own macros know; these few do not.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct cicu_decoder cicu_decoder;

/// Opens ICU's converter of that name; NULL where it has none.
cicu_decoder *cicu_decoder_open(const char *name);
void cicu_decoder_close(cicu_decoder *decoder);

/// At least so many octets of room must be behind `target`.
#define CICU_LEAST_ROOM 2048

/// Converts some of `source` to UTF-8; what cannot be read becomes U+FFFD, and then `*malformed` is set to 1.
/// Returns the octets written and sets `*consumed`. `flush` says that nothing follows `source`.
/// To be called again until all is consumed and nothing is written.
size_t cicu_decoder_decode(
    cicu_decoder *decoder, const uint8_t *source, size_t count, int flush, uint8_t *target, size_t *consumed,
    int *malformed);
