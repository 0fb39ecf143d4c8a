#pragma once
#include <stddef.h>
void esp_fill_random(void *b, size_t n);
