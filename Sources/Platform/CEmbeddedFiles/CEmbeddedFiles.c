// SPDX-License-Identifier: Apache-2.0

#include "CEmbeddedFiles.h"

// The document is part of the one binary; the compiler notes the file among what this one depends on.
#pragma clang diagnostic ignored "-Wc23-extensions"
static const unsigned char document[] = {
#embed "../../../openapi.yaml"
};

const unsigned char *cembedded_openapi_octets(void) { return document; }
size_t cembedded_openapi_count(void) { return sizeof document; }
