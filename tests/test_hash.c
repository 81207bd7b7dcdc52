/* SHA-256 against the examples of FIPS 180-4, and what tells data sets apart. */
#include <string.h>

#include "check_main.h"
#include "data/hash.h"

START_TEST(gives_the_standards_examples)
{
    char text[CNN_HASH_SIZE];
    const cnn_piece abc[] = {{"a", 1}, {"", 0}, {"bc", 2}};
    cnn_hash(text, abc, 3);
    ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    cnn_hash(text, NULL, 0);
    ck_assert_str_eq(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

enum { PIXELS = 4, COUNT = 3 };

typedef struct samples {
    int shape[3];
    uint8_t images[2][COUNT * PIXELS];
    uint16_t labels[2][COUNT];
    size_t counts[2];
} samples;

static void hash_of(char text[CNN_HASH_SIZE], const samples *at)
{
    cnn_dataset *dataset;
    ck_assert_int_eq(cnn_dataset_create(&dataset, at->shape, at->images[0], at->labels[0],
                                        at->counts[0], at->images[1], at->labels[1], at->counts[1]),
                     CNN_OK);
    ck_assert_int_eq(cnn_dataset_hash(text, dataset), CNN_OK);
    cnn_dataset_destroy(dataset);
}

START_TEST(tells_data_sets_apart)
{
    const samples good = {.shape = {1, 2, 2}, .counts = {3, 2}};
    char texts[6][CNN_HASH_SIZE], again[CNN_HASH_SIZE];
    samples others[] = {good, good, good, good, good, good};
    others[1].images[0][11] = 1;
    others[2].images[1][7] = 1;
    others[3].labels[0][2] = 1;
    others[4].labels[1][1] = 1;
    others[5].shape[0] = 2; /* the same bytes, read in another way */
    others[5].shape[1] = 1;
    for (int i = 0; i < 6; i++) {
        hash_of(texts[i], &others[i]);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(texts[i], texts[j]);
    }
    hash_of(again, &good);
    ck_assert_str_eq(again, texts[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hash");
    TCase *tests = tcase_create("hash");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, gives_the_standards_examples);
    tcase_add_test(tests, tells_data_sets_apart);
    return run_suite(suite);
}
