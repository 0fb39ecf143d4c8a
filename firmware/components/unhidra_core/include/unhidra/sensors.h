/* What a device measures: which sensors there are, and when a value is worth a report. Numbers are whole numbers of the
 * last decimal: 21.4 with one decimal is 214. */
#ifndef UNHIDRA_SENSORS_H
#define UNHIDRA_SENSORS_H

#include "unhidra/json.h"
#include "unhidra/port.h"

#define UH_SENSORS_MAX 32

typedef enum { UH_NUMBER = 1, UH_BOOL = 2 } uh_kind;

typedef struct {
    /* id stands for the sensor in flash: 1 to 255, and never used again for another one, so that values which were
     * stored before an update are understood after it. */
    uint8_t id;
    uh_kind kind;
    uint8_t decimals; /* 0 to 9 */
    bool bounded;     /* min and max are told, and what is beyond is no value */
    bool urgent;      /* its reports go before those of others, and do not wait */
    const char *name;
    const char *unit; /* of SenML; NULL: none */
    int64_t min, max;
    uint32_t period_ms; /* how often it is read */
    /* It is reported when it differs from the last report by deadband or more, and after silence_ms in any case. Both
     * 0: each value is. silence_ms 0: never without a change. */
    int64_t deadband;
    uint32_t silence_ms;
    /* read returns the value now. What it cannot read is no reading. */
    uh_status (*read)(void *ctx, int64_t *value);
    void *ctx;
} uh_sensor;

/* What is remembered of a sensor. */
typedef struct {
    uint64_t due, reported_at;
    int64_t reported;
    bool has;
    uint32_t failed; /* times that it could not be read, or was beyond its bounds */
} uh_sensor_state;

typedef struct {
    const uh_sensor *list;
    uh_sensor_state *states; /* as many */
    uint8_t count;
} uh_sensors;

typedef struct {
    uint8_t id;
    uh_kind kind;
    uint8_t decimals;
    int64_t value;
} uh_reading;

/* uh_sensors_check says whether names and ids are what they must be, and different. */
uh_status uh_sensors_check(const uh_sensors *s);
const uh_sensor *uh_sensors_find(const uh_sensors *s, uint8_t id);
/* uh_sensors_poll reads those that are due, and returns what is worth a report: at most UH_SENSORS_MAX. */
size_t uh_sensors_poll(uh_sensors *s, uint64_t now, uh_reading out[UH_SENSORS_MAX]);
/* uh_sensors_next returns when the next one is due. */
uint64_t uh_sensors_next(const uh_sensors *s);
/* uh_sensors_describe writes them as the field "sensors" of what a device says about itself. */
void uh_sensors_describe(const uh_sensors *s, uh_json *w);

#endif
