/* The reader of network files: text.c goes through the lines, text_lexer.c makes words of them,
 * text_parse.c statements of the words, text_value.c options of the arguments, text_expand.c nodes
 * of the statements. */
#ifndef NET_TEXT_READER_H
#define NET_TEXT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "net/builder.h"

enum {
    CNN_TEXT_LIMIT = 64 << 20,      /* bytes of a file */
    CNN_TEXT_MOST_STORED = 1 << 22, /* lines, and arguments, of all defines */
    CNN_TEXT_MOST_PARAMETERS = 64,  /* of a define */
    CNN_TEXT_MOST_ARGUMENTS = 1024, /* of a line */
    CNN_TEXT_MOST_NESTED = 64,      /* defines in each other */
    CNN_TEXT_MOST_CALLS = 1 << 16,  /* of defines, after expansion */
    CNN_TEXT_LONGEST_VALUE = 256,   /* bytes of one argument */
    CNN_VALUE_ELEMENTS = 4          /* numbers of a value, at most */
};

/* Bytes of the text. */
typedef struct cnn_slice {
    uint32_t start, length;
} cnn_slice;

/* One argument, or one parameter of a define with its default. */
typedef struct cnn_text_argument {
    cnn_slice name;  /* empty where it stands by position */
    cnn_slice value; /* as it is written; empty: a parameter without default */
    int slot;        /* which of the callee's arguments; -1: what a layer reads */
} cnn_text_argument;

/* [NAME =] KIND(ARGUMENTS) [<- SOURCE] */
typedef struct cnn_statement {
    uint32_t line;
    cnn_slice name, source; /* empty where there is none */
    bool is_call;           /* of the define `callee`; else a layer of the kind `callee` */
    int callee;
    int first_argument, argument_count; /* in reader->arguments */
} cnn_statement;

typedef struct cnn_define {
    uint32_t line;
    cnn_slice name;
    int first_parameter, parameter_count; /* in reader->arguments */
    int first_statement, statement_count; /* in reader->statements */
} cnn_define;

/* What an argument comes to: numbers or words; quoted ones are words. */
typedef struct cnn_value {
    bool is_tuple;
    int count;
    struct {
        const char *text; /* not terminated */
        size_t length;
        bool quoted;
    } elements[CNN_VALUE_ELEMENTS];
} cnn_value;

/* What has a name. */
typedef struct cnn_named {
    uint32_t line;
    int value;   /* that it makes; below 0 where it is not made yet */
    bool is_own; /* a line gave it; not KIND_NN */
} cnn_named;

/* The lines of the file, or of a define as one call gives them. */
typedef struct cnn_scope {
    const struct cnn_scope *parent; /* NULL: the file's */
    const cnn_define *define;
    const cnn_value *parameters; /* by the define's slots */
    int bound;                   /* parameters that have a value by now */
    uint32_t line;               /* of the call */
    int depth;
    char prefix[CNN_LAYER_NAME_SIZE]; /* of its names: "layer1.0." */
    int input;                        /* the value that the block was given */
    int before;                       /* what the line before made */
    int outer;                        /* values up to this one were made outside */
} cnn_scope;

/* Memory that grows. */
typedef struct cnn_pile {
    void *items;
    size_t count, room;
} cnn_pile;

typedef struct cnn_text_reader {
    const char *source, *text;
    size_t size;
    char classes[16];     /* the value of `classes` */
    bool gives_classes;   /* it was given; else it is the default */
    bool *uses_classes;   /* set where an argument is `classes` */
    int given_input[3];   /* zeros: not given */
    bool fixes_input;     /* the text has the input's numbers */
    cnn_shape input;      /* of the network */
    bool has_input;       /* the line input(...) was there */
    uint32_t input_line;  /* its line */
    uint32_t line;        /* that is being read */
    cnn_pile statements;  /* cnn_statement */
    cnn_pile arguments;   /* cnn_text_argument */
    cnn_pile defines;     /* cnn_define */
    json_t *define_names; /* name to place among the defines */
    int open_define;      /* -1: none */
    cnn_builder builder;  /* network is NULL before the first layer */
    json_t *names;        /* expanded name to place in `named` */
    cnn_pile named;       /* cnn_named */
    cnn_pile origins;     /* cnn_origin_line, one a node */
    int call_count;
    const cnn_scope *scope; /* NULL: between the lines */
} cnn_text_reader;

/* Where a node comes from. */
typedef struct cnn_origin_line {
    uint32_t line, call; /* call: the line in the file that led there; 0: the same */
} cnn_origin_line;

