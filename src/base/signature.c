/* The signatures are those of the formats' own specifications. */
#include "base/signature.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"

#define CONVERT "convert it: "
#define MAGICK CONVERT "convert FILE FILE.png (Debian's package imagemagick)"
#define HEIF CONVERT "heif-convert FILE FILE.png (Debian's package libheif-examples)"
#define RAW CONVERT "darktable-cli FILE FILE.png (Debian's package darktable)"
#define UNPACK "unpack it and name what is inside"

typedef bool check(const uint8_t *data, size_t size);

static bool contains(const uint8_t *data, size_t size, const char *part)
{
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(data + i, part, length) == 0)
            return true;
    return false;
}

/* The name of a zip archive's first file, as far as it is there: its length is at 26, itself at 30.
 */
static size_t first_name(const uint8_t **name, const uint8_t *data, size_t size)
{
    enum { AT = 30 };
    if (size < AT)
        return 0;
    size_t length = (size_t)(data[26] | data[27] << 8), room = size - AT;
    *name = data + AT;
    return length < room ? length : room;
}

static bool first_name_has(const uint8_t *data, size_t size, const char *part)
{
    const uint8_t *name = NULL;
    size_t length = first_name(&name, data, size);
    return length > 0 && contains(name, length, part);
}

static bool is_npz(const uint8_t *data, size_t size)
{
    return first_name_has(data, size, ".npy");
}

static bool is_torch(const uint8_t *data, size_t size)
{
    return first_name_has(data, size, "/data.pkl") || first_name_has(data, size, "/version") ||
           first_name_has(data, size, "/byteorder") ||
           first_name_has(data, size, "/.format_version");
}

/* Is the first name this, or does it begin with it? Its first folder is left out for "/...". */
static bool first_name_is(const uint8_t *data, size_t size, const char *wanted, bool whole)
{
    const uint8_t *name = NULL;
    size_t length = first_name(&name, data, size), wanted_length = strlen(wanted);
    const uint8_t *start = length > 0 && wanted[0] == '/' ? memchr(name, '/', length) : name;
    if (!start)
        return false;
    length -= (size_t)(start - name);
    return length >= wanted_length && memcmp(start, wanted, wanted_length) == 0 &&
           (!whole || length == wanted_length);
}

/* torch.jit.save() and torch.export.save() write a program beside the tensors: NAME/data/0,
 * NAME/code/__torch__... */
static bool is_torch_program(const uint8_t *data, size_t size)
{
    return first_name_is(data, size, "/data/0", true) ||
           first_name_is(data, size, "/code/__torch__", false) ||
           first_name_is(data, size, "/archive_format", true) ||
           first_name_is(data, size, "serialized_exported_program.json", true);
}

static bool is_keras(const uint8_t *data, size_t size)
{
    return first_name_is(data, size, "metadata.json", true) ||
           first_name_is(data, size, "config.json", true) ||
           first_name_is(data, size, "model.weights.h5", true);
}

/* Of a pickle the version follows, and an opcode. Before PyTorch 1.6 torch.save() wrote a number of
 * ten bytes first. */
static bool is_pickle(const uint8_t *data, size_t size)
{
    return size >= 3 && data[1] >= 2 && data[1] <= 5;
}

static bool is_old_torch(const uint8_t *data, size_t size)
{
    return size >= 14 && memcmp(data + 2,
                                "\x8a\x0al\xfc\x9c"
                                "F\xf9 j\xa8P\x19.",
                                12) == 0;
}

/* The length of the header, which is below 100 MB, is in the first eight bytes. */
static bool is_safetensors(const uint8_t *data, size_t size)
{
    return size > 8 && memcmp(data + 4, (uint8_t[4]){0}, 4) == 0;
}

/* A protobuf message: ir_version, and then one of the fields of a ModelProto that are written
 * first. */
static bool is_onnx(const uint8_t *data, size_t size)
{
    return size >= 4 && data[1] >= 1 && data[1] <= 32 &&
           (data[2] == 0x12 || data[2] == 0x1a || data[2] == 0x22 || data[2] == 0x3a ||
            data[2] == 0x42);
}

