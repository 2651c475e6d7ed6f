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
  eq_word_t *to = (eq_word_t *)out;
  for (int32_t i = 0; i < p->out_bytes / 4; i++) {
    to[i] = (uint32_t)words[p->value == 2 ? i & 1 : 0];
  }
  eq_pad_place(out, x, p);
}

#endif