/* "SOURCE:LINE: " (and of which block it is) and a message. Always ARGUMENT. */
cnn_status cnn_text_fail(const cnn_text_reader *reader, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes room for one more item of `size` bytes, zeroed. NULL: no memory, and the message is set. */
void *cnn_pile_push(cnn_pile *pile, size_t size);

bool cnn_slice_is(const cnn_text_reader *reader, cnn_slice slice, const char *word);
bool cnn_slice_equal(const cnn_text_reader *reader, cnn_slice a, cnn_slice b);
/* A terminated copy, fit for a message. Returns buffer. */
const char *cnn_slice_quote(char buffer[CNN_LAYER_NAME_SIZE], const cnn_text_reader *reader,
                            cnn_slice slice);

typedef enum cnn_token_type {
    CNN_TOKEN_END, /* of the line, or where a comment begins */
    CNN_TOKEN_WORD,
    CNN_TOKEN_QUOTED, /* a word in quotes; the slice is without them */
    CNN_TOKEN_OPEN,
    CNN_TOKEN_CLOSE,
    CNN_TOKEN_COMMA,
    CNN_TOKEN_EQUALS,
    CNN_TOKEN_ARROW,
    CNN_TOKEN_OTHER /* what no line has */
} cnn_token_type;

typedef struct cnn_token {
    cnn_token_type type;
    cnn_slice slice;
} cnn_token;

/* The words of text[at] to text[end]. */
typedef struct cnn_lexer {
    const cnn_text_reader *reader;
    size_t at, end;
    cnn_token token; /* the one that is looked at */
} cnn_lexer;

/* Looks at the first word, or the next one. */
void cnn_lexer_init(cnn_lexer *lexer, const cnn_text_reader *reader, size_t start, size_t end);
void cnn_lexer_next(cnn_lexer *lexer);
/* "expected EXPECTED, found ..." */
cnn_status cnn_lexer_fail(const cnn_lexer *lexer, const char *expected);
/* Goes on behind a word of this type. Errors: ARGUMENT. */
cnn_status cnn_lexer_skip(cnn_lexer *lexer, cnn_token_type type, const char *expected);
/* The same, and what the word was. */
cnn_status cnn_lexer_take(cnn_slice *slice, cnn_lexer *lexer, cnn_token_type type,
                          const char *expected);
/* Does a file have such a name: letters, digits, '_', '.', '-', and no word of the format? */
bool cnn_text_is_name(const char *name, size_t length);

/* Reads the line that is looked at and appends it to the reader's statements. */
cnn_status cnn_text_parse_statement(cnn_text_reader *reader, cnn_lexer *lexer);
/* Behind the word "define". */
cnn_status cnn_text_parse_define(cnn_text_reader *reader, cnn_lexer *lexer);
/* Behind the word "end". */
cnn_status cnn_text_parse_end(cnn_text_reader *reader, cnn_lexer *lexer);
/* The arguments between parentheses, appended to the reader's; slots are not set. */
cnn_status cnn_text_parse_arguments(cnn_text_reader *reader, cnn_lexer *lexer, int *count);
/* The kind or define of a name. Errors: ARGUMENT (which name is nearest). */
cnn_status cnn_text_find_callee(cnn_statement *statement, const cnn_text_reader *reader,
                                cnn_slice name);
/* Gives every argument of a statement its slot. Errors: ARGUMENT (unknown, twice, too many,
 * missing). */
cnn_status cnn_text_set_slots(cnn_text_reader *reader, const cnn_statement *statement);

/* What the argument is in this scope. Errors: ARGUMENT. */
cnn_status cnn_text_evaluate(cnn_value *value, const cnn_text_reader *reader,
                             const cnn_scope *scope, uint32_t line, cnn_slice text);
/* A whole number. name: of what, in messages. */
cnn_status cnn_text_get_int(int *number, const cnn_text_reader *reader, uint32_t line,
                            const char *name, const cnn_value *value, int low, int high);
/* A layer's options: the defaults, and the statement's arguments. Errors: ARGUMENT. */
cnn_status cnn_text_set_options(cnn_layer_options *options, const cnn_text_reader *reader,
                                const cnn_scope *scope, const cnn_statement *statement);

/* Appends what the statement stands for to the network. Errors: ARGUMENT, MEMORY. */
cnn_status cnn_text_expand(cnn_text_reader *reader, cnn_scope *scope,
                           const cnn_statement *statement);

static inline cnn_statement *cnn_reader_statement(const cnn_text_reader *reader, int index)
{
    return (cnn_statement *)reader->statements.items + index;
}
static inline cnn_text_argument *cnn_reader_argument(const cnn_text_reader *reader, int index)
{
    return (cnn_text_argument *)reader->arguments.items + index;
}
static inline cnn_define *cnn_reader_define(const cnn_text_reader *reader, int index)
{
    return (cnn_define *)reader->defines.items + index;
}

#endif