/* Behind the file's size are four reserved bytes. */
static bool is_bmp(const uint8_t *data, size_t size)
{
    return size >= 14 && memcmp(data + 6, (uint8_t[4]){0}, 4) == 0;
}

/* "CR" behind the first offset: Canon's raw files are TIFF by their first bytes. */
static bool is_canon_raw(const uint8_t *data, size_t size)
{
    return size >= 10 && data[8] == 'C' && data[9] == 'R';
}

/* No bytes of its own: a type of image, with a colour map where it says so, a size, a depth. */
static bool is_tga(const uint8_t *data, size_t size)
{
    if (size < 18)
        return false;
    unsigned type = data[2] & ~8U, depth = data[16]; /* 8: run lengths */
    return data[1] == (type == 1) && type >= 1 && type <= 3 && (data[12] | data[13]) != 0 &&
           (data[14] | data[15]) != 0 && data[17] < 64 &&
           (depth == 8 || depth == 15 || depth == 16 || depth == 24 || depth == 32);
}

/* A version, run lengths or none, bits of a plane's pixel. */
static bool is_pcx(const uint8_t *data, size_t size)
{
    return size >= 128 && data[1] <= 5 && data[2] <= 1 &&
           (data[3] == 1 || data[3] == 2 || data[3] == 4 || data[3] == 8);
}

static bool is_idx(const uint8_t *data, size_t size)
{
    return size >= 4 && data[2] >= 8 && data[2] <= 0x0e && data[3] >= 1;
}

static bool is_netpbm(const uint8_t *data, size_t size)
{
    return size >= 3 && data[1] >= '1' && data[1] <= '6' &&
           (strchr(" \t\r\n#\v\f", data[2]) != NULL && data[2] != 0);
}

static bool is_other_netpbm(const uint8_t *data, size_t size)
{
    return size >= 3 && (data[1] == '7' || data[1] == 'f' || data[1] == 'F') && data[2] == '\n';
}

static bool is_svg(const uint8_t *data, size_t size)
{
    return contains(data, size, "<svg");
}

