/* The page while it is written, and its sections from top to bottom. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "picture/picture.h"
#include "report/html.h"
#include "report/run.h"

enum { CNN_PAGE_PAIRS = 20 /* mistakes in the table of the most frequent */ };

typedef struct cnn_page {
    cnn_text html;
    const cnn_run *run;
    const cnn_report_content *content;
    int classes;        /* of the confusion matrix; 0 where there is none */
    size_t *counts;     /* (classes, classes); NULL beyond CNN_CONFUSION_LIMIT */
    cnn_class_score *scores; /* (classes) */
    cnn_confusion_pair pairs[CNN_PAGE_PAIRS];
    size_t pair_count;
    const char **names; /* (classes); owned by the data set */
    cnn_text curves;    /* curves.svg; empty where there are no epochs */
    cnn_text confusion; /* confusion.png; empty where there is none */
    cnn_text filters;   /* filters.png; empty where there is no model */
    int confusion_width, confusion_height, filters_width, filters_height;
} cnn_page;

/* Sections append to html; each leaves itself out, or says why it is empty, where the content lacks
 * what it needs. */
void cnn_page_add_head(cnn_page *page);
cnn_status cnn_page_add_curves(cnn_page *page);
void cnn_page_add_classes(cnn_page *page);
cnn_status cnn_page_add_samples(cnn_page *page);
cnn_status cnn_page_add_mistakes(cnn_page *page);
void cnn_page_add_filters(cnn_page *page);
void cnn_page_add_steps(cnn_page *page);
void cnn_page_add_network(cnn_page *page);
void cnn_page_add_facts(cnn_page *page);

/* "<section id=...><h2>", and a line below it where intro is no NULL; both are markup. */
void cnn_page_open_section(cnn_page *page, const char *id, const char *title, const char *intro);
void cnn_page_close_section(cnn_page *page);
/* "test" or "validation": the images that were evaluated. */
const char *cnn_page_judge(const cnn_page *page);
/* A row of a table of two columns; both are escaped. */
void cnn_page_add_fact(cnn_page *page, const char *name, const char *value);

/* The page's style sheet, in pieces ended by NULL. */
extern const char *const cnn_page_style[];

#endif
