// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gumbo.h>
#include <stddef.h>

/// A parsed document and all its memory.
typedef struct cgumbo_document cgumbo_document;

/// Parses `length` octets, which must stay where they are as long as the document is used. NULL when more than `budget`
/// octets of memory would be needed, or there are none.
cgumbo_document *cgumbo_parse(const char *html, size_t length, size_t budget);
const GumboNode *cgumbo_root(const cgumbo_document *document);
/// Frees everything at once: gumbo's own way recurses as deep as the document does.
void cgumbo_free(cgumbo_document *document);

/// The children of an element or template (NULL, 0 for others).
const GumboNode *cgumbo_child(const GumboNode *node, unsigned index);
unsigned cgumbo_child_count(const GumboNode *node);
/// The text of a text node, or NULL.
const char *cgumbo_text(const GumboNode *node);
/// The tag of an element; GUMBO_TAG_LAST for others.
GumboTag cgumbo_tag(const GumboNode *node);
/// The value of an element's attribute, or NULL.
const char *cgumbo_attribute(const GumboNode *node, const char *name);
