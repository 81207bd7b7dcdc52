/* The tree in which slices are summed: the same sum, whoever computes which slices. */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "comm/tree.h"
#include "support.h"

enum { MOST_SLICES = 11, SLOTS = 2 * CNN_TREE_LEVELS };

/* A sum, written as it was made: "((0+1)+2)". */
typedef struct expression {
    char text[8 * MOST_SLICES];
} expression;

typedef struct given {
    cnn_tree_node node;
    expression sum;
} given;

typedef struct stretch {
    expression slots[SLOTS];
    bool taken[SLOTS];
    given *given; /* (count) */
    int *count, most_taken;
} stretch;

static void write_sum(expression *into, const expression *left, const expression *right)
{
    expression sum;
    size_t a = strlen(left->text), b = strlen(right->text);
    ck_assert_uint_lt(a + b + 3, sizeof sum.text);
    sum.text[0] = '(';
    memcpy(sum.text + 1, left->text, a);
    sum.text[a + 1] = '+';
    memcpy(sum.text + a + 2, right->text, b);
    memcpy(sum.text + a + b + 2, ")", 2);
    *into = sum;
}

static cnn_status add(void *user, int into, int from)
{
    stretch *at = user;
    ck_assert(at->taken[into] && at->taken[from] && into != from);
    write_sum(&at->slots[into], &at->slots[into], &at->slots[from]);
    at->taken[from] = false;
    return CNN_OK;
}

static cnn_status give(void *user, int slot, cnn_tree_node node)
{
    stretch *at = user;
    ck_assert(at->taken[slot]);
    if (*at->count > 0) { /* in the order of the slices */
        const cnn_tree_node *before = &at->given[*at->count - 1].node;
        ck_assert_int_le((before->index + 1) << before->level, node.index << node.level);
    }
    at->given[(*at->count)++] = (given){node, at->slots[slot]};
    at->taken[slot] = false;
    return CNN_OK;
}

static void run_stretch(given *list, int *count, const cnn_cut *cut, int begin, int end)
{
    stretch at = {.given = list, .count = count};
    const cnn_tree_user user = {add, give, &at};
    cnn_tree tree;
    cnn_tree_begin(&tree, cut);
    for (int slice = begin; slice < end; slice++) {
        int slot = 0;
        if (cnn_cut_begin(cut, slice) == cnn_cut_begin(cut, slice + 1))
            continue;
        while (at.taken[slot])
            slot++;
        ck_assert_int_le(slot, cnn_tree_top(cut->slices));
        at.taken[slot] = true;
        snprintf(at.slots[slot].text, sizeof at.slots[slot].text, "%d", slice);
        int before = *count, levels[CNN_TREE_LEVELS], held;
        bool is_last = cnn_cut_begin(cut, slice + 1) == cnn_cut_begin(cut, end);
        bool closes = cnn_tree_closes(levels, &held, &tree, slice);
        expression sum = at.slots[slot];
        for (int i = 0; closes && i < held; i++)
            write_sum(&sum, &at.slots[tree.held[levels[i]]], &sum);
        ck_assert_int_eq(cnn_tree_put(&tree, slice, slot, &user), CNN_OK);
        if (!is_last)
            continue;
        ck_assert_int_eq(cnn_tree_end(&tree, &user), CNN_OK);
        ck_assert_int_eq(closes, *count == before + 1);
        ck_assert(!closes || strcmp(list[before].sum.text, sum.text) == 0);
    }
    ck_assert_int_eq(cnn_tree_end(&tree, &user), CNN_OK);
    for (int i = 0; i < SLOTS; i++)
        ck_assert(!at.taken[i]);
}

