/* The format: two zero bytes, the element type, the number of dimensions; each dimension as a
 * big-endian 32-bit number; the values, row-major. zlib reads gzipped and plain files alike. */
#include "image/idx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/signature.h"
#include "base/status.h"
#include "base/text.h"

enum {
    UNSIGNED_BYTE = 0x08,
    IMAGE_RANK = 3, /* and above */
    MAGIC_SIZE = 4,
    DIMENSION_SIZE = 4,
    BUFFER_SIZE = 128 * 1024,
    LEAST_BUFFER = 1024,
    CHUNK_SIZE = 1 << 30,  /* gzread() counts with int */
    MOST_EXPANSION = 1032, /* deflate's limit, from zlib's technical notes */
};

static const char *const dimension_names[CNN_IDX_MAX_RANK + 1][CNN_IDX_MAX_RANK] = {
    [1] = {"count"},
    [2] = {"count", "columns"},
    [3] = {"count", "height", "width"},
    [4] = {"count", "channels", "height", "width"},
};

typedef struct idx_reader {
    gzFile file;
    const char *path;
    uint64_t file_size; /* bytes on disk */
} idx_reader;

/* zlib takes three times as much: a small file needs less. */
static unsigned buffer_size(uint64_t file_size)
{
    return file_size > BUFFER_SIZE    ? BUFFER_SIZE
           : file_size < LEAST_BUFFER ? LEAST_BUFFER
                                      : (unsigned)file_size;
}

static cnn_status open_reader(idx_reader *reader, const char *path)
{
    *reader = (idx_reader){.path = path};
    /* O_NONBLOCK: a pipe is refused below, and must not be waited for here. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (file < 0 || fstat(file, &info) != 0) {
        int error = errno;
        if (file >= 0)
            close(file);
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(error));
    }
    if (!S_ISREG(info.st_mode)) {
        close(file);
        return cnn_fail(CNN_ERROR_FILE, "%s: expected a regular file", path);
    }
    reader->file_size = (uint64_t)info.st_size;
    reader->file = gzdopen(file, "rb");
    if (!reader->file) {
        close(file);
        return cnn_fail_memory(BUFFER_SIZE, path);
    }
    gzbuffer(reader->file, buffer_size(reader->file_size));
    return CNN_OK;
}

/* What zlib says about the last read; CNN_OK where it has nothing to complain about. */
static cnn_status check_stream(const idx_reader *reader)
{
    int code = Z_OK;
    const char *message = gzerror(reader->file, &code);
    if (code == Z_OK || code == Z_STREAM_END)
        return CNN_OK;
    if (code == Z_ERRNO)
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be read: %s", reader->path, strerror(errno));
    if (code == Z_MEM_ERROR)
        return cnn_fail_memory(BUFFER_SIZE, reader->path);
    /* zlib puts its own name of the file in front. */
    const char *colon = strstr(message, ": ");
    return cnn_fail(CNN_ERROR_DATA, "%s: corrupt or truncated gzip data (fetch it again): %s",
                    reader->path, colon ? colon + 2 : message);
}

static cnn_status read_bytes(const idx_reader *reader, uint8_t *bytes, size_t size,
                             const char *what)
{
    size_t done = 0;
    while (done < size) {
        size_t chunk = size - done < CHUNK_SIZE ? size - done : CHUNK_SIZE;
        int count = gzread(reader->file, bytes + done, (unsigned)chunk);
        if (count > 0) {
            done += (size_t)count;
            continue;
        }
        cnn_status status = check_stream(reader);
        if (status != CNN_OK)
            return status;
        return cnn_fail(CNN_ERROR_DATA, "%s: truncated: expected %zu bytes of %s, found %zu",
                        reader->path, size, what, done);
    }
    return CNN_OK;
}

/* Also makes zlib compare the checksum behind the data. */
static cnn_status check_end(const idx_reader *reader)
{
    uint8_t byte;
    int count = gzread(reader->file, &byte, 1);
    if (count > 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected the end of the file after the values that its header "
                        "declares, found more data",
                        reader->path);
    return check_stream(reader);
}

/* The types that labels may have. */
static const struct element {
    uint8_t code;
    int width;
    bool is_signed;
} elements[] = {{UNSIGNED_BYTE, 1, false}, {0x09, 1, true}, {0x0b, 2, true}, {0x0c, 4, true}};

static const struct element *find_element(uint8_t code)
{
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++)
        if (elements[i].code == code)
            return &elements[i];
    return NULL;
}

static cnn_status check_type(uint8_t code, const char *path, int high)
{
    if (code == UNSIGNED_BYTE || (high < IMAGE_RANK && find_element(code)))
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: element type: expected 0x08 (unsigned byte)%s, found 0x%02x", path,
                    high < IMAGE_RANK ? " or another type of whole numbers" : "", code);
}

/* What is known is named: a file that is no IDX file, or what a gzipped one holds. */
static cnn_status fail_magic(const uint8_t magic[MAGIC_SIZE], const char *path)
{
    char found[CNN_SIGNATURE_TEXT];
    uint8_t head[CNN_SIGNATURE_BYTES];
    gzFile file = gzopen(path, "rbe");
    int size = file ? gzread(file, head, sizeof head) : 0;
    if (file)
        gzclose(file);
    if (size < MAGIC_SIZE || memcmp(head, magic, MAGIC_SIZE) != 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: magic: expected an IDX file, which starts with the bytes 00 00, "
                        "found %02x %02x",
                        path, magic[0], magic[1]);
    /* A gzipped picture may be for `predict`: no way to a data set is told of it. */
    const cnn_signature *signature = cnn_signature_find(head, (size_t)size);
    bool picture = signature && signature->group == CNN_SIGNATURE_PICTURE;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: magic: expected an IDX file, which starts with the bytes 00 00, found %s",
                    path,
                    cnn_signature_found(found, head, (size_t)size,
                                        picture ? CNN_WANTED_PICTURE : CNN_WANTED_DATA));
}

