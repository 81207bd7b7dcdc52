/* Philox against its published known answers, and the draws built on it. */
#include <string.h>

#include "base/philox.h"
#include "check_main.h"

/* From kat_vectors of the authors' Random123 library, "philox4x32 10". */
static const struct {
    uint32_t counter[4], key[2], words[4];
} known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(gives_the_known_answers)
{
    uint32_t words[4];
    cnn_philox(words, known_answers[_i].counter, known_answers[_i].key);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(words[i], known_answers[_i].words[i]);
}
END_TEST

START_TEST(a_value_is_a_lane_of_its_block)
{
    uint32_t words[4];
    cnn_philox_block(words, 7, CNN_STREAM_DROPOUT, 4, 1ull << 33, 25);
    for (unsigned lane = 0; lane < 4; lane++)
        ck_assert_uint_eq(cnn_philox_value(7, CNN_STREAM_DROPOUT, 4, 1ull << 33, 100 + lane),
                          words[lane]);
}
END_TEST

START_TEST(a_permutation_has_everything_once)
{
    enum { COUNT = 1000 };
    uint32_t order[COUNT];
    char seen[COUNT];
    memset(seen, 0, sizeof seen);
    cnn_philox_permutation(order, COUNT, 3, CNN_STREAM_SHUFFLE, 0, 5);
    int in_place = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        ck_assert_uint_lt(order[i], COUNT);
        ck_assert_int_eq(seen[order[i]], 0);
        seen[order[i]] = 1;
        in_place += order[i] == i;
    }
    ck_assert_int_lt(in_place, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("philox");
    TCase *tests = tcase_create("philox");
    tcase_add_loop_test(tests, gives_the_known_answers, 0, 3);
    tcase_add_test(tests, a_value_is_a_lane_of_its_block);
    tcase_add_test(tests, a_permutation_has_everything_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
