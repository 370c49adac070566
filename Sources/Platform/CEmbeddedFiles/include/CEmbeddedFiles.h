// SPDX-License-Identifier: Apache-2.0

#ifndef POSTERN_CEMBEDDEDFILES_H
#define POSTERN_CEMBEDDEDFILES_H

#include <stddef.h>

/// The octets of openapi.yaml, as it was when this was built.
const unsigned char *cembedded_openapi_octets(void);
size_t cembedded_openapi_count(void);

#endif