/* By the definition. False where the node has no samples. */
static bool define(expression *sum, const cnn_cut *cut, cnn_tree_node node)
{
    expression left, right;
    int begin = node.index << node.level;
    if (node.level == 0) {
        snprintf(sum->text, sizeof sum->text, "%d", begin);
        return begin < cut->slices &&
               (begin + 1) * cut->samples / cut->slices > begin * cut->samples / cut->slices;
    }
    bool one = define(&left, cut, (cnn_tree_node){node.level - 1, 2 * node.index});
    bool other = define(&right, cut, (cnn_tree_node){node.level - 1, 2 * node.index + 1});
    if (one && other)
        write_sum(sum, &left, &right);
    else
        *sum = one ? left : right;
    return one || other;
}

/* What all that were given make of a node. */
static bool combine(expression *sum, const cnn_cut *cut, cnn_tree_node node, const given *list,
                    int count)
{
    expression left, right;
    for (int i = 0; i < count; i++)
        if (list[i].node.level == node.level && list[i].node.index == node.index) {
            *sum = list[i].sum;
            return true;
        }
    if (node.level == 0)
        return false;
    bool one = combine(&left, cut, (cnn_tree_node){node.level - 1, 2 * node.index}, list, count);
    bool other =
        combine(&right, cut, (cnn_tree_node){node.level - 1, 2 * node.index + 1}, list, count);
    if (one && other)
        write_sum(sum, &left, &right);
    else
        *sum = one ? left : right;
    return one || other;
}

/* _i: the slices, less one; any samples, in one to three stretches. */
START_TEST(any_stretches_give_the_same_sum)
{
    int slices = _i + 1, top = cnn_tree_top(slices);
    for (int samples = 1; samples <= 2 * slices; samples++)
        for (int a = 0; a <= slices; a++)
            for (int b = a; b <= slices; b++) {
                const cnn_cut cut = {samples, slices};
                expression expected, sum;
                given list[3 * SLOTS];
                int count = 0;
                run_stretch(list, &count, &cut, 0, a);
                run_stretch(list, &count, &cut, a, b);
                run_stretch(list, &count, &cut, b, slices);
                ck_assert(define(&expected, &cut, (cnn_tree_node){top, 0}));
                ck_assert(combine(&sum, &cut, (cnn_tree_node){top, 0}, list, count));
                ck_assert_str_eq(sum.text, expected.text);
            }
}
END_TEST

START_TEST(a_known_tree)
{
    static const struct {
        cnn_cut cut;
        const char *sum;
    } rows[] = {
        {{4, 1}, "0"},
        {{8, 4}, "((0+1)+(2+3))"},
        {{7, 7}, "(((0+1)+(2+3))+((4+5)+6))"},
        {{3, 4}, "(1+(2+3))"},
        {{2, 8}, "(3+7)"},
        {{1, 5}, "4"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        given one;
        int count = 0;
        run_stretch(&one, &count, &rows[i].cut, 0, rows[i].cut.slices);
        ck_assert_int_eq(count, 1);
        ck_assert_str_eq(one.sum.text, rows[i].sum);
        ck_assert_int_eq(one.node.level, cnn_tree_top(rows[i].cut.slices));
    }
}
END_TEST

START_TEST(slices_cover_a_batch)
{
    const cnn_cut cut = {1000003, 1000};
    int before = 0;
    for (int i = 0; i < cut.slices; i++) {
        int begin = cnn_cut_begin(&cut, i), end = cnn_cut_begin(&cut, i + 1);
        ck_assert_int_eq(begin, before);
        ck_assert(end - begin == 1000 || end - begin == 1001);
        before = end;
    }
    ck_assert_int_eq(before, cut.samples);
    ck_assert_int_eq(cnn_cut_most(&cut), 1001);
    ck_assert_int_eq(cnn_tree_top(1000), 10);
    ck_assert_int_eq(cnn_tree_samples(&cut, (cnn_tree_node){10, 0}), cut.samples);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tree");
    TCase *tests = tcase_create("tree");
    tcase_add_loop_test(tests, any_stretches_give_the_same_sum, 0, MOST_SLICES);
    tcase_add_test(tests, a_known_tree);
    tcase_add_test(tests, slices_cover_a_batch);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
