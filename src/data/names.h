/* The names of classes, in the order of their labels. */
#ifndef DATA_NAMES_H
#define DATA_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include <cnncl/error.h>

/* Start from {0}. */
typedef struct cnn_names {
    int count;
    char **at; /* (count); owned */
    int room;
} cnn_names;

/* Adds a copy. Errors: MEMORY. */
cnn_status cnn_names_add(cnn_names *names, const char *name);
void cnn_names_finish(cnn_names *names);
/* The first place of a name, of `from` and those behind; -1: there is none. */
int cnn_names_find(const cnn_names *names, const char *name, int from);

/* Is it printable UTF-8 without the end of a line? */
bool cnn_is_line(const char *text);

/* Adds a name for each line of a text file: one that is not empty, and is printable UTF-8. path
 * names the file, limit is the most names that are taken. Errors: FILE, DATA, MEMORY. */
cnn_status cnn_names_read(cnn_names *names, const char *path, int limit);

#endif
