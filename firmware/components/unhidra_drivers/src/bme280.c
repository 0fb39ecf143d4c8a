#include "unhidra/bytes.h"
#include "unhidra/drivers.h"

/* Registers of the data sheet, section 5.3. */
enum {
    CHIP_ID = 0xD0,
    IS_BME280 = 0x60,
    CALIBRATION_1 = 0x88,
    CALIBRATION_2 = 0xE1,
    CTRL_HUM = 0xF2,
    CTRL_MEAS = 0xF4,
    CONFIG = 0xF5,
    DATA = 0xF7,
    ONCE = 1,                             /* of humidity, each is measured once */
    NORMAL = ONCE << 5 | ONCE << 2 | 3,   /* so are temperature and pressure, again and again */
    EACH_SECOND = 5 << 5,
    LEFT_OUT = 0x80000,                   /* what the converter has before it has measured */
    HUMIDITY_LEFT_OUT = 0x8000
};

static uh_status get(const uh_bme280 *d, uint8_t from, uint8_t *b, size_t n) {
    return d->bus->i2c(d->bus->ctx, d->address, &from, 1, b, n);
}

static uh_status set(const uh_bme280 *d, uint8_t where, uint8_t v) {
    uint8_t b[2] = {where, v};
    return d->bus->i2c(d->bus->ctx, d->address, b, sizeof b, NULL, 0);
}

static int16_t signed16(const uint8_t *b) { return (int16_t)uh_get16(b); }

/* begin reads what the chip was calibrated with, and has it measure. CTRL_HUM counts from the next write to CTRL_MEAS
 * on. */
static uh_status begin(uh_bme280 *d) {
    uint8_t id, b[26], h[7];
    UH_TRY(get(d, CHIP_ID, &id, 1));
    if (id != IS_BME280)
        return UH_INVALID;
    UH_TRY(get(d, CALIBRATION_1, b, sizeof b));
    UH_TRY(get(d, CALIBRATION_2, h, sizeof h));
    d->t1 = uh_get16(b);
    d->t2 = signed16(b + 2);
    d->t3 = signed16(b + 4);
    d->p1 = uh_get16(b + 6);
    for (size_t i = 0; i < 8; i++)
        d->p[i] = signed16(b + 8 + 2 * i);
    d->h1 = b[25];
    d->h2 = signed16(h);
    d->h3 = h[2];
    d->h4 = (int16_t)((int8_t)h[3] * 16 + (h[4] & 0x0F)); /* 12 bits each, which share a byte */
    d->h5 = (int16_t)((int8_t)h[5] * 16 + (h[4] >> 4));
    d->h6 = (int8_t)h[6];
    UH_TRY(set(d, CTRL_HUM, ONCE));
    UH_TRY(set(d, CONFIG, EACH_SECOND));
    UH_TRY(set(d, CTRL_MEAS, NORMAL));
    d->ready = true;
    return UH_OK;
}

/* below says whether a number can be multiplied by another one of so many bits. */
static bool below(int64_t v, unsigned bits) {
    int64_t most = INT64_MAX >> bits;
    return v <= most && v >= -most;
}

/* pressure is in 1/256 pascal. With coefficients that no chip has it would overflow: then it is refused. */
static uh_status pressure(const uh_bme280 *d, int64_t fine, uint32_t adc, int64_t *pa256) {
    const int16_t *p = d->p;
    int64_t x = fine - 128000;
    int64_t offset = x * x * p[4] + x * p[3] * 131072 + (int64_t)p[2] * 34359738368;
    int64_t slope = ((x * x * p[1]) >> 8) + x * p[0] * 4096 + (INT64_C(1) << 47);
    if (slope <= 0 || !below(slope, 16))
        return UH_INVALID;
    slope = slope * d->p1 >> 33;
    int64_t v = ((int64_t)(1048576 - adc) << 31) - offset;
    if (slope == 0 || !below(v, 12))
        return UH_INVALID;
    v = v * 3125 / slope;
    if (v < 0 || v >> 36 != 0)
        return UH_INVALID;
    *pa256 = ((v + (p[7] * (v >> 13) * (v >> 13) >> 25) + (p[6] * v >> 19)) >> 8) + p[5] * 16;
    return UH_OK;
}

/* humidity is in 1/1024 percent. */
static int64_t humidity(const uh_bme280 *d, int64_t fine, uint32_t adc) {
    int64_t x = fine - 76800;
    int64_t base = ((int64_t)adc * 16384 - d->h4 * INT64_C(1048576) - d->h5 * x + 16384) >> 15;
    int64_t gain = ((x * d->h6 >> 10) * ((x * d->h3 >> 11) + 32768) >> 10) + 2097152;
    int64_t v = base * ((gain * d->h2 + 8192) >> 14);
    v -= ((v >> 15) * (v >> 15) >> 7) * d->h1 >> 4;
    v = v < 0 ? 0 : v > 419430400 ? 419430400 : v; /* 0 to 100 percent */
    return v >> 12;
}