static cnn_status check_magic(const uint8_t magic[MAGIC_SIZE], const char *path, int low, int high)
{
    if (magic[0] != 0 || magic[1] != 0)
        return fail_magic(magic, path);
    if (magic[3] >= low && magic[3] <= high)
        return check_type(magic[2], path, high);
    if (high < IMAGE_RANK)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: dimensions: expected %d (labels), found %d: is it a file of "
                        "images?",
                        path, low, magic[3]);
    return cnn_fail(CNN_ERROR_DATA, "%s: dimensions: expected %d to %d (images), found %d%s", path,
                    low, high, magic[3], magic[3] == 1 ? ": is it a file of labels?" : "");
}

static cnn_status check_dimension(const cnn_idx *idx, int axis, const char *path)
{
    uint32_t high = axis == 0 ? UINT32_MAX : CNN_IDX_MAX_SIDE;
    if (idx->shape[axis] >= 1 && idx->shape[axis] <= high)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA, "%s: %s: expected 1 to %u, found %u", path,
                    dimension_names[idx->rank][axis], (unsigned)high, (unsigned)idx->shape[axis]);
}

static cnn_status read_header(cnn_idx *idx, const idx_reader *reader, int low, int high)
{
    cnn_status status = CNN_OK;
    uint8_t magic[MAGIC_SIZE];
    CNN_TRY(read_bytes(reader, magic, sizeof magic, "the header"));
    CNN_TRY(check_magic(magic, reader->path, low, high));
    idx->rank = magic[3];
    idx->width = find_element(magic[2])->width;
    idx->is_signed = find_element(magic[2])->is_signed;
    for (int axis = 0; axis < idx->rank; axis++) {
        uint8_t bytes[DIMENSION_SIZE];
        CNN_TRY(read_bytes(reader, bytes, sizeof bytes, "the header"));
        idx->shape[axis] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                           (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
        CNN_TRY(check_dimension(idx, axis, reader->path));
    }
out:
    return status;
}

static cnn_status fail_too_large(const cnn_idx *idx, const idx_reader *reader)
{
    cnn_text text = {0};
    char *shape;
    for (int axis = 0; axis < idx->rank; axis++)
        cnn_text_append(&text, "%s%u", axis ? " x " : "", (unsigned)idx->shape[axis]);
    cnn_status status = cnn_text_take(&shape, &text);
    if (status != CNN_OK)
        return status;
    status = cnn_fail(CNN_ERROR_DATA,
                      "%s: truncated: the header declares %s values, more than a file of %llu "
                      "bytes can hold",
                      reader->path, shape, (unsigned long long)reader->file_size);
    free(shape);
    return status;
}

static cnn_status read_values(cnn_idx *idx, const idx_reader *reader)
{
    cnn_status status = CNN_OK;
    size_t size = (size_t)idx->width;
    bool fits = true;
    for (int axis = 0; fits && axis < idx->rank; axis++)
        fits = cnn_multiply_size(&size, size, idx->shape[axis]);
    unsigned expansion = gzdirect(reader->file) ? 1 : MOST_EXPANSION;
    if (!fits || size / expansion > reader->file_size)
        return fail_too_large(idx, reader);
    CNN_TRY(cnn_allocate(&idx->values, size, 1, reader->path));
    CNN_TRY(read_bytes(reader, idx->values, size, "values"));
    idx->size = size;
out:
    return status;
}

cnn_status cnn_idx_read(cnn_idx *idx, const char *path, int low, int high)
{
    *idx = (cnn_idx){0};
    idx_reader reader;
    cnn_status status = CNN_OK;
    CNN_TRY(open_reader(&reader, path));
    CNN_TRY(read_header(idx, &reader, low, high));
    CNN_TRY(read_values(idx, &reader));
    CNN_TRY(check_end(&reader));
out:
    if (reader.file)
        gzclose(reader.file);
    if (status != CNN_OK)
        cnn_idx_finish(idx);
    return status;
}

int64_t cnn_idx_label(const cnn_idx *idx, size_t index)
{
    size_t columns = idx->rank > 1 ? idx->shape[1] : 1, width = (size_t)idx->width;
    const uint8_t *at = idx->values + index * columns * width;
    int64_t value = idx->is_signed && at[0] > INT8_MAX ? -1 : 0;
    for (size_t i = 0; i < width; i++)
        value = value * 256 + at[i];
    return value;
}

bool cnn_is_emnist(const char *path)
{
    const char *slash = strrchr(path, '/');
    return cnn_starts_with_ignoring_case(slash ? slash + 1 : path, "emnist");
}

cnn_status cnn_images_turn(uint8_t *images, size_t count, size_t height, size_t width)
{
    size_t plane = height * width;
    uint8_t *turned = NULL;
    cnn_status status = cnn_allocate(&turned, plane, 1, "an image");
    for (size_t i = 0; status == CNN_OK && i < count; i++) {
        uint8_t *image = images + i * plane;
        for (size_t y = 0; y < height; y++)
            for (size_t x = 0; x < width; x++)
                turned[x * height + y] = image[y * width + x];
        memcpy(image, turned, plane);
    }
    free(turned);
    return status;
}

void cnn_images_tell_turned(const char *path)
{
    cnn_log(CNN_LOG_INFO, "%s: EMNIST stores its images transposed: they are turned upright", path);
}

void cnn_idx_finish(cnn_idx *idx)
{
    free(idx->values);
    *idx = (cnn_idx){0};
}