/* The first that fits counts. */
static const struct row {
    size_t at;
    const char *bytes;
    size_t length;
    check *check; /* what must hold besides, or NULL */
    cnn_signature signature;
} rows[] = {
#define AT(at, bytes) at, bytes, sizeof(bytes) - 1
    {AT(0, "\x89PNG\r\n\x1a\n"), NULL, {"PNG", "a PNG picture", CNN_SIGNATURE_PICTURE, NULL}},
    {AT(0, "\xff\xd8\xff"), NULL, {"JPEG", "a JPEG picture", CNN_SIGNATURE_PICTURE, NULL}},
    {AT(0, "P"), is_netpbm, {"PNM", "a PBM, PGM or PPM picture", CNN_SIGNATURE_PICTURE, NULL}},
    {AT(0, "P"),
     is_other_netpbm,
     {"PAM", "a PAM or PFM picture", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(8, "WEBP"), NULL, {"WebP", "a WebP picture", CNN_SIGNATURE_PICTURE, NULL}},
#define HEIC(brand)                                                                                \
    {                                                                                              \
        AT(4, "ftyp" brand), NULL,                                                                 \
        {                                                                                          \
            "HEIC", "a HEIC picture", CNN_SIGNATURE_OTHER_PICTURE, HEIF                            \
        }                                                                                          \
    }
    HEIC("heic"),
    HEIC("heix"),
    HEIC("heim"),
    HEIC("heis"),
    HEIC("hevc"),
    HEIC("hevx"),
    HEIC("mif1"),
    HEIC("msf1"),
#undef HEIC
    {AT(4, "ftypavif"), NULL, {"AVIF", "an AVIF picture", CNN_SIGNATURE_OTHER_PICTURE, HEIF}},
    {AT(4, "ftypavis"), NULL, {"AVIF", "an AVIF picture", CNN_SIGNATURE_OTHER_PICTURE, HEIF}},
    {AT(4, "ftypcrx "), NULL, {"raw", "a camera's raw picture", CNN_SIGNATURE_OTHER_PICTURE, RAW}},
    {AT(4, "ftyp"),
     NULL,
     {"MP4", "a video", CNN_SIGNATURE_OTHER,
      "ffmpeg -i FILE -frames:v 1 FILE.png takes its first picture"}},
    {AT(0, "BM"), is_bmp, {"BMP", "a BMP picture", CNN_SIGNATURE_PICTURE, NULL}},
    {AT(0, "GIF8"), NULL, {"GIF", "a GIF picture", CNN_SIGNATURE_PICTURE, NULL}},
    {AT(0, "II*\0"),
     is_canon_raw,
     {"raw", "a camera's raw picture", CNN_SIGNATURE_OTHER_PICTURE, RAW}},
    {AT(0, "FUJIFILMCCD-RAW"),
     NULL,
     {"raw", "a camera's raw picture", CNN_SIGNATURE_OTHER_PICTURE, RAW}},
    {AT(0, "IIRO"), NULL, {"raw", "a camera's raw picture", CNN_SIGNATURE_OTHER_PICTURE, RAW}},
    {AT(0, "IIU\0"), NULL, {"raw", "a camera's raw picture", CNN_SIGNATURE_OTHER_PICTURE, RAW}},
    {AT(0, "II*\0"), NULL, {"TIFF", "a TIFF picture", CNN_SIGNATURE_PICTURE, NULL}},
    {AT(0, "MM\0*"), NULL, {"TIFF", "a TIFF picture", CNN_SIGNATURE_PICTURE, NULL}},
    {AT(0, "II+\0"), NULL, {"TIFF", "a TIFF picture", CNN_SIGNATURE_PICTURE, NULL}},
    {AT(0, "MM\0+"), NULL, {"TIFF", "a TIFF picture", CNN_SIGNATURE_PICTURE, NULL}},
    {AT(0, "\0\0\0\x0cjP  "),
     NULL,
     {"JPEG 2000", "a JPEG 2000 picture", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(0, "\xff\x4f\xff\x51"),
     NULL,
     {"JPEG 2000", "a JPEG 2000 picture", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(0, "\0\0\0\x0cJXL "),
     NULL,
     {"JPEG XL", "a JPEG XL picture", CNN_SIGNATURE_OTHER_PICTURE,
      CONVERT "djxl FILE FILE.png (Debian's package libjxl-tools)"}},
    {AT(0, "\xff\x0a"),
     NULL,
     {"JPEG XL", "a JPEG XL picture", CNN_SIGNATURE_OTHER_PICTURE,
      CONVERT "djxl FILE FILE.png (Debian's package libjxl-tools)"}},
    {AT(0, "8BPS"),
     NULL,
     {"PSD", "a Photoshop picture", CNN_SIGNATURE_OTHER_PICTURE,
      CONVERT "convert 'FILE[0]' FILE.png (Debian's package imagemagick)"}},
    {AT(0, "\0\0\1\0"), NULL, {"ICO", "an icon (ICO)", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(0, "qoif"), NULL, {"QOI", "a QOI picture", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(0, "\x0a"), is_pcx, {"PCX", "a PCX picture", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(0, "v/1\1"), NULL, {"EXR", "an OpenEXR picture", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(128, "DICM"),
     NULL,
     {"DICOM", "a DICOM picture", CNN_SIGNATURE_OTHER_PICTURE,
      CONVERT "dcmj2pnm --write-png FILE FILE.png (Debian's package dcmtk)"}},
    {AT(0, "SIMPLE  ="), NULL, {"FITS", "a FITS picture", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(0, "%PDF"),
     NULL,
     {"PDF", "a PDF document", CNN_SIGNATURE_OTHER,
      CONVERT "pdftoppm -png -r 150 FILE FILE (Debian's package poppler-utils)"}},
    {AT(0, "%!PS"),
     NULL,
     {"PostScript", "a PostScript document", CNN_SIGNATURE_OTHER,
      CONVERT "gs -sDEVICE=png16m -r150 -o FILE.png FILE (Debian's package ghostscript)"}},
    {AT(0, "<svg"), NULL, {"SVG", "an SVG drawing", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(0, "<?xml"), is_svg, {"SVG", "an SVG drawing", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(0, "PK\3\4"), is_npz, {"npz", "arrays of NumPy's (npz)", CNN_SIGNATURE_ARRAYS, NULL}},
    {AT(0, "PK\3\4"), is_torch, {"PyTorch", "a file of torch.save()", CNN_SIGNATURE_NETWORK, NULL}},
    {AT(0, "PK\3\4"),
     is_torch_program,
     {"PyTorch program", "a program of PyTorch's (torch.jit or torch.export)",
      CNN_SIGNATURE_NETWORK, NULL}},
    {AT(0, "PK\3\4"), is_keras, {"Keras", "a network of Keras's", CNN_SIGNATURE_NETWORK, NULL}},
    {AT(0, "PK\3\4"), NULL, {"zip", "a zip archive", CNN_SIGNATURE_ARCHIVE, UNPACK}},
    {AT(0, "PK\5\6"), NULL, {"zip", "an empty zip archive", CNN_SIGNATURE_ARCHIVE, NULL}},
    {AT(0, "\x93NUMPY"), NULL, {"npy", "an array of NumPy's (npy)", CNN_SIGNATURE_ARRAYS, NULL}},
    {AT(0, "\x89HDF\r\n\x1a\n"),
     NULL,
     {"HDF5", "an HDF5 file (Keras's .h5, for one)", CNN_SIGNATURE_NETWORK, NULL}},
    {AT(0, "MATLAB 5.0"), NULL, {"MATLAB", "a MATLAB file", CNN_SIGNATURE_ARRAYS, NULL}},
    {AT(0, "PAR1"), NULL, {"Parquet", "a Parquet table", CNN_SIGNATURE_ARRAYS, NULL}},
    {AT(0, "ARROW1"), NULL, {"Arrow", "an Arrow table", CNN_SIGNATURE_ARRAYS, NULL}},
    {AT(0, "SQLite format 3"), NULL, {"SQLite", "an SQLite database", CNN_SIGNATURE_ARRAYS, NULL}},
    {AT(0, "GGUF"), NULL, {"GGUF", "a GGUF network", CNN_SIGNATURE_NETWORK, NULL}},
    {AT(4, "TFL3"), NULL, {"TFLite", "a TensorFlow Lite network", CNN_SIGNATURE_NETWORK, NULL}},
    {AT(0, "\x80"),
     is_old_torch,
     {"old PyTorch", "a file of torch.save() before PyTorch 1.6", CNN_SIGNATURE_NETWORK, NULL}},
    {AT(8, "{\""),
     is_safetensors,
     {"safetensors", "a safetensors file", CNN_SIGNATURE_NETWORK, NULL}},
    {AT(0, "\x80"), is_pickle, {"pickle", "a pickle of Python's", CNN_SIGNATURE_ARRAYS, NULL}},
    {AT(0, "\x08"), is_onnx, {"ONNX", "an ONNX network", CNN_SIGNATURE_NETWORK, NULL}},
    {AT(0, "\0\0"), is_idx, {"IDX", "an IDX file", CNN_SIGNATURE_ARRAYS, NULL}},
    {AT(0, ""), is_tga, {"TGA", "a TGA picture", CNN_SIGNATURE_OTHER_PICTURE, MAGICK}},
    {AT(0, "\x1f\x8b"), NULL, {"gzip", "a gzipped file", CNN_SIGNATURE_ARCHIVE, UNPACK}},
    {AT(0, "BZh"), NULL, {"bzip2", "a bzip2 file", CNN_SIGNATURE_ARCHIVE, UNPACK}},
    {AT(0, "\xfd"
           "7zXZ\0"),
     NULL,
     {"xz", "an xz file", CNN_SIGNATURE_ARCHIVE, UNPACK}},
    {AT(0, "\x28\xb5\x2f\xfd"), NULL, {"zstd", "a zstd file", CNN_SIGNATURE_ARCHIVE, UNPACK}},
    {AT(0, "7z\xbc\xaf\x27\x1c"), NULL, {"7z", "a 7z archive", CNN_SIGNATURE_ARCHIVE, UNPACK}},
    {AT(0, "Rar!"), NULL, {"RAR", "a RAR archive", CNN_SIGNATURE_ARCHIVE, UNPACK}},
    {AT(257, "ustar"), NULL, {"tar", "a tar archive", CNN_SIGNATURE_ARCHIVE, UNPACK}},
    {AT(0, "\xff\xfe"),
     NULL,
     {"UTF-16", "text in UTF-16", CNN_SIGNATURE_OTHER, "save it as UTF-8"}},
    {AT(0, "\xfe\xff"),
     NULL,
     {"UTF-16", "text in UTF-16", CNN_SIGNATURE_OTHER, "save it as UTF-8"}},
    {AT(0, "version https://git-lfs"),
     NULL,
     {"Git LFS", "the pointer that Git LFS leaves for a file", CNN_SIGNATURE_OTHER,
      "git lfs pull fetches the file itself"}},
    {AT(0, "\x7f"
           "ELF"),
     NULL,
     {"ELF", "a program", CNN_SIGNATURE_OTHER, NULL}},
#undef AT
};

/* Pages that a download left where a file was wanted: blanks and letters of either case. */
static bool is_page(const uint8_t *data, size_t size)
{
    char start[16] = "";
    size_t first = 0;
    while (first < size && strchr(" \t\r\n", data[first]) && data[first] != 0)
        first++;
    for (size_t i = 0; i + 1 < sizeof start && first + i < size; i++)
        start[i] = (char)data[first + i];
    return start[0] == '<' && (cnn_contains_ignoring_case(start, "<!doctype html") ||
                               cnn_contains_ignoring_case(start, "<html"));
}

const cnn_signature *cnn_signature_find(const void *data, size_t size)
{
    static const cnn_signature page = {"HTML", "a page of the web (HTML)", CNN_SIGNATURE_OTHER,
                                       "download the file itself"};
    const uint8_t *bytes = data;
    size = size < CNN_SIGNATURE_BYTES ? size : CNN_SIGNATURE_BYTES;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        if (size >= row->at + row->length &&
            memcmp(bytes + row->at, row->bytes, row->length) == 0 &&
            (!row->check || row->check(bytes, size)))
            return &row->signature;
    }
    return is_page(bytes, size) ? &page : NULL;
}

cnn_status cnn_signature_read(const cnn_signature **signature, const char *path)
{
    uint8_t data[CNN_SIGNATURE_BYTES];
    *signature = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    size_t size = fread(data, 1, sizeof data, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    *signature = cnn_signature_find(data, size);
    return CNN_OK;
}

/* The start of the first line, where all that is seen is text; else nothing. */
static size_t text_length(const uint8_t *data, size_t size)
{
    size_t line = size;
    for (size_t i = 0; i < size; i++) {
        bool blank = data[i] == '\n' || data[i] == '\r';
        if ((data[i] < ' ' && !blank && data[i] != '\t') ||
            data[i] >= 0xfe) /* no UTF-8 has these */
            return 0;
        line = blank && i < line ? i : line;
    }
    return line;
}

const char *cnn_signature_found(char text[CNN_SIGNATURE_TEXT], const void *data, size_t size,
                                cnn_wanted wanted)
{
    enum { SHOWN = 32 };
    const cnn_signature *found = cnn_signature_find(data, size);
    const char *conversion = found ? cnn_signature_conversion(found, wanted) : NULL;
    const uint8_t *bytes = data;
    char start[SHOWN + 1] = "", quoted[CNN_QUOTE_SIZE];
    size_t length = text_length(bytes, size < CNN_SIGNATURE_BYTES ? size : CNN_SIGNATURE_BYTES);
    if (found)
        snprintf(text, CNN_SIGNATURE_TEXT, "%s%s%s", found->text, conversion ? "; " : "",
                 conversion ? conversion : "");
    else if (size == 0)
        snprintf(text, CNN_SIGNATURE_TEXT, "an empty file");
    else if (length > 0)
        snprintf(text, CNN_SIGNATURE_TEXT, "text that starts with '%s'",
                 cnn_quote(quoted, memcpy(start, data, length < SHOWN ? length : SHOWN)));
    else
        snprintf(text, CNN_SIGNATURE_TEXT, "a file that starts with the bytes %02x %02x %02x %02x",
                 bytes[0], size > 1 ? bytes[1] : 0, size > 2 ? bytes[2] : 0,
                 size > 3 ? bytes[3] : 0);
    return text;
}
