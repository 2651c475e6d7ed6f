/*
 * eq_trees: a forest of decision trees.
 *
 *     out[j] = clamp((sum over trees of leaf[j] + base[j]) >> shift)
 *
 * with the smallest or the largest in place of the sum where aggregate is 1 or 2. Each tree leads from its root to a
 * leaf: left where x[feature] <= threshold, else right.
 *
 * Layout  x: features of x_bytes (1, 2). nodes: words of node_bytes (2, 4). A node that asks has the words head,
 *         threshold and, with node_words 3, skip; its left child stands right behind it, its right child `skip` words
 *         behind its own beginning. With node_words 3, head is the feature; with 2 it is
 *         (skip << feature_bits) | feature. A leaf is one word, ~(its row of leaves), which is negative.
 *         roots: two words for each tree, where it begins in nodes, and the first result that it adds to.
 *         leaves: rows of `width` values of leaf_bytes (2, 4). base, out: targets; out of out_bytes (1, 2).
 * Ranges  trees, targets >= 1; no sum may leave int32.
 * Aliasing  none: out must not overlap x.
 * Rounding  what base holds for it; the shift rounds down.
 * Scratch EQ_TREES_SCRATCH bytes: a sum for each target.
 */
#ifndef EQ_TREES_H
#define EQ_TREES_H

#include "eq_elements.h"

typedef struct {
  int32_t trees, targets, width;
  int32_t x_bytes, node_bytes, node_words, feature_bits;
  int32_t leaf_bytes, aggregate, shift;
  int32_t out_bytes, clamp_min, clamp_max;
} eq_trees_t;

#define EQ_TREES_SCRATCH(targets) (4 * (targets))

/* The row of the leaf that x leads to from a node. */
EQ_INLINE int32_t eq_trees_leaf(const void *x, const void *node, const eq_trees_t *p) {
  const uint8_t *at = (const uint8_t *)node;
  int32_t head = eq_element(at, 0, p->node_bytes);
  EQ_NO_UNROLL
  while (head >= 0) {
    const int32_t feature = p->node_words == 3 ? head : head & ((1 << p->feature_bits) - 1);
    const int32_t skip = p->node_words == 3 ? eq_element(at, 2, p->node_bytes) : head >> p->feature_bits;
    const int32_t left = eq_element(x, feature, p->x_bytes) <= eq_element(at, 1, p->node_bytes);
    at += p->node_bytes * (left ? p->node_words : skip);
    head = eq_element(at, 0, p->node_bytes);
  }
  return ~head;
}

EQ_INLINE int32_t eq_trees_merge(int32_t sum, int32_t leaf, int32_t aggregate) {
  if (aggregate == 0) return sum + leaf;
  return (aggregate == 1 ? leaf < sum : leaf > sum) ? leaf : sum;
}

EQ_INLINE void eq_trees(void *out, const void *x, void *scratch, const void *nodes, const int32_t *roots,
                        const void *leaves, const int32_t *base, const eq_trees_t *p) {
  int32_t *sums = (int32_t *)scratch;
  const int32_t extreme = p->aggregate == 1 ? INT32_MAX : INT32_MIN;
  for (int32_t j = 0; j < p->targets; j++) sums[j] = p->aggregate == 0 ? base[j] : extreme;
  EQ_NO_UNROLL
  for (int32_t tree = 0; tree < p->trees; tree++) {
    const uint8_t *root = (const uint8_t *)nodes + p->node_bytes * roots[2 * tree];
    const int32_t row = p->width * eq_trees_leaf(x, root, p);
    int32_t *to = sums + (p->width < p->targets ? roots[2 * tree + 1] : 0);
    for (int32_t j = 0; j < p->width; j++) {
      to[j] = eq_trees_merge(to[j], eq_element(leaves, row + j, p->leaf_bytes), p->aggregate);
    }
  }
  for (int32_t j = 0; j < p->targets; j++) {
    const int32_t sum = p->aggregate == 0 ? sums[j] : sums[j] + base[j];
    const int32_t value = sum >> p->shift;
    const int32_t low = value < p->clamp_min ? p->clamp_min : value;
    eq_set_element(out, j, p->out_bytes, low > p->clamp_max ? p->clamp_max : low);
  }
}

#endif
