/* The operations that cover more than one layer; rules.c says when. */
#ifndef PLAN_FUSED_H
#define PLAN_FUSED_H

#include "ops/op.h"

/* ReLU, max pool, dropout: cl/pool_block.cl */
extern const cnn_op_class cnn_pool_block_op;

#endif
