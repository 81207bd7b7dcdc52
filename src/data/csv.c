/* Images as rows of a table: a label and the pixels of a square image, with a header or without. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/csv.h"
#include "data/place.h"
#include "image/idx.h"

enum { BUFFER_SIZE = 1 << 17, MOST_LINE = 1 << 24, FIRST_LINE = 1 << 14, MOST_SIDE = 2048 };

/* A file line by line; gzipped or not. */
typedef struct csv_reader {
    gzFile file;
    const char *path;
    char *line; /* (room) */
    size_t room, number;
    char separator;
} csv_reader;

typedef struct csv_table {
    size_t columns, label; /* the label's column; columns where there is none */
    bool named;            /* by the header, else the first column is taken */
    int side;
    size_t count, room;
    uint8_t *images;  /* (room, side, side) */
    uint16_t *labels; /* (room) */
} csv_table;

static cnn_status open_reader(csv_reader *reader, const char *path)
{
    *reader = (csv_reader){.path = path, .separator = ','};
    reader->file = gzopen(path, "rbe");
    if (!reader->file)
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    gzbuffer(reader->file, BUFFER_SIZE);
    reader->room = FIRST_LINE;
    return cnn_allocate(&reader->line, reader->room, 1, path);
}

static void close_reader(csv_reader *reader)
{
    if (reader->file)
        gzclose(reader->file);
    free(reader->line);
}

static cnn_status check_stream(const csv_reader *reader)
{
    int code = Z_OK;
    const char *message = gzerror(reader->file, &code);
    if (code == Z_OK || code == Z_STREAM_END)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA, "%s: cannot be read to its end: %s", reader->path, message);
}

/* The next line without its end; *more is false behind the last. Empty lines are passed over. */
static cnn_status read_line(csv_reader *reader, bool *more)
{
    size_t length = 0;
    for (*more = false; reader->line && gzgets(reader->file, reader->line + length,
                                               (int)(reader->room - length));) {
        length += strlen(reader->line + length);
        bool whole = length > 0 && reader->line[length - 1] == '\n';
        if (!whole && length + 1 < reader->room && !gzeof(reader->file))
            return cnn_fail(CNN_ERROR_DATA, "%s: line %zu: expected text, found a zero byte",
                            reader->path, reader->number + 1);
        if (!whole && !gzeof(reader->file)) {
            if (reader->room >= MOST_LINE)
                return cnn_fail(CNN_ERROR_DATA, "%s: line %zu: longer than %d bytes", reader->path,
                                reader->number + 1, MOST_LINE);
            char *longer = realloc(reader->line, 2 * reader->room);
            if (!longer)
                return cnn_fail_memory(2 * reader->room, reader->path);
            reader->line = longer;
            reader->room *= 2;
            continue;
        }
        reader->number++;
        while (length > 0 && strchr("\r\n \t", reader->line[length - 1]))
            reader->line[--length] = '\0';
        *more = length > 0;
        if (*more)
            return CNN_OK;
    }
    return check_stream(reader);
}

/* The field at *at, which is moved behind it and its separator; false where there is none. Quotes
 * around it are left out. */
static bool next_field(char **field, size_t *length, char **at, char separator)
{
    if (!*at)
        return false;
    char *end = strchr(*at, separator);
    *field = *at;
    *length = end ? (size_t)(end - *at) : strlen(*at);
    *at = end ? end + 1 : NULL;
    while (*length > 0 && strchr(" \t\"'", **field)) {
        ++*field;
        --*length;
    }
    while (*length > 0 && strchr(" \t\"'", (*field)[*length - 1]))
        --*length;
    return true;
}

/* Digits, and perhaps a point and zeros. */
static bool parse_number(unsigned *number, const char *field, size_t length)
{
    size_t i = 0;
    *number = 0;
    for (; i < length && cnn_is_digit(field[i]) && *number < 1000000; i++)
        *number = 10 * *number + (unsigned)(field[i] - '0');
    if (i == 0)
        return false;
    if (i < length && field[i] == '.')
        for (i++; i < length && field[i] == '0'; i++)
            ;
    return i == length;
}

