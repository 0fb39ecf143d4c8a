/* What drivers of sensors and actuators need of a board. A function that the board does not have is NULL: a driver that
 * needs it returns UH_MISSING. Numbers of pins, channels and units are the port's. */
#ifndef UNHIDRA_BUS_H
#define UNHIDRA_BUS_H

#include <stdbool.h>

#include "unhidra/port.h"

typedef struct {
    void *ctx;
    /* i2c writes wn bytes to the device of a 7-bit address, and then reads rn bytes without letting go of the bus;
     * either may be 0. UH_IO: it does not answer. */
    uh_status (*i2c)(void *ctx, uint8_t address, const uint8_t *w, size_t wn, uint8_t *r, size_t rn);
    /* levels holds a line low for low_us, lets go of it, and notes for how many microseconds it then stays at each
     * level: us[0] is high, us[1] low, and so on. It ends when a level lasts for a millisecond, which is not noted, or
     * when cap levels are there. */
    uh_status (*levels)(void *ctx, uint8_t pin, uint16_t low_us, uint16_t *us, size_t cap, size_t *n);
    uh_status (*millivolts)(void *ctx, uint8_t channel, int32_t *mv);
    /* count returns how many pulses came on a counter, which begins again with 0 after 2^bits - 1. */
    uh_status (*count)(void *ctx, uint8_t unit, uint32_t *count);
    uh_status (*set_pin)(void *ctx, uint8_t pin, bool high);
    /* set_duty sets for how much of its period a signal is high: 0 to 1,000 thousandths. */
    uh_status (*set_duty)(void *ctx, uint8_t channel, uint16_t thousandths);
    uh_status (*chip_temperature)(void *ctx, int32_t *thousandths); /* of a degree Celsius */
} uh_bus;

#endif
