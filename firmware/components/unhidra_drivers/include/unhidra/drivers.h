/* Drivers. Each gives a uh_sensor with its unit, decimals and bounds, and with a period, deadband and silence that suit
 * most; the caller may change these three before the sensors are used. What a driver is given must stay where it is. */
#ifndef UNHIDRA_DRIVERS_H
#define UNHIDRA_DRIVERS_H

#include "unhidra/bus.h"
#include "unhidra/sensors.h"
#include "unhidra/session.h"

/* The temperature of the chip, which is above that of the air. */
uh_sensor uh_chip_temperature(const uh_bus *bus, uint8_t id, const char *name);

/* A sensor whose voltage is a straight line of what it measures: at mv[0] it is value[0], at mv[1] value[1]. */
typedef struct {
    const uh_bus *bus;
    uint8_t channel;
    int32_t mv[2]; /* different ones */
    int64_t value[2];
} uh_analog;

/* The median of five samples. Up to a fiftieth of the way beyond either end it is taken to be that end; what is further
 * away is no reading, such as of a loop of 4 to 20 mA whose wire is broken. */
uh_sensor uh_analog_sensor(uh_analog *a, uint8_t id, const char *name, const char *unit, uint8_t decimals);

/* DHT22 (AM2302) of Aosong. It is asked once in two seconds at most; in between, both sensors return what it said. */
typedef struct {
    const uh_bus *bus;
    const uh_clock *clock;
    uint8_t pin;
    bool asked;
    uint64_t asked_at;
    uh_status got;
    int16_t humidity, temperature;
} uh_dht22;

/* uh_dht22_decode reads what uh_bus.levels has noted: both in tenths. UH_PROTOCOL: these are no 40 bits with a sum. */
uh_status uh_dht22_decode(const uint16_t *us, size_t n, int16_t *humidity, int16_t *temperature);
uh_sensor uh_dht22_humidity(uh_dht22 *d, uint8_t id, const char *name);
uh_sensor uh_dht22_temperature(uh_dht22 *d, uint8_t id, const char *name);

/* BME280 of Bosch, by I2C. It measures once a second by itself. When it does not answer it is set up anew. */
typedef struct {
    const uh_bus *bus;
    uint8_t address; /* 0x76 or 0x77 */
    bool ready;
    uint16_t t1, p1;
    int16_t t2, t3, p[8], h2, h4, h5; /* p: P2 to P9 of the data sheet */
    uint8_t h1, h3;
    int8_t h6;
} uh_bme280;

typedef struct {
    int32_t temperature; /* hundredths of a degree Celsius */
    int32_t pressure;    /* pascal */
    int32_t humidity;    /* hundredths of a percent */
} uh_bme280_values;

/* uh_bme280_read returns all three. UH_AGAIN: it has not measured yet. UH_INVALID: beyond what the chip can measure, or
 * what it was calibrated with is broken. */
uh_status uh_bme280_read(uh_bme280 *d, uh_bme280_values *v);
/* uh_bme280_compensate makes values of the numbers of the converter, by the formulas of section 4.2.3 of the data
 * sheet. */
uh_status uh_bme280_compensate(const uh_bme280 *d, uint32_t adc_t, uint32_t adc_p, uint32_t adc_h,
                               uh_bme280_values *v);
uh_sensor uh_bme280_temperature(uh_bme280 *d, uint8_t id, const char *name);
uh_sensor uh_bme280_pressure(uh_bme280 *d, uint8_t id, const char *name);
uh_sensor uh_bme280_humidity(uh_bme280 *d, uint8_t id, const char *name);

/* Pulses of a meter, since the device started. With 1,000 pulses for a kWh and 3 decimals the value is in kWh. */
typedef struct {
    const uh_bus *bus;
    uint8_t unit;
    uint8_t bits; /* of the counter, at most 32; it must be read before as many pulses come */
    bool has;
    uint32_t last;
    int64_t total;
} uh_pulses;

uh_sensor uh_pulses_sensor(uh_pulses *p, uint8_t id, const char *name, const char *unit, uint8_t decimals);

/* A pin that is switched: {"on": true}. */
typedef struct {
    const uh_bus *bus;
    uint8_t pin;
    bool inverted; /* it is on when the pin is low */
    bool on;
} uh_switch;

/* uh_switch_set is also how it is switched at first. */
uh_status uh_switch_set(uh_switch *s, bool on);
uh_action uh_switch_action(uh_switch *s, const char *name);
uh_sensor uh_switch_state(uh_switch *s, uint8_t id, const char *name);

/* A signal whose duty is set: {"percent": 12.5}. */
typedef struct {
    const uh_bus *bus;
    uint8_t channel;
    uint16_t thousandths;
} uh_dimmer;

uh_status uh_dimmer_set(uh_dimmer *d, uint16_t thousandths);
uh_action uh_dimmer_action(uh_dimmer *d, const char *name);
uh_sensor uh_dimmer_level(uh_dimmer *d, uint8_t id, const char *name); /* in percent */

#endif