static bool is_label_name(const char *field, size_t length)
{
    static const char *const names[] = {"label", "labels", "class", "target", "y", "digit"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t at = 0;
        while (at < length && names[i][at] == cnn_to_lower(field[at]))
            at++;
        if (at == length && names[i][at] == '\0')
            return true;
    }
    return false;
}

static int square_side(size_t pixels)
{
    int side = 1;
    while (side < MOST_SIDE && (size_t)side * (size_t)side < pixels)
        side++;
    return (size_t)side * (size_t)side == pixels ? side : 0;
}

/* Commas, or what stands in their place. */
static char find_separator(const char *line)
{
    static const char others[] = ";\t";
    for (const char *at = others; *at && !strchr(line, ','); at++)
        if (strchr(line, *at))
            return *at;
    return ',';
}

/* Counts the columns of a first line, finds the label's by its name, and tells a header: most of
 * its fields are no numbers, or they count. */
static bool count_columns(csv_table *table, const csv_reader *reader)
{
    char *at = reader->line, *field;
    size_t length, words = 0, from_0 = 0, from_1 = 0;
    unsigned number;
    bool names_first = false;
    if (cnn_starts_with(at, "\xef\xbb\xbf")) /* some programs open UTF-8 files with it */
        at += 3;
    for (; next_field(&field, &length, &at, reader->separator); table->columns++) {
        bool is_number = parse_number(&number, field, length);
        words += !is_number;
        names_first = names_first || (!is_number && table->columns == 0 && length > 0);
        from_0 += is_number && number + 1 == table->columns;
        from_1 += is_number && number == table->columns;
        if (!table->named && is_label_name(field, length)) {
            table->named = true;
            table->label = table->columns;
        }
    }
    bool counts = from_0 + 1 == table->columns || from_1 + 1 == table->columns;
    return table->named || 2 * words > table->columns || (names_first && counts);
}

