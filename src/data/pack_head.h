/* The head of a pack, and its name: what its reader, its writer and those that make room agree on.
 */
#ifndef DATA_PACK_HEAD_H
#define DATA_PACK_HEAD_H

#include "data/pack.h"

#define CNN_PACK_PREFIX "pictures-"
#define CNN_PACK_END ".pack"
#define CNN_PACK_UNFINISHED ".part" /* behind the name, while it is written */

enum { CNN_PACK_PAIR = 8 /* bytes for each image in the table */ };

typedef struct cnn_pack_head {
    uint64_t table; /* where it begins: behind the images */
    uint32_t table_check;
} cnn_pack_head;

/* A number of these bytes, the lowest first. */
uint64_t cnn_pack_number(const uint8_t *bytes, size_t size);
void cnn_pack_put_number(uint8_t *bytes, uint64_t number, size_t size);

/* False where it is none, or does not fit the size of its file. */
bool cnn_pack_parse(cnn_pack_head *head, cnn_pack_content *content,
                    const uint8_t bytes[CNN_PACK_HEAD], uint64_t file_size);
void cnn_pack_format(uint8_t bytes[CNN_PACK_HEAD], const cnn_pack_content *content,
                     uint32_t table_check);

#endif
