/* Sizes, ages and times for people. */
#ifndef JSNAP_LAUNCHER_AMOUNT_H
#define JSNAP_LAUNCHER_AMOUNT_H

#include <stddef.h>
#include <stdint.h>

#define AMOUNT_SIZE 32 /* bytes that any of the texts needs */

void amount_bytes(uint64_t bytes, char ret_text[AMOUNT_SIZE]);	   /* "0 B", "56 MB" */
void amount_age(int64_t then_ns, char ret_text[AMOUNT_SIZE]);	   /* "3 min ago"; real time */
void amount_time(int64_t realtime_ns, char ret_text[AMOUNT_SIZE]); /* "2026-01-31T12:00:00Z" */

/* How far something long has come that `what` (a text) names, by log_progress: "compressing: 56 MB
 * of 120 MB". What image_write and image_watch call. */
void amount_progress(void *what, uint64_t done, uint64_t total);

#endif
