/* What the opcodes of pickles share: the stack, and reading on in the bytes. */
#ifndef EXCHANGE_PICKLE_STACK_H
#define EXCHANGE_PICKLE_STACK_H

#include "exchange/pickle.h"

cnn_status cnn_pickle_push(cnn_pickle *pickle, cnn_pickle_value *value);
/* How far the stack may be taken down: what lies below a mark belongs to what is built there. */
size_t cnn_pickle_floor(const cnn_pickle *pickle);
/* Errors of all that take: DATA, where nothing is left. */
cnn_status cnn_pickle_pop(cnn_pickle_value **value, cnn_pickle *pickle);
cnn_status cnn_pickle_top(cnn_pickle_value **value, cnn_pickle *pickle);
/* The values above the last mark, which goes. They are there until the next push. */
cnn_status cnn_pickle_pop_mark(cnn_pickle_value ***items, size_t *count, cnn_pickle *pickle);

cnn_status cnn_pickle_take(const unsigned char **bytes, cnn_pickle *pickle, uint64_t count);
/* An unsigned number of so many bytes, little-endian. */
cnn_status cnn_pickle_take_number(uint64_t *number, cnn_pickle *pickle, size_t width);
/* A line of the protocols of text, without its end. */
cnn_status cnn_pickle_take_line(const unsigned char **line, size_t *length, cnn_pickle *pickle);

/* A row of the table of opcodes: its function gets the row's detail. */
typedef struct cnn_pickle_opcode {
    cnn_status (*run)(cnn_pickle *pickle, int detail);
    int detail;
} cnn_pickle_opcode;

/* Numbers and texts. detail: the bytes of a number or of a length; cnn_pickle_do_text_line(): 1
 * where quotes are around it. */
cnn_status cnn_pickle_do_bool(cnn_pickle *pickle, int value);
cnn_status cnn_pickle_do_int(cnn_pickle *pickle, int width);
cnn_status cnn_pickle_do_long(cnn_pickle *pickle, int width);
cnn_status cnn_pickle_do_int_line(cnn_pickle *pickle, int unused);
cnn_status cnn_pickle_do_real(cnn_pickle *pickle, int unused);
cnn_status cnn_pickle_do_real_line(cnn_pickle *pickle, int unused);
cnn_status cnn_pickle_do_text(cnn_pickle *pickle, int width);
cnn_status cnn_pickle_do_text_line(cnn_pickle *pickle, int quoted);

#endif