/* Of a first line: its columns, whether it is a header, and which column is the label. */
static cnn_status examine(csv_table *table, bool *is_header, csv_reader *reader)
{
    char *field = reader->line, *at = reader->line, quoted[CNN_QUOTE_SIZE], name[24] = "";
    size_t length;
    reader->separator = find_separator(reader->line);
    *is_header = count_columns(table, reader);
    table->side = square_side(table->columns - 1);
    if (table->columns > 1 && table->side == 0 && !table->named &&
        square_side(table->columns)) { /* pixels alone, as of a contest */
        table->label = table->columns;
        table->side = square_side(table->columns);
    }
    if (table->columns <= 2 || table->side == 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: line %zu: expected a label and the pixels of a square grey image (785 "
                        "columns for 28 x 28), found %zu column%s%s",
                        reader->path, reader->number, table->columns,
                        table->columns == 1 ? "" : "s",
                        table->columns == 2 ? ": pictures that a table names are read from a "
                                              "folder for each class"
                                            : "");
    if (*is_header && !table->named && table->label < table->columns &&
        next_field(&field, &length, &at, reader->separator)) {
        snprintf(name, sizeof name, "%.*s",
                 length < sizeof name ? (int)length : (int)sizeof name - 1, field);
        cnn_log(CNN_LOG_INFO, "%s: no column is called label: the first, '%s', is taken",
                reader->path, cnn_quote(quoted, name));
    }
    return CNN_OK;
}

static cnn_status make_room(csv_table *table, const char *path)
{
    enum { FIRST_ROOM = 256 };
    size_t image = (size_t)table->side * (size_t)table->side;
    if (table->count < table->room)
        return CNN_OK;
    size_t room = table->room ? 2 * table->room : FIRST_ROOM;
    uint8_t *images = image > 0 ? realloc(table->images, room * image) : NULL;
    if (images)
        table->images = images;
    uint16_t *labels = realloc(table->labels, room * sizeof *labels);
    if (labels)
        table->labels = labels;
    if (!images || !labels) {
        cnn_fail_memory(room * image, path);
        return CNN_ERROR_MEMORY;
    }
    table->room = room;
    return CNN_OK;
}

static cnn_status fail_field(const csv_reader *reader, size_t column, const char *expected,
                             const char *field, size_t length)
{
    char text[24], quoted[CNN_QUOTE_SIZE];
    snprintf(text, sizeof text, "%.*s", length < sizeof text ? (int)length : (int)sizeof text - 1,
             field);
    return cnn_fail(CNN_ERROR_DATA, "%s: line %zu, column %zu: expected %s, found '%s'",
                    reader->path, reader->number, column + 1, expected, cnn_quote(quoted, text));
}

static cnn_status take_row(csv_table *table, const csv_reader *reader)
{
    char *at = reader->line, *field;
    size_t length, column = 0, image = (size_t)table->side * (size_t)table->side;
    cnn_status status = make_room(table, reader->path);
    if (status != CNN_OK)
        return status;
    uint8_t *pixel = table->images + table->count * image;
    for (; next_field(&field, &length, &at, reader->separator); column++) {
        unsigned number;
        bool good = parse_number(&number, field, length);
        if (column >= table->columns)
            continue;
        if (column == table->label) {
            if (!good || number >= CNN_CLASS_LIMIT)
                return fail_field(reader, column, "a label of 0 to 65534", field, length);
            table->labels[table->count] = (uint16_t)number;
        } else if (!good || number > UINT8_MAX) {
            return fail_field(reader, column, "a pixel, a whole number of 0 to 255", field, length);
        } else {
            *pixel++ = (uint8_t)number;
        }
    }
    if (column != table->columns)
        return cnn_fail(CNN_ERROR_DATA, "%s: line %zu: expected %zu columns, found %zu",
                        reader->path, reader->number, table->columns, column);
    table->count++;
    return CNN_OK;
}

/* Of several rows. */
static bool has_one_label(const csv_table *table)
{
    for (size_t i = 1; i < table->count; i++)
        if (table->labels[i] != table->labels[0])
            return false;
    return table->count > 1;
}

static cnn_status read_table(csv_table *table, csv_reader *reader)
{
    bool more, is_header;
    cnn_status status = CNN_OK;
    CNN_TRY(read_line(reader, &more));
    if (!more)
        return cnn_fail(CNN_ERROR_DATA, "%s: expected rows of images, found an empty file",
                        reader->path);
    CNN_TRY(examine(table, &is_header, reader));
    if (!is_header)
        CNN_TRY(take_row(table, reader));
    while (more && table->label < table->columns) {
        CNN_TRY(read_line(reader, &more));
        if (more)
            CNN_TRY(take_row(table, reader));
    }
    if (!table->named && table->label < table->columns && has_one_label(table))
        cnn_log(CNN_LOG_WARNING,
                "%s: the label, the first column, is %d in all %zu rows: a label in another column "
                "is to be called label in a header",
                reader->path, table->labels[0], table->count);
    if (table->count == 0 && table->label < table->columns)
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: expected rows of images below the header, found none", reader->path);
out:
    return status;
}

cnn_status cnn_csv_read(cnn_source **source, const char *path)
{
    csv_reader reader = {0};
    csv_table table = {0};
    cnn_status status = CNN_OK;
    *source = NULL;
    CNN_TRY(open_reader(&reader, path));
    CNN_TRY(read_table(&table, &reader));
    if (table.label == table.columns)
        goto out;
    const int shape[3] = {1, table.side, table.side};
    if (cnn_is_emnist(path)) {
        CNN_TRY(cnn_images_turn(table.images, table.count, (size_t)table.side, (size_t)table.side));
        cnn_images_tell_turned(path);
    }
    status = cnn_source_from_memory(source, shape, table.count, table.images, table.labels);
    table.images = NULL;
    table.labels = NULL;
out:
    close_reader(&reader);
    free(table.images);
    free(table.labels);
    return status;
}
