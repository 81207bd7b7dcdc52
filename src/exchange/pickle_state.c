/* Where in what was saved the state_dict is: alone, or in a checkpoint beside other things. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "exchange/pickle.h"

enum { MOST_LEVELS = 4, MOST_LISTED = 10 };

/* What checkpoints call it, the likeliest first. */
static const char *const usual_keys[] = {"state_dict", "model_state_dict", "model",   "model_state",
                                         "net",        "network",          "weights", "params"};
enum { USUAL_COUNT = sizeof usual_keys / sizeof usual_keys[0] };

static bool has_tensors(const cnn_pickle_value *value)
{
    if (value->kind != CNN_PICKLE_DICT)
        return false;
    for (size_t i = 0; i + 1 < value->list.count; i += 2)
        if (value->list.items[i]->kind == CNN_PICKLE_TEXT &&
            value->list.items[i + 1]->kind == CNN_PICKLE_TENSOR)
            return true;
    return false;
}

/* The only entry that is a dict of tensors; NULL where there is none. */
static cnn_status find_only(const cnn_pickle_value **state, cnn_pickle *pickle,
                            const cnn_pickle_value *dict)
{
    const cnn_pickle_value *first = NULL;
    *state = NULL;
    for (size_t i = 0; i + 1 < dict->list.count; i += 2) {
        const cnn_pickle_value *key = dict->list.items[i], *value = dict->list.items[i + 1];
        if (key->kind != CNN_PICKLE_TEXT || !has_tensors(value))
            continue;
        if (*state)
            return cnn_fail(CNN_ERROR_DATA,
                            "%s: expected the tensors of one network, found those of '%.*s' and "
                            "of '%.*s': save one alone: torch.save(model.state_dict(), FILE)",
                            pickle->path, (int)(first->text.size % CNN_QUOTE_SIZE),
                            (const char *)first->text.bytes, (int)(key->text.size % CNN_QUOTE_SIZE),
                            (const char *)key->text.bytes);
        *state = value;
        first = key;
    }
    return CNN_OK;
}

/* Goes down through the usual names as long as there is one. */
static const cnn_pickle_value *find_usual(const cnn_pickle_value *dict, const char **name)
{
    for (int level = 0; level < MOST_LEVELS; level++) {
        const cnn_pickle_value *next = NULL;
        for (int i = 0; i < USUAL_COUNT && !next; i++) {
            const cnn_pickle_value *found = cnn_pickle_get(dict, usual_keys[i]);
            if (!found || found->kind != CNN_PICKLE_DICT)
                continue;
            next = found;
            *name = usual_keys[i];
        }
        if (!next)
            break;
        dict = next;
    }
    return has_tensors(dict) ? dict : NULL;
}

static cnn_status fail_none(const cnn_pickle *pickle, const cnn_pickle_value *root)
{
    const char *found = root->kind == CNN_PICKLE_TENSOR ? "one tensor without a name"
                        : root->kind == CNN_PICKLE_DICT ? "a dict without any"
                        : root->kind == CNN_PICKLE_LIST ? "a list"
                                                        : "another value";
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected a state_dict, tensors by name, found %s: it is saved by "
                    "torch.save(model.state_dict(), FILE)",
                    pickle->path, found);
}

/* What else a checkpoint has is not looked at: said in a line. */
static void log_choice(const cnn_pickle *pickle, const cnn_pickle_value *root, const char *name)
{
    size_t others = root->list.count / 2 - 1;
    if (name && others > 0)
        cnn_log(CNN_LOG_INFO, "%s: the tensors of '%s' are taken; %zu other entr%s left out",
                pickle->path, name, others, others == 1 ? "y is" : "ies are");
}

cnn_status cnn_pickle_find_state(const cnn_pickle_value **state, cnn_pickle *pickle,
                                 const cnn_pickle_value *root)
{
    const char *name = NULL;
    cnn_status status = CNN_OK;
    if (root->kind != CNN_PICKLE_DICT)
        return fail_none(pickle, root);
    *state = find_usual(root, &name);
    if (!*state && has_tensors(root))
        *state = root;
    if (!*state)
        CNN_TRY(find_only(state, pickle, root));
    if (!*state)
        return fail_none(pickle, root);
    log_choice(pickle, root, name);
    for (size_t i = 0; i + 1 < (*state)->list.count; i += 2)
        if ((*state)->list.items[i + 1]->kind == CNN_PICKLE_TENSOR)
            (*state)->list.items[i + 1]->tensor->view.storage->wanted = true;
out:
    return status;
}
