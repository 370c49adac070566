// SPDX-License-Identifier: Apache-2.0
#include "CGumbo.h"

#include <setjmp.h>
#include <stdlib.h>

// All memory of a parse comes from blocks that are freed together. Gumbo neither checks for NULL nor can be stopped, so when
// the budget is spent we jump out of it: nothing but C frames of gumbo's lies between.
typedef struct block {
    struct block *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
} block;

struct cgumbo_document {
    block *blocks;
    size_t left;
    jmp_buf spent;
    const GumboOutput *output;
};

static const size_t block_size = 64 * 1024;

static void *take(void *context, size_t size)
{
    cgumbo_document *document = context;
    size = size == 0 ? 16 : (size + 15) & ~(size_t)15;
    block *first = document->blocks;
    if (first == NULL || first->size - first->used < size) {
        size_t room = size > block_size ? size : block_size;
        block *fresh = room <= document->left ? malloc(sizeof *fresh + room) : NULL;
        if (fresh == NULL) longjmp(document->spent, 1);
        document->left -= room;
        fresh->next = first;
        fresh->used = 0;
        fresh->size = room;
        document->blocks = first = fresh;
    }
    void *bytes = first->bytes + first->used;
    first->used += size;
    return bytes;
}

static void leave(void *context, void *bytes)
{
    (void)context;
    (void)bytes;
}

cgumbo_document *cgumbo_parse(const char *html, size_t length, size_t budget)
{
    cgumbo_document *document = calloc(1, sizeof *document);
    if (document == NULL) return NULL;
    document->left = budget;
    if (setjmp(document->spent) != 0) {
        cgumbo_free(document);
        return NULL;
    }
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = take;
    options.deallocator = leave;
    options.userdata = document;
    options.max_errors = 0;
    document->output = gumbo_parse_with_options(&options, html, length);
    return document;
}

const GumboNode *cgumbo_root(const cgumbo_document *document) { return document->output->root; }

void cgumbo_free(cgumbo_document *document)
{
    for (block *next, *block = document->blocks; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(document);
}

static int has_children(const GumboNode *node)
{
    return node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE;
}

const GumboNode *cgumbo_child(const GumboNode *node, unsigned index)
{
    return index < cgumbo_child_count(node) ? node->v.element.children.data[index] : NULL;
}

unsigned cgumbo_child_count(const GumboNode *node) { return has_children(node) ? node->v.element.children.length : 0; }

const char *cgumbo_text(const GumboNode *node)
{
    switch (node->type) {
    case GUMBO_NODE_TEXT:
    case GUMBO_NODE_WHITESPACE:
    case GUMBO_NODE_CDATA: return node->v.text.text;
    default: return NULL;
    }
}

GumboTag cgumbo_tag(const GumboNode *node) { return has_children(node) ? node->v.element.tag : GUMBO_TAG_LAST; }

const char *cgumbo_attribute(const GumboNode *node, const char *name)
{
    if (!has_children(node)) return NULL;
    const GumboAttribute *attribute = gumbo_get_attribute(&node->v.element.attributes, name);
    return attribute == NULL ? NULL : attribute->value;
}
