/* JSON through jansson: the one place that includes it. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <cnncl/error.h>

/* json_dumps() and json_loadb() with the C locale's numbers. */
char *cnn_json_dump(const json_t *json, size_t flags);
json_t *cnn_json_parse(const char *text, size_t size, size_t flags, json_error_t *error);

/* Indented text that ends with a newline; takes the reference of root, which may be NULL after a
 * failed build of it (MEMORY). To be freed with free(). */
cnn_status cnn_json_to_text(char **text, json_t *root);

/* A new string; "?" for what is not UTF-8, as a path or a driver's text may be. NULL where there is
 * no memory. */
json_t *cnn_json_string(const char *text);

/* A number that JSON's integers, which end at 2^63 - 1, do not hold is a string. */
json_t *cnn_json_uint64(uint64_t value);
/* Writes Chrome trace events ("Trace Event Format", Google) to path, atomically; takes the array.
 * Errors: FILE, MEMORY (also where events is NULL). */
cnn_status cnn_json_write_events(const char *path, json_t *events);
/* What cnn_json_uint64() made; false, and *value as it was, for anything else. */
bool cnn_json_get_uint64(uint64_t *value, const json_t *json);

#endif
