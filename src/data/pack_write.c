/* Writing a pack. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/pack_head.h"

struct cnn_pack_writer {
    char *path, *unfinished; /* its name, and that until it is whole */
    int file;
    size_t image, most, count; /* bytes of an image; images that may come, and that came */
    uint8_t *table;            /* (most, CNN_PACK_PAIR) */
};

static bool write_at(int file, const void *data, size_t size, uint64_t at)
{
    const uint8_t *from = data;
    while (size > 0) {
        ssize_t count = pwrite(file, from, size, (off_t)at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        from += count;
        at += (uint64_t)count;
        size -= (size_t)count;
    }
    return true;
}

static cnn_status fail_written(const cnn_pack_writer *writer)
{
    return cnn_fail(CNN_ERROR_FILE, "%s: cannot be written: %s", writer->unfinished,
                    strerror(errno));
}

static bool has_space(int file, uint64_t size)
{
    struct statvfs info;
    return fstatvfs(file, &info) != 0 || (uint64_t)info.f_bavail * info.f_frsize > size;
}

/* Others see by the lock that it is not left over. */
static bool open_locked(cnn_pack_writer *writer)
{
    enum { MODE = 0600 };
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)unlink(writer->unfinished);
    writer->file = open(writer->unfinished, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
    return writer->file >= 0 && fcntl(writer->file, F_SETLK, &whole) == 0;
}

static cnn_status name_files(cnn_pack_writer *writer, const char *path)
{
    cnn_text name = {0}, unfinished = {0};
    cnn_text_append(&name, "%s", path);
    cnn_text_append(&unfinished, "%s.%ld" CNN_PACK_UNFINISHED, path, (long)getpid());
    cnn_status status = cnn_text_take(&writer->path, &name);
    cnn_status second = cnn_text_take(&writer->unfinished, &unfinished);
    return status != CNN_OK ? status : second;
}

cnn_status cnn_pack_begin(cnn_pack_writer **writer, const char *path, const int shape[3],
                          size_t most)
{
    cnn_pack_writer *made = NULL;
    cnn_status status = CNN_OK;
    *writer = NULL;
    CNN_TRY(cnn_allocate(&made, 1, sizeof *made, "a pack"));
    made->file = -1;
    made->image = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    made->most = most;
    uint64_t size = CNN_PACK_HEAD + (uint64_t)most * (made->image + CNN_PACK_PAIR);
    CNN_TRY(name_files(made, path));
    CNN_TRY(cnn_allocate(&made->table, most, CNN_PACK_PAIR, "a pack"));
    cnn_pack_make_room(path, size);
    if (!open_locked(made)) {
        cnn_log(CNN_LOG_INFO, "%s: cannot be written: %s: the pictures are not kept",
                made->unfinished, strerror(errno));
    } else if (!has_space(made->file, size)) {
        char bytes[32];
        cnn_log(CNN_LOG_INFO,
                "%s: no room for %s: the pictures are not kept (CNN_CL_CACHE_DIR names another "
                "folder)",
                path, cnn_format_bytes(bytes, size));
    } else {
        *writer = made;
        return CNN_OK;
    }
out:
    cnn_pack_abandon(made);
    return status;
}

cnn_status cnn_pack_add(cnn_pack_writer *writer, const uint8_t *images, const uint32_t *samples,
                        size_t count)
{
    uint64_t at = CNN_PACK_HEAD + (uint64_t)writer->count * writer->image;
    if (!write_at(writer->file, images, count * writer->image, at))
        return fail_written(writer);
    for (size_t i = 0; i < count; i++) {
        uint8_t *pair = writer->table + writer->count++ * CNN_PACK_PAIR;
        cnn_pack_put_number(pair, samples[i], 4);
        cnn_pack_put_number(pair + 4, crc32_z(0, images + i * writer->image, writer->image), 4);
    }
    return CNN_OK;
}

cnn_status cnn_pack_end(cnn_pack_writer *writer, const cnn_pack_content *content)
{
    uint8_t head[CNN_PACK_HEAD];
    size_t size = writer->count * CNN_PACK_PAIR;
    uint64_t table = CNN_PACK_HEAD + (uint64_t)writer->count * writer->image;
    cnn_status status = CNN_OK;
    cnn_pack_format(head, content, (uint32_t)crc32_z(0, writer->table, size));
    if (!write_at(writer->file, writer->table, size, table) ||
        !write_at(writer->file, head, sizeof head, 0) ||
        rename(writer->unfinished, writer->path) != 0)
        status = fail_written(writer);
    cnn_pack_abandon(writer);
    return status;
}

void cnn_pack_abandon(cnn_pack_writer *writer)
{
    if (!writer)
        return;
    if (writer->file >= 0) {
        (void)unlink(writer->unfinished); /* nothing, where it has its name */
        close(writer->file);
    }
    free(writer->path);
    free(writer->unfinished);
    free(writer->table);
    free(writer);
}
