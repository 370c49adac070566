// SPDX-License-Identifier: Apache-2.0
#include "CICU.h"

#include <stdlib.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/utf16.h>

struct cicu_decoder {
    UConverter *converter;
    /// A high surrogate whose other half has not come yet, or 0.
    UChar high;
    int malformed;
};

// ICU's own substitution callback writes U+001A for single octets of some character sets.
static void replace(
    const void *context, UConverterToUnicodeArgs *arguments, const char *units, int32_t length,
    UConverterCallbackReason reason, UErrorCode *status)
{
    static const UChar replacement = 0xFFFD;
    (void)units;
    (void)length;
    if (reason > UCNV_IRREGULAR) return;
    *status = U_ZERO_ERROR;
    ((cicu_decoder *)context)->malformed = 1;
    ucnv_cbToUWriteUChars(arguments, &replacement, 1, 0, status);
}

cicu_decoder *cicu_decoder_open(const char *name)
{
    UErrorCode status = U_ZERO_ERROR;
    cicu_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) return NULL;
    decoder->converter = ucnv_open(name, &status);
    if (U_SUCCESS(status)) ucnv_setToUCallBack(decoder->converter, replace, decoder, NULL, NULL, &status);
    if (U_FAILURE(status)) {
        cicu_decoder_close(decoder);
        return NULL;
    }
    return decoder;
}

void cicu_decoder_close(cicu_decoder *decoder)
{
    if (decoder->converter != NULL) ucnv_close(decoder->converter);
    free(decoder);
}

static uint8_t *put(uint8_t *out, uint32_t scalar)
{
    if (scalar < 0x80) {
        *out++ = (uint8_t)scalar;
        return out;
    }
    if (scalar < 0x800) {
        *out++ = (uint8_t)(0xC0 | scalar >> 6);
    } else {
        if (scalar < 0x10000) {
            *out++ = (uint8_t)(0xE0 | scalar >> 12);
        } else {
            *out++ = (uint8_t)(0xF0 | scalar >> 18);
            *out++ = (uint8_t)(0x80 | (scalar >> 12 & 0x3F));
        }
        *out++ = (uint8_t)(0x80 | (scalar >> 6 & 0x3F));
    }
    *out++ = (uint8_t)(0x80 | (scalar & 0x3F));
    return out;
}

size_t cicu_decoder_decode(
    cicu_decoder *decoder, const uint8_t *source, size_t count, int flush, uint8_t *target, size_t *consumed,
    int *malformed)
{
    // Each unit becomes three octets at most, a surrogate left over from before three more.
    UChar units[(CICU_LEAST_ROOM - 8) / 3];
    UChar *end = units;
    const char *next = (const char *)source;
    uint8_t *out = target;
    UErrorCode status = U_ZERO_ERROR;
    ucnv_toUnicode(
        decoder->converter, &end, units + sizeof units / sizeof *units, &next, next + count, NULL, (UBool)flush,
        &status);
    *consumed = (size_t)(next - (const char *)source);
    for (const UChar *unit = units; unit < end; unit++) {
        if (decoder->high != 0) {
            UChar high = decoder->high;
            decoder->high = 0;
            if (U16_IS_TRAIL(*unit)) {
                out = put(out, (uint32_t)U16_GET_SUPPLEMENTARY(high, *unit));
                continue;
            }
            decoder->malformed = 1;
            out = put(out, 0xFFFD);
        }
        if (U16_IS_LEAD(*unit)) {
            decoder->high = *unit;
        } else if (U16_IS_TRAIL(*unit)) {
            decoder->malformed = 1;
            out = put(out, 0xFFFD);
        } else {
            out = put(out, *unit);
        }
    }
    if (status != U_BUFFER_OVERFLOW_ERROR) {
        // An error the callback could not take away: nothing more can be read from these octets.
        if (U_FAILURE(status)) {
            *consumed = count;
            decoder->malformed = 1;
            ucnv_resetToUnicode(decoder->converter);
        }
        if (flush && decoder->high != 0) {
            decoder->high = 0;
            decoder->malformed = 1;
            out = put(out, 0xFFFD);
        }
    }
    if (decoder->malformed) *malformed = 1;
    return (size_t)(out - target);
}
