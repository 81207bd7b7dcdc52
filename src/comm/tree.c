#include "comm/tree.h"

#include <stdint.h>

#include "base/status.h"

int cnn_cut_begin(const cnn_cut *cut, int slice)
{
    return (int)((int64_t)slice * cut->samples / cut->slices);
}

int cnn_cut_most(const cnn_cut *cut)
{
    return (cut->samples + cut->slices - 1) / cut->slices;
}

int cnn_tree_top(int slices)
{
    int level = 0;
    while (((int64_t)1 << level) < slices)
        level++;
    return level;
}

static int at_most(int64_t value, int most)
{
    return value < most ? (int)value : most;
}

void cnn_tree_span(int *begin, int *end, const cnn_cut *cut, cnn_tree_node node)
{
    *begin = at_most((int64_t)node.index << node.level, cut->slices);
    *end = at_most(((int64_t)node.index + 1) << node.level, cut->slices);
}

int cnn_tree_samples(const cnn_cut *cut, cnn_tree_node node)
{
    int begin, end;
    cnn_tree_span(&begin, &end, cut, node);
    return cnn_cut_begin(cut, end) - cnn_cut_begin(cut, begin);
}

void cnn_tree_begin(cnn_tree *tree, const cnn_cut *cut)
{
    tree->cut = *cut;
    for (int i = 0; i < CNN_TREE_LEVELS; i++)
        tree->held[i] = -1;
}

/* Up the tree, as far as both halves are there. */
cnn_status cnn_tree_put(cnn_tree *tree, int slice, int slot, const cnn_tree_user *user)
{
    int top = cnn_tree_top(tree->cut.slices);
    cnn_tree_node at = {0, slice};
    cnn_status status = CNN_OK;
    for (; at.level < top; at.level++, at.index >>= 1) {
        cnn_tree_node sibling = {at.level, at.index ^ 1};
        int left = tree->held[at.level];
        if (cnn_tree_samples(&tree->cut, sibling) == 0)
            continue;
        if (at.index % 2 == 0) {
            tree->held[at.level] = slot;
            tree->index[at.level] = at.index;
            return CNN_OK;
        }
        if (left < 0)
            break;
        CNN_TRY(user->add(user->user, left, slot));
        tree->held[at.level] = -1;
        slot = left;
    }
    status = user->give(user->user, slot, at);
out:
    return status;
}

bool cnn_tree_closes(int levels[], int *count, const cnn_tree *tree, int slice)
{
    int top = cnn_tree_top(tree->cut.slices), held = 0;
    cnn_tree_node at = {0, slice};
    *count = 0;
    for (int level = 0; level < CNN_TREE_LEVELS; level++)
        held += tree->held[level] >= 0;
    for (; at.level < top; at.level++, at.index >>= 1) {
        cnn_tree_node sibling = {at.level, at.index ^ 1};
        if (cnn_tree_samples(&tree->cut, sibling) == 0)
            continue;
        if (at.index % 2 == 0 || tree->held[at.level] < 0)
            break;
        levels[(*count)++] = at.level;
    }
    return *count == held;
}

/* Higher nodes that are held stand for earlier slices. */
cnn_status cnn_tree_end(cnn_tree *tree, const cnn_tree_user *user)
{
    cnn_status status = CNN_OK;
    for (int level = CNN_TREE_LEVELS - 1; level >= 0; level--) {
        if (tree->held[level] < 0)
            continue;
        int index = tree->index[level];
        CNN_TRY(user->give(user->user, tree->held[level], (cnn_tree_node){level, index}));
        tree->held[level] = -1;
    }
out:
    return status;
}
