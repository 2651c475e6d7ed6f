/*
 * eq_pad_words: a dense block of elements of 4 or 8 bytes surrounded by a constant whose bytes differ; eq_pad serves all
 * others. Same record, with all sizes in bytes and `value` as the number of words of an element, 1 or 2.
 *
 * Layout  words: the element, the lower word first.
 * Aliasing  none: out must not overlap x.
 * Scratch none.
 */
#ifndef EQ_PAD_WORDS_H
#define EQ_PAD_WORDS_H

#include "eq_elements.h"
#include "eq_pad.h"

EQ_INLINE void eq_pad_words(void *out, const void *x, const int32_t *words, const eq_pad_t *p) {
  const int32_t bytes = 4 * p->value;
  const int64_t element = p->value == 2 ? (int64_t)((uint64_t)(uint32_t)words[1] << 32 | (uint32_t)words[0]) : words[0];
  for (int32_t i = 0; i < p->out_bytes / bytes; i++) {
    eq_set_long(out, i, bytes, element);
  }
  eq_pad_place(out, x, p);
}

#endif
