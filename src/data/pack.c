#include "data/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cache.h"
#include "base/memory.h"
#include "base/status.h"
#include "data/pack_head.h"

cnn_status cnn_pack_path(char **path, const char *key)
{
    enum { SHOWN = 16 };
    char name[64];
    snprintf(name, sizeof name, "%s%.*s%s", CNN_PACK_PREFIX, SHOWN, key, CNN_PACK_END);
    return cnn_cache_path(path, name);
}

void cnn_pack_close(cnn_pack *pack)
{
    if (!pack)
        return;
    if (pack->file >= 0)
        close(pack->file);
    free(pack->path);
    free(pack->samples);
    free(pack->checks);
    free(pack);
}

size_t cnn_pack_first(const cnn_pack *pack, cnn_split split)
{
    size_t first = 0;
    for (int i = 0; i < (int)split; i++)
        first += pack->content.counts[i];
    return first;
}

static size_t count_of(const cnn_pack *pack)
{
    return cnn_pack_first(pack, (cnn_split)CNN_SPLITS);
}

static bool read_at(void *data, size_t size, int file, uint64_t at)
{
    uint8_t *target = data;
    while (size > 0) {
        ssize_t count = pread(file, target, size, (off_t)at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        target += count;
        at += (uint64_t)count;
        size -= (size_t)count;
    }
    return true;
}

static cnn_status fail_damaged(const cnn_pack *pack)
{
    return cnn_fail(CNN_ERROR_DATA, "%s: the packed pictures are damaged", pack->path);
}

/* Numbers of samples and checksums lie in pairs. */
static cnn_status read_table(cnn_pack *pack, const cnn_pack_head *head)
{
    enum { PAIR = 8 };
    uint8_t *table = NULL;
    size_t count = count_of(pack);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&table, count, PAIR, "a pack"));
    CNN_TRY(cnn_allocate(&pack->samples, count, sizeof *pack->samples, "a pack"));
    CNN_TRY(cnn_allocate(&pack->checks, count, sizeof *pack->checks, "a pack"));
    if (!read_at(table, count * PAIR, pack->file, head->table) ||
        crc32_z(0, table, count * PAIR) != head->table_check)
        status = fail_damaged(pack);
    for (size_t i = 0; status == CNN_OK && i < count; i++) {
        pack->samples[i] = (uint32_t)cnn_pack_number(table + i * PAIR, 4);
        pack->checks[i] = (uint32_t)cnn_pack_number(table + i * PAIR + 4, 4);
    }
out:
    free(table);
    return status;
}

static cnn_status read_all(cnn_pack *pack, const char *key)
{
    uint8_t bytes[CNN_PACK_HEAD];
    cnn_pack_head head;
    struct stat info;
    if (fstat(pack->file, &info) != 0 || !read_at(bytes, sizeof bytes, pack->file, 0) ||
        !cnn_pack_parse(&head, &pack->content, bytes, (uint64_t)info.st_size))
        return fail_damaged(pack);
    if (key && strcmp(key, pack->content.key) != 0)
        return cnn_fail(CNN_ERROR_DATA, "%s: packed pictures of another data set", pack->path);
    const int *shape = pack->content.shape;
    pack->image = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    return read_table(pack, &head);
}

cnn_status cnn_pack_open(cnn_pack **pack, const char *path, const char *key)
{
    cnn_pack *opened = NULL;
    *pack = NULL;
    cnn_status status = cnn_allocate(&opened, 1, sizeof *opened, "a pack");
    if (status != CNN_OK)
        return status;
    opened->file = -1;
    CNN_TRY(cnn_cache_open(&opened->file, path));
    CNN_TRY(cnn_allocate(&opened->path, strlen(path) + 1, 1, "a pack"));
    strcpy(opened->path, path);
    CNN_TRY(read_all(opened, key));
    (void)futimens(opened->file, NULL); /* used last now */
    *pack = opened;
    return CNN_OK;
out:
    cnn_pack_close(opened);
    return status;
}

cnn_status cnn_pack_read(uint8_t *image, const cnn_pack *pack, size_t index)
{
    uint64_t at = CNN_PACK_HEAD + (uint64_t)index * pack->image;
    if (read_at(image, pack->image, pack->file, at) &&
        crc32_z(0, image, pack->image) == pack->checks[index])
        return CNN_OK;
    (void)unlink(pack->path);
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: the packed pictures are damaged, and removed: start again, and they are "
                    "made again",
                    pack->path);
}
