/* What the files of the updater share. */
#ifndef UNHIDRA_UPDATE_PARTS_H
#define UNHIDRA_UPDATE_PARTS_H

#include "unhidra/update.h"

uh_status uh_update_save(uh_updater *u);
uh_status uh_update_keep(void *ctx, uh_slice payload); /* a root */
uh_status uh_update_load(uh_updater *u, uh_slice root, uint8_t *scratch, size_t cap);

/* uh_update_intact says whether the other slot has the image of the update. */
bool uh_update_intact(uh_updater *u);
/* uh_update_patch notes the patch of an offer, if it is for the image that runs; NULL: there is none. */
void uh_update_patch(uh_updater *u, const uh_slice *patch);
/* uh_update_fetch begins to fetch the image or the patch, and uh_update_window takes a window of it. */
void uh_update_fetch(uh_updater *u);
void uh_update_window(uh_updater *u, uh_slice frame);
/* uh_update_fail has the update end as failed. */
void uh_update_fail(uh_updater *u, const char *reason);
void uh_update_forget(uh_updater *u);
bool uh_update_taken_back(const uh_updater *u);

#endif