uh_status uh_bme280_compensate(const uh_bme280 *d, uint32_t adc_t, uint32_t adc_p, uint32_t adc_h,
                               uh_bme280_values *v) {
    enum { COLDEST = -4000, HOTTEST = 8500 };
    if (adc_t >> 20 != 0 || adc_p >> 20 != 0 || adc_h >> 16 != 0)
        return UH_INVALID;
    int64_t near = (int64_t)(adc_t >> 4) - d->t1;
    int64_t fine = (((int64_t)(adc_t >> 3) - (int64_t)d->t1 * 2) * d->t2 >> 11) + ((near * near >> 12) * d->t3 >> 14);
    int64_t t = (fine * 5 + 128) >> 8, pa256;
    if (t < COLDEST || t > HOTTEST)
        return UH_INVALID;
    UH_TRY(pressure(d, fine, adc_p, &pa256));
    int64_t percent = (humidity(d, fine, adc_h) * 100 + 512) >> 10;
    *v = (uh_bme280_values){(int32_t)t, (int32_t)((pa256 + 128) >> 8), (int32_t)percent};
    return UH_OK;
}

uh_status uh_bme280_read(uh_bme280 *d, uh_bme280_values *v) {
    uint8_t b[DATA + 8 - CTRL_MEAS];
    if (d->bus->i2c == NULL)
        return UH_MISSING;
    if (!d->ready) {
        UH_TRY(begin(d));
        return UH_AGAIN;
    }
    uh_status got = get(d, CTRL_MEAS, b, sizeof b); /* in one go: then all are of one measurement */
    d->ready = got == UH_OK && b[0] == NORMAL;      /* else it has been without power */
    if (!d->ready)
        return got != UH_OK ? got : UH_AGAIN;
    const uint8_t *p = b + (DATA - CTRL_MEAS), *t = p + 3, *h = p + 6;
    uint32_t adc_p = (uint32_t)p[0] << 12 | (uint32_t)p[1] << 4 | p[2] >> 4;
    uint32_t adc_t = (uint32_t)t[0] << 12 | (uint32_t)t[1] << 4 | t[2] >> 4;
    uint32_t adc_h = (uint32_t)h[0] << 8 | h[1];
    if (adc_p == LEFT_OUT || adc_t == LEFT_OUT || adc_h == HUMIDITY_LEFT_OUT)
        return UH_AGAIN;
    return uh_bme280_compensate(d, adc_t, adc_p, adc_h, v);
}

static uh_status temperature_of(void *ctx, int64_t *v) {
    uh_bme280_values all;
    UH_TRY(uh_bme280_read(ctx, &all));
    *v = all.temperature;
    return UH_OK;
}

static uh_status pressure_of(void *ctx, int64_t *v) {
    uh_bme280_values all;
    UH_TRY(uh_bme280_read(ctx, &all));
    *v = all.pressure;
    return UH_OK;
}

static uh_status humidity_of(void *ctx, int64_t *v) {
    uh_bme280_values all;
    UH_TRY(uh_bme280_read(ctx, &all));
    *v = all.humidity;
    return UH_OK;
}

uh_sensor uh_bme280_temperature(uh_bme280 *d, uint8_t id, const char *name) {
    return (uh_sensor){.id = id, .kind = UH_NUMBER, .decimals = 2, .name = name, .unit = "Cel", .bounded = true,
                       .min = -4000, .max = 8500, .period_ms = 10000, .deadband = 10, .silence_ms = 600000,
                       .read = temperature_of, .ctx = d};
}

uh_sensor uh_bme280_pressure(uh_bme280 *d, uint8_t id, const char *name) {
    return (uh_sensor){.id = id, .kind = UH_NUMBER, .name = name, .unit = "Pa", .bounded = true, .min = 30000,
                       .max = 110000, .period_ms = 10000, .deadband = 20, .silence_ms = 600000, .read = pressure_of,
                       .ctx = d};
}

uh_sensor uh_bme280_humidity(uh_bme280 *d, uint8_t id, const char *name) {
    return (uh_sensor){.id = id, .kind = UH_NUMBER, .decimals = 2, .name = name, .unit = "%RH", .bounded = true,
                       .min = 0, .max = 10000, .period_ms = 10000, .deadband = 50, .silence_ms = 600000,
                       .read = humidity_of, .ctx = d};
}
