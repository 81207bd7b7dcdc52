/* The seal of an archive: metadata with the SHA-256 of the file's bytes, zeros standing for the
 * seal's own digits. */
#ifndef MODEL_SEAL_H
#define MODEL_SEAL_H

#include "base/file.h"

/* The pieces are the file's bytes; one of them holds the header's text, which ends with a zero byte
 * that is not among them. */

/* Writes the seal over its zeros in the header. */
void cnn_seal_set(char *header, const cnn_piece *pieces, size_t count);
/* Compares the seal, and leaves zeros in its place. Errors: DATA. */
cnn_status cnn_seal_check(char *header, const char *path, const cnn_piece *pieces, size_t count);

#endif
