#include "model/seal.h"

#include <string.h>

#include "base/hash.h"
#include "base/status.h"
#include "model/archive.h"

/* The seal's digits in a header; NULL where there is none. Inside a JSON string the quotes would be
 * escaped, so what is found is the metadata. */
static char *find_digits(char *header)
{
    static const char key[] = "\"" CNN_ARCHIVE_SEAL "\":\"";
    char *found = strstr(header, key);
    if (!found)
        return NULL;
    char *digits = found + sizeof key - 1;
    return strcspn(digits, "\"") == CNN_HASH_DIGITS ? digits : NULL;
}

void cnn_seal_set(char *header, const cnn_piece *pieces, size_t count)
{
    char hash[CNN_HASH_SIZE];
    cnn_hash(hash, pieces, count);
    memcpy(find_digits(header), hash, CNN_HASH_DIGITS);
}

cnn_status cnn_seal_check(char *header, const char *path, const cnn_piece *pieces, size_t count)
{
    char found[CNN_HASH_SIZE] = "", expected[CNN_HASH_SIZE];
    char *digits = find_digits(header);
    if (!digits)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "%s: expected the metadata " CNN_ARCHIVE_SEAL ", found none", path);
    memcpy(found, digits, CNN_HASH_DIGITS);
    memset(digits, '0', CNN_HASH_DIGITS);
    cnn_hash(expected, pieces, count);
    if (strcmp(found, expected) == 0)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA, "%s: damaged: its bytes do not give the SHA-256 that is in it",
                    path);
}
